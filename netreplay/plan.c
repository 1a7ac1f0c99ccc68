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
plan_init(struct plan *plan, const struct logset *set, long long shard, long long shards, bool ends,
    int64_t max_gap)
{
	size_t kept = 0;

	memset(plan, 0, sizeof(*plan));
	plan->entries = calloc(set->count > 0 ? set->count : 1, sizeof(*plan->entries));
	if (plan->entries == NULL)
		return -1;
	for (size_t i = 0; i < set->count; i++)
		plan_entry(&plan->entries[i], set, i, ends);
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
