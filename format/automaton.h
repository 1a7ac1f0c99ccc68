/*
 * A pattern searched in bytes that may still go on: unlike regex(3) it tells whether what is to
 * come could change the answer. What masks are searched with.
 */
#ifndef FORMAT_AUTOMATON_H
#define FORMAT_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>

#include "format/pattern.h"

struct automaton;

/* Returns NULL with errno: ENOMEM, or EINVAL if it is none that pattern_new() takes. */
struct automaton *automaton_new(const char *text);
void automaton_free(struct automaton *automaton);

/* Does no match hold a newline, so that each line can be searched by itself? */
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

/*
 * Takes time with the size of the span, the pattern's size, and the length of what begins as a
 * match and is none. Where that is longer than PATTERN_MATCH_MAX, some of the matches that begin
 * within it may not be found.
 */
void automaton_search(
    struct automaton *automaton, const struct automaton_span *span, struct automaton_match *match);

#endif
