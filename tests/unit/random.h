/* Numbers that are random and the same with every run: xorshift. */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static uint64_t seed = UINT64_C(88172645463325252);

static inline size_t
pick(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 16) % below;
}

#endif
