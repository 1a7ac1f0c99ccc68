/*
 * Several patterns searched at once in bytes that may still go on, in one pass: unlike regex(3)
 * it tells whether what is to come could change the answer. What masks are searched with.
 */
#ifndef FORMAT_AUTOMATON_H
#define FORMAT_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>

#include "format/pattern.h"

struct automaton;

struct automaton *automaton_new(void); /* NULL with errno */
void automaton_free(struct automaton *automaton);

/* Add a pattern; its index is how many were added before it. Returns -1 with errno: ENOMEM, or
 * EINVAL if it is none that pattern_new() takes. */
int automaton_add(struct automaton *automaton, const char *text);

/* Does no match of any pattern hold a newline, so that each line can be searched by itself? */
bool automaton_in_lines(const struct automaton *automaton);

/* What is searched: `size` bytes, of which a match begins in [from, before). */
struct automaton_span {
	const unsigned char *data;
	size_t size;
	size_t from, before;
	bool at_start; /* data[0] is the stream's first byte */
	bool at_end;   /* the stream ends behind them */
};

struct automaton_match {
	bool found;
	bool certain;	/* further bytes cannot change what is told here */
	size_t pattern; /* if found */
	size_t begin,
	    end;      /* if found: leftmost, of these the longest, of these the first pattern */
	size_t alive; /* if not certain: a match may yet begin here, none before it does */
};

void automaton_search(
    struct automaton *automaton, const struct automaton_span *span, struct automaton_match *match);

#endif
