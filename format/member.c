#include "format/member.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER_SIZE (128 * 1024)
#define WINDOW_GZIP (15 + 16) /* deflateInit2(): a gzip wrapper around the largest window */
#define MEMORY_LEVEL 8

int
member_init(struct member *member, int level)
{
	*member = (struct member){.level = level, .applied = level};
	member->buffer = malloc(BUFFER_SIZE);
	if (member->buffer == NULL)
		return -1;
	if (deflateInit2(&member->stream, level, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL,
		Z_DEFAULT_STRATEGY) == Z_OK)
		return 0;
	free(member->buffer);
	member->buffer = NULL;
	errno = ENOMEM;
	return -1;
}

void
member_release(struct member *member)
{
	if (member->buffer == NULL)
		return;
	deflateEnd(&member->stream);
	free(member->buffer);
	member->buffer = NULL;
}

void
member_begin(struct member *member)
{
	deflateReset(&member->stream);
	member->stream.next_out = member->buffer;
	member->stream.avail_out = BUFFER_SIZE;
	if (member->level != member->applied) { /* right after a reset nothing is to be flushed */
		deflateParams(&member->stream, member->level, Z_DEFAULT_STRATEGY);
		member->applied = member->level;
	}
	member->written = 0;
}

static int
member_flush(struct member *member, int fd)
{
	const unsigned char *from = member->buffer;

	while (from < member->stream.next_out) {
		ssize_t n = write(fd, from, (size_t)(member->stream.next_out - from));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		from += n;
		member->written += (uint64_t)n;
	}
	member->stream.next_out = member->buffer;
	member->stream.avail_out = BUFFER_SIZE;
	return 0;
}

int
member_add(struct member *member, int fd, const void *data, size_t size)
{
	const unsigned char *from = data;

	while (size > 0) {
		uInt piece = size < INT_MAX ? (uInt)size : INT_MAX;
		member->stream.next_in = (z_const Bytef *)(uintptr_t)from;
		member->stream.avail_in = piece;
		while (member->stream.avail_in > 0) {
			deflate(&member->stream, Z_NO_FLUSH);
			if (member->stream.avail_out == 0 && member_flush(member, fd) != 0)
				return -1;
		}
		from += piece;
		size -= piece;
	}
	return 0;
}

int
member_end(struct member *member, int fd)
{
	while (deflate(&member->stream, Z_FINISH) != Z_STREAM_END)
		if (member_flush(member, fd) != 0)
			return -1;
	return member_flush(member, fd);
}

uint64_t
member_bound(uint64_t size)
{
	return size + (size >> 10) + 64;
}
