#include "format/align_split.h"

#include <stdlib.h>

#define RUN_LEAST 4 /* at the same distance from where the difference begins ... */
#define RUN_LEAST_ASIDE                                                                            \
	6		    /* ... and at another one, where chance has more places to choose from \
			     */
#define CELLS_MAX (1 << 20) /* larger differences are not looked into for the latter */

void
align_runs_release(struct align_runs *runs)
{
	free(runs->runs);
	*runs = (struct align_runs){.runs = NULL};
}

/* Returns false if there was no memory. */
static bool
runs_add(struct align_runs *runs, const struct align_run *run)
{
	if (runs->count == runs->capacity) {
		size_t capacity = runs->capacity > 0 ? 2 * runs->capacity : 16;
		struct align_run *grown = reallocarray(runs->runs, capacity, sizeof(*grown));
		if (grown == NULL)
			return false;
		runs->runs = grown;
		runs->capacity = capacity;
	}
	runs->runs[runs->count++] = *run;
	return true;
}

/* Bytes replaced by as many others. */
static void
split_straight(struct align_runs *runs, const struct align_symbols symbols[2], size_t end)
{
	struct align_run run;
	bool open;

	for (size_t i = 0; i < end; i += run.length + 1) {
		run = (struct align_run){{i, i}, align_symbols_run(symbols, i, i, end - i, &open)};
		if (run.length >= RUN_LEAST && !runs_add(runs, &run))
			return;
	}
}

/* Two rows of a table: how many symbols before a pair of places are alike. */
struct rows {
	uint32_t *last, *next;
};

/* The longest stretch that is in both, between the places. */
static struct align_run
longest_run(const struct align_symbols symbols[2], const size_t from[2], const size_t until[2],
    struct rows *rows)
{
	struct align_run longest = {{0, 0}, 0};

	for (size_t j = 0; j <= until[1] - from[1]; j++)
		rows->last[j] = rows->next[j] = 0;
	for (size_t i = from[0]; i < until[0]; i++) {
		uint32_t *row = rows->next;
		for (size_t j = from[1]; j < until[1]; j++) {
			size_t at = j - from[1];
			bool alike = symbols[0].codes[i] == symbols[1].codes[j];
			row[at + 1] = alike ? rows->last[at] + 1 : 0;
			if (row[at + 1] > longest.length)
				longest = (struct align_run){
				    {i + 1 - row[at + 1], j + 1 - row[at + 1]}, row[at + 1]};
		}
		rows->next = rows->last;
		rows->last = row;
	}
	return longest;
}

/* Around the longest stretch look for further ones. Each is longer than RUN_LEAST_ASIDE, which
 * bounds the depth. */
static void
split_around(struct align_runs *runs, const struct align_symbols symbols[2], const size_t from[2],
    const size_t until[2], struct rows *rows)
{
	struct align_run run;
	size_t behind[2];

	if (until[0] - from[0] < RUN_LEAST_ASIDE || until[1] - from[1] < RUN_LEAST_ASIDE)
		return;
	run = longest_run(symbols, from, until, rows);
	if (run.length < RUN_LEAST_ASIDE)
		return;
	split_around(runs, symbols, from, run.place, rows);
	if (!runs_add(runs, &run))
		return;
	behind[0] = run.place[0] + run.length;
	behind[1] = run.place[1] + run.length;
	split_around(runs, symbols, behind, until, rows);
}

void
align_split(struct align_runs *runs, const struct align_symbols symbols[2], const size_t place[2])
{
	const size_t from[2] = {0, 0};
	struct rows rows;

	*runs = (struct align_runs){.runs = NULL};
	if (place[0] == place[1]) {
		split_straight(runs, symbols, place[0]);
		return;
	}
	if (place[0] > CELLS_MAX / (place[1] + 1))
		return;
	rows.last = calloc(place[1] + 1, sizeof(*rows.last));
	rows.next = calloc(place[1] + 1, sizeof(*rows.next));
	if (rows.last != NULL && rows.next != NULL)
		split_around(runs, symbols, from, place, &rows);
	free(rows.last);
	free(rows.next);
}
