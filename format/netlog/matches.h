/*
 * Where a pattern matches in what one side of a log sent, as ranges of that side's stream in order.
 * They are looked for as far ahead as asked for, by a reader of its own: memory depends neither on
 * the log's size nor on the number of matches.
 */
#ifndef FORMAT_NETLOG_MATCHES_H
#define FORMAT_NETLOG_MATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "format/logset.h"
#include "format/pattern.h"

struct matches;

/* [begin, end) in bytes of the side's stream. */
struct match_range {
	uint64_t begin, end;
};

/* `item` and `pattern` must outlive it. Returns NULL with errno. */
struct matches *matches_new(
    const struct logset_item *item, enum side side, struct pattern *pattern);
void matches_free(struct matches *matches);

/*
 * The first range that ends behind `offset`, which must not go back from one call to the next;
 * ranges that touch may be told as one. Returns 1, 0 if there is none, -1 with errno.
 */
int matches_next(struct matches *matches, uint64_t offset, struct match_range *range);

/* How many matches were found so far; all of them once matches_next() returned 0. */
uint64_t matches_count(const struct matches *matches);

#endif
