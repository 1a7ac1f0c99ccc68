/* What pattern_find() and streams of patterns share. */
#ifndef FORMAT_PATTERN_SEARCH_H
#define FORMAT_PATTERN_SEARCH_H

#include "format/pattern.h"

/* Bytes in a row of a stream, and whether they are its first and its last. */
struct pattern_span {
	const unsigned char *data;
	size_t size;
	bool at_start;
	bool at_end;
};

/*
 * Find the first match that begins in [from, before). Returns 1 with `begin` and `end` set, 0 if
 * there is none, -1 if there was no memory.
 */
int pattern_search(struct pattern *pattern, const struct pattern_span *span, size_t from,
    size_t before, size_t *begin, size_t *end);

#endif
