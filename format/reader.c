#define LIBBSD_OPENBSD_VIS 1 /* vis.h warns unless told which strnvis(3); none is used here */
#include "format/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vis.h>

#define BUFFER_LEAST 4096
#define BUFFER_MOST 131072
#define SEEK_LEAST 16384 /* passing over less than this is not worth a seek */

struct reader {
	struct source *source;
	char *name;
	char *label; /* the name as it may be shown */
	unsigned char *buffer;
	size_t room;
	size_t begin, end;   /* the bytes in the buffer that were not handed out */
	size_t fill;	     /* how much to read at a time: more while reading goes straight on */
	uint64_t position;   /* of buffer[begin] in the log */
	uint64_t offset;     /* of the current record */
	uint64_t whole;	     /* behind the last whole record */
	uint64_t end_at;     /* records from here on are not read */
	uint64_t size, left; /* payload of the current record, and what was not handed out */
	enum reader_status status;
	bool in_header;	   /* the log was cut inside a header */
	bool gzip_cut;	   /* the log was cut inside a gzip member */
	const char *wrong; /* what record_decode() said */
	int error;
	char message[512];
};

struct reader *
reader_new(struct source *source, const char *name)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL) {
		source_free(source);
		errno = ENOMEM;
		return NULL;
	}
	reader->source = source;
	reader->end_at = UINT64_MAX;
	reader->status = READER_RECORD;
	reader->fill = reader->room = BUFFER_LEAST;
	reader->buffer = malloc(BUFFER_LEAST);
	reader->name = strdup(name);
	reader->label = malloc(4 * strlen(name) + 1);
	if (reader->buffer == NULL || reader->name == NULL || reader->label == NULL) {
		reader_free(reader);
		errno = ENOMEM;
		return NULL;
	}
	strvis(reader->label, name, VIS_CSTYLE | VIS_TAB | VIS_NL | VIS_NOLOCALE);
	return reader;
}

void
reader_free(struct reader *reader)
{
	if (reader == NULL)
		return;
	source_free(reader->source);
	free(reader->name);
	free(reader->label);
	free(reader->buffer);
	free(reader);
}

static enum reader_status
stop(struct reader *reader, enum reader_status status)
{
	reader->status = status;
	return status;
}

/* The source ended or failed (`got`); `cut` is what the end means here. */
static enum reader_status
stop_at_end(struct reader *reader, int64_t got, enum reader_status cut)
{
	reader->gzip_cut = got < 0 && errno == ENODATA;
	if (got == 0)
		return stop(reader, cut);
	if (reader->gzip_cut)
		return stop(reader, READER_CUT);
	reader->error = errno;
	return stop(reader, READER_FAILED);
}

/* Read more behind what the buffer holds. Returns how much, 0 at the end, -1 with errno. */
static ssize_t
fill(struct reader *reader)
{
	ssize_t got;

	if (reader->begin > 0) {
		memmove(
		    reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
		reader->end -= reader->begin;
		reader->begin = 0;
	}
	if (reader->room < reader->fill) {
		unsigned char *buffer = realloc(reader->buffer, reader->fill);
		if (buffer == NULL)
			return -1;
		reader->buffer = buffer;
		reader->room = reader->fill;
	}
	got = source_read(reader->source, reader->buffer + reader->end, reader->fill - reader->end);
	if (got <= 0)
		return got;
	reader->end += (size_t)got;
	if (reader->end == reader->fill && reader->fill < BUFFER_MOST)
		reader->fill *= 2;
	return got;
}

/* Take `count` payload bytes as handed out or passed over. */
static void
payload_advance(struct reader *reader, uint64_t count)
{
	reader->position += count;
	reader->left -= count;
	if (reader->left == 0)
		reader->whole = reader->position;
}

/* Pass over what is left of the current record's payload. */
static enum reader_status
payload_skip(struct reader *reader)
{
	while (reader->left > 0) {
		uint64_t buffered = reader->end - reader->begin;
		int64_t got;
		if (buffered > reader->left)
			buffered = reader->left;
		reader->begin += buffered;
		payload_advance(reader, buffered);
		if (reader->left == 0)
			break;
		if (reader->left < SEEK_LEAST) {
			got = fill(reader);
		} else {
			got = source_skip(reader->source, reader->left);
			if (got > 0)
				payload_advance(reader, (uint64_t)got);
			/* so may the next payload be: don't read far into it */
			reader->fill = BUFFER_LEAST;
		}
		if (got <= 0)
			return stop_at_end(reader, got, READER_CUT);
	}
	return READER_RECORD;
}

/* Read the header that begins at buffer[begin] and is `length` bytes long without its newline. */
static enum reader_status
header_decode(struct reader *reader, size_t length, struct record *record)
{
	const char *header = (const char *)reader->buffer + reader->begin;

	reader->wrong = record_decode(header, length, record);
	if (reader->wrong != NULL)
		return stop(reader, READER_BAD);
	reader->begin += length + 1;
	reader->position += length + 1;
	reader->size = reader->left = record->size;
	if (record->size == 0)
		reader->whole = reader->position;
	return READER_RECORD;
}

enum reader_status
reader_next(struct reader *reader, struct record *record)
{
	if (reader->status <= 0)
		return reader->status;
	if (payload_skip(reader) != READER_RECORD)
		return reader->status;
	reader->offset = reader->position;
	if (reader->position >= reader->end_at)
		return stop(reader, READER_END);
	for (;;) {
		const unsigned char *header = reader->buffer + reader->begin, *newline;
		size_t length = reader->end - reader->begin;
		ssize_t got;

		if (length > RECORD_HEADER_MAX)
			length = RECORD_HEADER_MAX;
		newline = memchr(header, '\n', length);
		if (newline != NULL)
			return header_decode(reader, (size_t)(newline - header), record);
		/* no need to wait for more of what is no header already */
		if (!record_begins((const char *)header, length)) {
			reader->wrong = record_decode((const char *)header, length, record);
			return stop(reader, READER_BAD);
		}
		if (length == RECORD_HEADER_MAX) {
			reader->wrong = "no end of line where one belongs";
			return stop(reader, READER_BAD);
		}
		got = fill(reader);
		if (got <= 0) {
			reader->in_header = length > 0;
			return stop_at_end(reader, got, length > 0 ? READER_CUT : READER_END);
		}
	}
}

ssize_t
reader_data(struct reader *reader, const unsigned char **piece)
{
	size_t size = reader->end - reader->begin;

	if (reader->left == 0)
		return 0;
	if (reader->status <= 0)
		return -1;
	if (size == 0) {
		ssize_t got = fill(reader);
		if (got <= 0) {
			(void)stop_at_end(reader, got, READER_CUT);
			return -1;
		}
		size = reader->end - reader->begin;
	}
	if (size > reader->left)
		size = (size_t)reader->left;
	*piece = reader->buffer + reader->begin;
	reader->begin += size;
	payload_advance(reader, size);
	return (ssize_t)size;
}

void
reader_retry(struct reader *reader)
{
	if (reader->status == READER_END || reader->status == READER_CUT) {
		reader->status = READER_RECORD;
		reader->in_header = reader->gzip_cut = false;
	}
}

void
reader_end_at(struct reader *reader, uint64_t end)
{
	reader->end_at = end;
}

uint64_t
reader_offset(const struct reader *reader)
{
	return reader->offset;
}

uint64_t
reader_whole(const struct reader *reader)
{
	return reader->whole;
}

size_t
reader_part(const struct reader *reader)
{
	return source_part(reader->source);
}

int
reader_error(const struct reader *reader)
{
	return reader->status == READER_FAILED ? reader->error : 0;
}

const char *
reader_name(const struct reader *reader)
{
	return reader->name;
}

static void
message_cut(struct reader *reader)
{
	unsigned long long end = reader->position + (reader->end - reader->begin);
	unsigned long long got = reader->size - reader->left;
	size_t room = sizeof(reader->message);

	if (reader->in_header)
		snprintf(reader->message, room,
		    "%s: byte %llu: cut short inside the header of the record at byte %llu",
		    reader->label, end, (unsigned long long)reader->offset);
	else if (reader->left > 0)
		snprintf(reader->message, room,
		    "%s: byte %llu: cut short: %llu of %llu bytes of data are there (record at "
		    "byte %llu)",
		    reader->label, end, got, (unsigned long long)reader->size,
		    (unsigned long long)reader->offset);
	else
		snprintf(reader->message, room, "%s: byte %llu: cut short inside a gzip member",
		    reader->label, end);
}

const char *
reader_message(struct reader *reader)
{
	unsigned long long end = reader->position + (reader->end - reader->begin);

	reader->message[0] = '\0';
	switch (reader->status) {
	case READER_RECORD:
	case READER_END:
		break;
	case READER_CUT:
		message_cut(reader);
		break;
	case READER_BAD:
		snprintf(reader->message, sizeof(reader->message), "%s: byte %llu: %s",
		    reader->label, (unsigned long long)reader->offset, reader->wrong);
		break;
	case READER_FAILED:
		snprintf(reader->message, sizeof(reader->message), "%s: byte %llu: %s",
		    reader->label, end,
		    reader->error == EILSEQ ? "damaged gzip data" : strerror(reader->error));
		break;
	}
	return reader->message;
}
