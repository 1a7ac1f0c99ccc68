/* HMAC-SHA256 (RFC 2104) over libmd's SHA-256, and comparison in constant time. */
#ifndef NETTUNNEL_HMAC_H
#define NETTUNNEL_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <sha2.h>

#define HMAC_SIZE SHA256_DIGEST_LENGTH

struct hmac {
	SHA2_CTX inner, outer;
};

void hmac_init(struct hmac *hmac, const void *key, size_t size);
void hmac_update(struct hmac *hmac, const void *data, size_t size);
/* The code of all that was given; `hmac` is wiped. */
void hmac_final(struct hmac *hmac, unsigned char code[HMAC_SIZE]);

/* Are both equal? Takes as long wherever they differ. */
bool hmac_equal(const void *a, const void *b, size_t size);

#endif
