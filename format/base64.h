/* Base64 (RFC 4648) of a stream, piece by piece. */
#ifndef FORMAT_BASE64_H
#define FORMAT_BASE64_H

#include <stddef.h>
#include <stdio.h>

struct base64 {
	unsigned char rest[3]; /* bytes that wait for their group of three */
	size_t count;
};

void base64_put(struct base64 *state, const unsigned char *data, size_t size, FILE *stream);
void base64_finish(struct base64 *state, FILE *stream);

#endif
