#include "format/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define INPUT_SIZE 65536
#define MAGIC_SIZE 2
#define GZIP_WINDOW (15 + 16)	     /* zlib: the largest window, gzip wrapping only */
#define PIECE_MOST ((size_t)1 << 30) /* zlib counts in unsigned int */

enum inflate_state {
	INFLATE_UNKNOWN, /* the first bytes have not been seen */
	INFLATE_PLAIN,	 /* it is no gzip: handed on */
	INFLATE_MEMBER,	 /* inside a member */
	INFLATE_BETWEEN, /* a member has ended: another one, padding or the end may follow */
	INFLATE_PADDING, /* zeros up to the end, as tapes have them */
	INFLATE_FAILED	 /* damaged for good */
};

struct inflate_source {
	struct source source;
	struct source *raw;
	enum inflate_state state;
	int error; /* errno value of INFLATE_FAILED */
	unsigned char magic[MAGIC_SIZE];
	size_t magic_size;  /* bytes in `magic` */
	size_t magic_given; /* of these, handed on */
	z_stream stream;
	unsigned char *input; /* NULL until it is known to be gzip */
};

static ssize_t
fail(struct inflate_source *gzip, int error)
{
	gzip->state = INFLATE_FAILED;
	gzip->error = error;
	errno = error;
	return -1;
}

/* Tell gzip from anything else. Returns 1 once it is known, 0 if nothing is there (yet), -1 with
 * errno. */
static int
detect(struct inflate_source *gzip)
{
	while (gzip->magic_size < MAGIC_SIZE) {
		ssize_t got = source_read(
		    gzip->raw, gzip->magic + gzip->magic_size, MAGIC_SIZE - gzip->magic_size);
		if (got < 0)
			return -1;
		if (got == 0 && gzip->magic_size == 0)
			return 0;
		if (got == 0)
			break;
		gzip->magic_size += (size_t)got;
	}
	if (gzip->magic_size < MAGIC_SIZE || gzip->magic[0] != 0x1f || gzip->magic[1] != 0x8b) {
		gzip->state = INFLATE_PLAIN;
		return 1;
	}
	gzip->input = malloc(INPUT_SIZE);
	if (gzip->input == NULL || inflateInit2(&gzip->stream, GZIP_WINDOW) != Z_OK) {
		free(gzip->input);
		gzip->input = NULL;
		return (int)fail(gzip, ENOMEM);
	}
	memcpy(gzip->input, gzip->magic, MAGIC_SIZE);
	gzip->stream.next_in = gzip->input;
	gzip->stream.avail_in = MAGIC_SIZE;
	gzip->state = INFLATE_MEMBER;
	return 1;
}

/* Have input if there is any. Returns 1, 0 at the end, -1 with errno. */
static int
refill(struct inflate_source *gzip)
{
	ssize_t got;

	if (gzip->stream.avail_in > 0)
		return 1;
	got = source_read(gzip->raw, gzip->input, INPUT_SIZE);
	if (got <= 0)
		return (int)got;
	gzip->stream.next_in = gzip->input;
	gzip->stream.avail_in = (uInt)got;
	return 1;
}

/* Inflate until there is output. Returns its size; 0 when the member has ended, -1 with errno. */
static ssize_t
member_read(struct inflate_source *gzip, void *buffer, size_t size)
{
	z_stream *stream = &gzip->stream;
	uInt room = (uInt)(size < PIECE_MOST ? size : PIECE_MOST);

	stream->next_out = buffer;
	stream->avail_out = room;
	while (stream->avail_out == room) {
		int status, more = refill(gzip);
		if (more < 0)
			return -1;
		/* zlib may still hold output; what it says without input is Z_BUF_ERROR then */
		status = inflate(stream, Z_NO_FLUSH);
		if (status == Z_STREAM_END) {
			gzip->state = INFLATE_BETWEEN;
			break;
		}
		if (status == Z_MEM_ERROR)
			return fail(gzip, ENOMEM);
		if (status != Z_OK && status != Z_BUF_ERROR) {
			/* what came out before the damage is still good to have */
			fail(gzip, EILSEQ);
			return stream->avail_out < room ? (ssize_t)(room - stream->avail_out) : -1;
		}
		if (more == 0 && stream->avail_out == room) {
			errno = ENODATA;
			return -1;
		}
	}
	return (ssize_t)(room - stream->avail_out);
}

/* Go from one member to the next. Returns 1 if there is one, 0 at the end, -1 with errno. */
static int
between_members(struct inflate_source *gzip)
{
	int more;

	while ((more = refill(gzip)) > 0) {
		z_stream *stream = &gzip->stream;
		if (*stream->next_in == 0) {
			gzip->state = INFLATE_PADDING;
			stream->next_in++;
			stream->avail_in--;
			continue;
		}
		if (gzip->state == INFLATE_PADDING || inflateReset(stream) != Z_OK)
			return (int)fail(gzip, EILSEQ);
		gzip->state = INFLATE_MEMBER;
		return 1;
	}
	return more;
}

static ssize_t
plain_read(struct inflate_source *gzip, void *buffer, size_t size)
{
	size_t left = gzip->magic_size - gzip->magic_given;

	if (left == 0)
		return source_read(gzip->raw, buffer, size);
	if (left > size)
		left = size;
	memcpy(buffer, gzip->magic + gzip->magic_given, left);
	gzip->magic_given += left;
	return (ssize_t)left;
}

static ssize_t
inflate_read(struct source *source, void *buffer, size_t size)
{
	struct inflate_source *gzip = (struct inflate_source *)source;
	ssize_t got;
	int more;

	if (size == 0)
		return 0;
	for (;;) {
		switch (gzip->state) {
		case INFLATE_UNKNOWN:
			more = detect(gzip);
			if (more <= 0)
				return more;
			break;
		case INFLATE_PLAIN:
			return plain_read(gzip, buffer, size);
		case INFLATE_MEMBER:
			got = member_read(gzip, buffer, size);
			if (got != 0)
				return got;
			break;
		case INFLATE_BETWEEN:
		case INFLATE_PADDING:
			more = between_members(gzip);
			if (more <= 0)
				return more;
			break;
		case INFLATE_FAILED:
			errno = gzip->error;
			return -1;
		}
	}
}

static int64_t
inflate_skip(struct source *source, uint64_t count)
{
	struct inflate_source *gzip = (struct inflate_source *)source;
	unsigned char buffer[16384];
	uint64_t passed = 0;

	while (passed < count) {
		uint64_t left = count - passed;
		ssize_t got;
		if (gzip->state == INFLATE_PLAIN && gzip->magic_given == gzip->magic_size) {
			int64_t skipped = source_skip(gzip->raw, left);
			if (skipped < 0)
				return passed > 0 ? (int64_t)passed : -1;
			return (int64_t)passed + skipped;
		}
		got = inflate_read(source, buffer, left < sizeof(buffer) ? left : sizeof(buffer));
		if (got < 0 && passed == 0)
			return -1;
		if (got <= 0)
			break;
		passed += (uint64_t)got;
	}
	return (int64_t)passed;
}

static void
inflate_free(struct source *source)
{
	struct inflate_source *gzip = (struct inflate_source *)source;

	if (gzip->input != NULL)
		inflateEnd(&gzip->stream);
	free(gzip->input);
	source_free(gzip->raw);
	free(gzip);
}

static const struct source_ops inflate_ops = {inflate_read, inflate_skip, NULL, inflate_free};

struct source *
source_inflate(struct source *raw)
{
	struct inflate_source *gzip = calloc(1, sizeof(*gzip));

	if (gzip == NULL) {
		source_free(raw);
		errno = ENOMEM;
		return NULL;
	}
	gzip->source.ops = &inflate_ops;
	gzip->raw = raw;
	return &gzip->source;
}
