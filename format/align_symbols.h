/* A stretch of a stream as what must be alike: bytes, and mask matches as one symbol each. Private
 * to the alignment. */
#ifndef FORMAT_ALIGN_SYMBOLS_H
#define FORMAT_ALIGN_SYMBOLS_H

#include "format/align_private.h"

struct align_symbols {
	uint32_t *codes;  /* a byte, or 256 + a mask's index */
	uint32_t *places; /* where each begins, counted from the stream's `at`; and where the last
			     one ends */
	size_t count;
	bool complete; /* the stream ends behind the last one */
	bool full;     /* all that was asked for; the stream goes on */
};

/* Read `size` bytes from `at` on, or as many as are there and certain. Returns -1 with errno;
 * release in either case. */
int align_symbols_read(struct align_symbols *symbols, const struct align *align,
    enum align_stream stream, size_t size);
void align_symbols_release(struct align_symbols *symbols);

/* How many symbols are alike from `i` of the one and `j` of the other on; `*open` tells whether
 * that is only as far as they were read. */
size_t align_symbols_run(
    const struct align_symbols symbols[2], size_t i, size_t j, size_t most, bool *open);

/* Do both go on alike from there for as long as counts, or to their common end? */
bool align_symbols_agree(const struct align_symbols symbols[2], size_t i, size_t j);

/*
 * The places i and j with the least sum from which both go on alike; of these the ones with the
 * least distance. Returns false if there are none.
 */
bool align_symbols_meet(const struct align_symbols symbols[2], size_t place[2], bool *no_memory);

#endif
