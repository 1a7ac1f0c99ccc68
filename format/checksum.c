#include "format/checksum.h"

#include <string.h>

/* One's complement addition: what is carried out at the top comes in at the bottom. */
static inline uint64_t
add_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static inline uint64_t
word_at(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

uint64_t
checksum_add(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *at = data;
	uint64_t a = sum, b = 0, c = 0, d = 0, last = 0;

	/* four sums, so that no addition waits for the one before */
	for (; size >= 32; at += 32, size -= 32) {
		a = add_carry(a, word_at(at));
		b = add_carry(b, word_at(at + 8));
		c = add_carry(c, word_at(at + 16));
		d = add_carry(d, word_at(at + 24));
	}
	a = add_carry(add_carry(a, b), add_carry(c, d));
	for (; size >= 8; at += 8, size -= 8)
		a = add_carry(a, word_at(at));
	memcpy(&last, at, size);
	return add_carry(a, last);
}

uint16_t
checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}
