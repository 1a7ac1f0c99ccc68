/* The order of a recording's connections, and its silences. */
#ifndef NETREPLAY_PLAN_H
#define NETREPLAY_PLAN_H

#include "format/logset.h"

struct plan_entry {
	size_t item;   /* index into the set */
	int64_t start; /* on the clock that all logs share */
	int64_t end;   /* of its last record; INT64_MAX if not asked for */
};

/* A silence longer than wanted; after it, `cut` nanoseconds have been left out in all. */
struct plan_gap {
	int64_t end;
	uint64_t cut; /* may be more than a time: from one end of what 64 bits hold to the other */
};

struct plan {
	struct plan_entry *entries; /* in order of start */
	size_t count;
	struct plan_gap *gaps; /* in order of time */
	size_t gap_count;
};

/*
 * Plan the logs of `set`, only each `shards`-th from `shard` on (1 is the first; shards 0: all).
 * Where only some have a wall clock the others are given one, beside their neighbours in the set.
 * With `ends` each log is read for its end where the index does not tell it. With `max_gap` > 0 all
 * logs are read once to find the silences. Returns -1 with errno.
 */
int plan_init(struct plan *plan, struct logset *set, long long shard, long long shards, bool ends,
    int64_t max_gap);
void plan_release(struct plan *plan);

/* A time on the shared clock with the silences before it shortened. */
int64_t plan_time(const struct plan *plan, int64_t time);

#endif
