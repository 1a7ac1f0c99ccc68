#include <stdint.h>
#include <string.h>

#include "nettunnel/hmac.h"

void
hmac_init(struct hmac *hmac, const void *key, size_t size)
{
	unsigned char block[SHA256_BLOCK_LENGTH] = {0};

	if (size > sizeof(block)) {
		SHA256Init(&hmac->inner);
		SHA256Update(&hmac->inner, key, size);
		SHA256Final(block, &hmac->inner);
	} else if (size > 0) {
		memcpy(block, key, size);
	}
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	SHA256Init(&hmac->inner);
	SHA256Update(&hmac->inner, block, sizeof(block));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA256Init(&hmac->outer);
	SHA256Update(&hmac->outer, block, sizeof(block));
	explicit_bzero(block, sizeof(block));
}

void
hmac_update(struct hmac *hmac, const void *data, size_t size)
{
	SHA256Update(&hmac->inner, data, size);
}

void
hmac_final(struct hmac *hmac, unsigned char code[HMAC_SIZE])
{
	SHA256Final(code, &hmac->inner);
	SHA256Update(&hmac->outer, code, HMAC_SIZE);
	SHA256Final(code, &hmac->outer);
	explicit_bzero(hmac, sizeof(*hmac));
}

bool
hmac_equal(const void *a, const void *b, size_t size)
{
	const volatile unsigned char *left = a, *right = b;
	unsigned difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= (unsigned)(left[i] ^ right[i]);
	return difference == 0;
}
