/* The tokens of --client-auth, and whether an HTTP request carries one of them. */
#ifndef NETTUNNEL_TOKENS_H
#define NETTUNNEL_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#define TOKENS_HEADER "X-Nettunnel-Auth"
#define TOKENS_REQUEST_MAX 16384 /* of a first request's head */

struct tokens {
	unsigned char (*digests)[32]; /* SHA-256 of each */
	size_t count;
};

/*
 * Read a file of its owner's only: a token a line; empty lines and those that begin with # are
 * skipped. NULL, or a reason that lasts until the next call; `tokens` is then as it was.
 */
const char *tokens_read(struct tokens *tokens, const char *path);
void tokens_release(struct tokens *tokens);

/* Is it one of them? Takes as long whichever it is. */
bool tokens_has(const struct tokens *tokens, const char *token, size_t size);

enum tokens_verdict { TOKENS_MORE, TOKENS_ALLOWED, TOKENS_DENIED };

/* May the client that begins like this be served? TOKENS_MORE if its request's head is not whole.
 */
enum tokens_verdict tokens_judge(const struct tokens *tokens, const char *data, size_t size);

#endif
