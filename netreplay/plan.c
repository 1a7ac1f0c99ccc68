#include "netreplay/plan.h"

#include <stdlib.h>
#include <string.h>

#include "format/timeline.h"
#include "format/times.h"

/* First and last time of a log; a damaged one ends where its whole records do. */
static void
plan_scan(const struct logset_item *item, bool to_end, int64_t *start, int64_t *end)
{
	struct reader *reader = logset_reader(item);
	struct record record;

	*start = 0;
	if (to_end)
		*end = 0;
	if (reader != NULL && reader_next(reader, &record) == READER_RECORD) {
		*start = *end = record.time;
		while (to_end && reader_next(reader, &record) == READER_RECORD)
			*end = record.time;
	}
	reader_free(reader);
}

static void
plan_entry(struct plan_entry *entry, const struct logset *set, size_t item, bool ends)
{
	const struct logset_item *log = &set->items[item];
	bool whole = log->indexed && log->entry.closed;

	entry->item = item;
	entry->end = INT64_MAX;
	if (log->indexed && (whole || !ends)) {
		entry->start = log->entry.time;
		if (ends)
			entry->end = times_add(entry->start, log->entry.duration);
	} else {
		plan_scan(log, ends, &entry->start, &entry->end);
	}
	entry->start = timeline_clock(log, entry->start);
	if (entry->start == INT64_MAX) /* damaged: its end must come after it */
		entry->start--;
	if (ends)
		entry->end = timeline_clock(log, entry->end);
}

/* Do some of the logs have no clock in common with the others? */
static bool
clocks_are_mixed(const struct logset *set)
{
	size_t known = 0;

	for (size_t i = 0; i < set->count; i++)
		known += logset_has_wall(&set->items[i]);
	return known > 0 && known < set->count;
}

static int64_t
earliest_start(const struct plan_entry *entries, size_t count)
{
	int64_t earliest = INT64_MAX;

	for (size_t i = 0; i < count; i++)
		if (entries[i].start < earliest)
			earliest = entries[i].start;
	return earliest;
}

static int64_t
latest_end(const struct plan_entry *entries, size_t count)
{
	int64_t latest = INT64_MIN;

	for (size_t i = 0; i < count; i++)
		if (entries[i].end > latest)
			latest = entries[i].end;
	return latest;
}

/* Give the logs of these entries a wall clock that is their own one and `by`. */
static void
clocks_give(struct logset *set, struct plan_entry *entries, size_t count, int64_t by)
{
	for (size_t i = 0; i < count; i++) {
		struct logset_item *log = &set->items[entries[i].item];

		log->entry.time = entries[i].start;
		entries[i].start = times_add(entries[i].start, by);
		entries[i].end = times_add(entries[i].end, by);
		log->entry.start = entries[i].start;
		log->indexed = true;
	}
}

/*
 * Bring neighbours of no known wall clock to that of the others: behind all logs before them, or,
 * if they are the first, ahead of the next. They keep their times to each other. The entries are in
 * the order of the set, and their ends are known.
 */
static void
plan_place(struct plan *plan, struct logset *set)
{
	struct plan_entry *entries = plan->entries;
	int64_t latest = INT64_MIN;

	for (size_t first = 0, until, count; first < set->count; first = until) {
		for (until = first; until < set->count && !logset_has_wall(&set->items[until]);)
			until++;
		count = until - first;
		if (count == 0) {
			count = 1;
			until++;
		} else if (first == 0) {
			clocks_give(set, entries, count,
			    times_subtract(entries[until].start, latest_end(entries, count)));
		} else {
			clocks_give(set, entries + first, count,
			    times_subtract(latest, earliest_start(entries + first, count)));
		}
		if (latest_end(entries + first, count) > latest)
			latest = latest_end(entries + first, count);
	}
}

static int
entry_compare(const void *a, const void *b)
{
	const struct plan_entry *one = a, *two = b;

	if (one->start != two->start)
		return one->start < two->start ? -1 : 1;
	return (one->item > two->item) - (one->item < two->item);
}

static int
plan_add_gap(struct plan *plan, int64_t end, uint64_t cut)
{
	struct plan_gap *gaps = reallocarray(plan->gaps, plan->gap_count + 1, sizeof(*gaps));

	if (gaps == NULL)
		return -1;
	plan->gaps = gaps;
	if (plan->gap_count > 0)
		cut += gaps[plan->gap_count - 1].cut;
	gaps[plan->gap_count++] = (struct plan_gap){end, cut};
	return 0;
}

/* Read all logs in the order of time and note where nothing happens for longer than `max_gap`. */
static int
plan_find_gaps(struct plan *plan, const struct logset *set, int64_t max_gap)
{
	struct timeline *timeline = timeline_new(set);
	struct timeline_event event;
	enum reader_status status;
	int64_t last = INT64_MIN;
	int result = timeline != NULL ? 0 : -1;

	while (result == 0 && (status = timeline_next(timeline, &event)) != READER_END) {
		uint64_t silence = (uint64_t)event.clock - (uint64_t)last;
		if (status != READER_RECORD || event.clock <= last)
			continue;
		if (last != INT64_MIN && silence > (uint64_t)max_gap)
			result = plan_add_gap(plan, event.clock, silence - (uint64_t)max_gap);
		last = event.clock;
	}
	timeline_free(timeline);
	return result;
}

int
plan_init(struct plan *plan, struct logset *set, long long shard, long long shards, bool ends,
    int64_t max_gap)
{
	bool mixed = clocks_are_mixed(set);
	size_t kept = 0;

	memset(plan, 0, sizeof(*plan));
	plan->entries = calloc(set->count > 0 ? set->count : 1, sizeof(*plan->entries));
	if (plan->entries == NULL)
		return -1;
	for (size_t i = 0; i < set->count; i++)
		plan_entry(&plan->entries[i], set, i, ends || mixed);
	if (mixed)
		plan_place(plan, set);
	qsort(plan->entries, set->count, sizeof(*plan->entries), entry_compare);
	for (size_t i = 0; i < set->count; i++)
		if (shards == 0 || (long long)(i % (size_t)shards) == shard - 1)
			plan->entries[kept++] = plan->entries[i];
	plan->count = kept;
	return max_gap > 0 ? plan_find_gaps(plan, set, max_gap) : 0;
}

void
plan_release(struct plan *plan)
{
	free(plan->entries);
	free(plan->gaps);
}

int64_t
plan_time(const struct plan *plan, int64_t time)
{
	size_t low = 0, high = plan->gap_count;

	while (low < high) { /* the first gap that ends after `time` */
		size_t middle = low + (high - low) / 2;

		if (plan->gaps[middle].end <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? (int64_t)((uint64_t)time - plan->gaps[low - 1].cut) : time;
}
