/* What is alike within a difference, so that it can be told as several small ones. Private to the
 * alignment. */
#ifndef FORMAT_ALIGN_SPLIT_H
#define FORMAT_ALIGN_SPLIT_H

#include "format/align_symbols.h"

/* So many symbols are alike from these places on. */
struct align_run {
	size_t place[2];
	size_t length;
};

struct align_runs {
	struct align_run *runs; /* in order */
	size_t count, capacity;
};

/*
 * Find stretches that are alike within the first place[0] and place[1] symbols of both, long enough
 * to part two differences. If memory is short, there are fewer. Release with align_runs_release().
 */
void align_split(
    struct align_runs *runs, const struct align_symbols symbols[2], const size_t place[2]);
void align_runs_release(struct align_runs *runs);

#endif
