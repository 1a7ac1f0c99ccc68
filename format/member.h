/* Gzip members (RFC 1952) written straight to a descriptor, one deflate state for all of them.
 * Private to the writer. */
#ifndef FORMAT_MEMBER_H
#define FORMAT_MEMBER_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct member {
	z_stream stream;
	int level;   /* wanted from the next member on; 0: stored blocks */
	int applied; /* what the stream is set to */
	unsigned char *buffer;
	uint64_t written; /* bytes of this member that are in the file */
};

/* Returns 0, or -1 with errno. */
int member_init(struct member *member, int level);
void member_release(struct member *member);

/* Begin a member, add to it, end it; the latter two return 0, or -1 with errno, after which part of
 * a member is in the file. */
void member_begin(struct member *member);
int member_add(struct member *member, int fd, const void *data, size_t size);
int member_end(struct member *member, int fd);

/* A member that holds `size` bytes is never larger than this. */
uint64_t member_bound(uint64_t size);

#endif
