/* What a pattern is compiled to: states of a machine that takes a byte at a time. Private to the
 * automaton. */
#ifndef FORMAT_AUTOMATON_PROGRAM_H
#define FORMAT_AUTOMATON_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

enum state_type {
	STATE_BYTE,  /* takes a byte of the set `a`, goes on with the state behind it */
	STATE_SPLIT, /* goes on with `a` and with `b`, taking nothing */
	STATE_JUMP,  /* goes on with `a` */
	STATE_START, /* "^": goes on at the stream's beginning only */
	STATE_END,   /* "$": at its end only */
	STATE_MATCH  /* what was taken is a match */
};

struct state {
	enum state_type type;
	size_t a, b;
};

/* 256 bits: which bytes it holds. */
struct byte_set {
	uint64_t bits[4];
};

static inline void
byte_set_add(struct byte_set *set, unsigned byte)
{
	set->bits[byte / 64] |= UINT64_C(1) << byte % 64;
}

static inline int
byte_set_holds(const struct byte_set *set, unsigned byte)
{
	return (set->bits[byte / 64] >> byte % 64) & 1;
}

struct program {
	struct state *states;
	size_t count, capacity;
	struct byte_set *sets;
	size_t set_count, set_capacity;
};

/* Append what `regex`, a pattern as pattern_translate() leaves it, matches; a match ends in the
 * last state's successor. Returns -1 with errno ENOMEM or EINVAL, and parts of it left behind. */
int program_append(struct program *program, const char *regex, size_t length);

/* Append one state. Returns its index, or SIZE_MAX with errno. */
size_t program_state(struct program *program, enum state_type type, size_t a, size_t b);

#endif
