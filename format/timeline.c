#include "format/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/times.h"

/* One log that has not ended. */
struct lane {
	size_t item;
	int64_t due;		   /* on the shared clock */
	struct reader *reader;	   /* NULL until its time comes */
	enum reader_status status; /* what reader_next() said of `record` */
	struct record record;
};

struct timeline {
	const struct logset *set;
	struct lane *heap; /* the earliest first */
	size_t count;
	struct lane
	    current; /* what was told last, not in the heap; its reader is NULL if there is none */
	bool ahead;  /* `current` is its next record already */
};

int64_t
timeline_clock(const struct logset_item *item, int64_t time)
{
	if (!logset_has_wall(item))
		return time;
	return times_add(item->entry.start, times_subtract(time, item->entry.time));
}

static int64_t
clock_of(const struct timeline *timeline, size_t item, int64_t time)
{
	return timeline_clock(&timeline->set->items[item], time);
}

static bool
is_before(const struct lane *a, const struct lane *b)
{
	return a->due != b->due ? a->due < b->due : a->item < b->item;
}

static void
heap_push(struct timeline *timeline, struct lane lane)
{
	size_t at = timeline->count++;

	while (at > 0 && is_before(&lane, &timeline->heap[(at - 1) / 2])) {
		timeline->heap[at] = timeline->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	timeline->heap[at] = lane;
}

static struct lane
heap_pop(struct timeline *timeline)
{
	struct lane *heap = timeline->heap, first = heap[0], last = heap[--timeline->count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < timeline->count) {
		if (child + 1 < timeline->count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}

static bool
can_reopen(const struct logset_item *log)
{
	struct stat status;

	return strcmp(log->name, "-") != 0 && stat(log->name, &status) == 0 &&
	       S_ISREG(status.st_mode);
}

/* Have the lane's next record read. One that is earlier than the record before it is due at once.
 */
static void
lane_advance(const struct timeline *timeline, struct lane *lane)
{
	lane->status = reader_next(lane->reader, &lane->record);
	if (lane->status == READER_RECORD)
		lane->due = clock_of(timeline, lane->item, lane->record.time);
}

static void
lane_close(struct lane *lane)
{
	reader_free(lane->reader);
	lane->reader = NULL;
}

/* Put a log into the heap by the time of its first record. Returns -1 with errno. */
static int
lane_add(struct timeline *timeline, size_t item)
{
	const struct logset_item *log = &timeline->set->items[item];
	struct lane lane = {.item = item, .due = INT64_MIN};
	bool reopen = can_reopen(log);

	if (log->indexed && log->first_part == 0 && reopen) {
		lane.due = clock_of(timeline, item, log->entry.time);
	} else {
		lane.reader = logset_reader_late(log);
		if (lane.reader == NULL)
			return -1;
		lane_advance(timeline, &lane);
		/* what is wrong with it is told when it is opened again, first of all */
		if (reopen || lane.status == READER_END)
			lane_close(&lane);
		if (lane.status == READER_END)
			return 0;
	}
	heap_push(timeline, lane);
	return 0;
}

struct timeline *
timeline_new(const struct logset *set)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	int error;

	if (timeline == NULL)
		return NULL;
	timeline->set = set;
	timeline->heap = calloc(set->count + 1, sizeof(*timeline->heap));
	if (timeline->heap == NULL)
		goto fail;
	for (size_t i = 0; i < set->count; i++)
		if (lane_add(timeline, i) != 0)
			goto fail;
	return timeline;
fail:
	error = errno;
	timeline_free(timeline);
	errno = error;
	return NULL;
}

void
timeline_free(struct timeline *timeline)
{
	if (timeline == NULL)
		return;
	for (size_t i = 0; i < timeline->count; i++)
		reader_free(timeline->heap[i].reader);
	reader_free(timeline->current.reader);
	free(timeline->heap);
	free(timeline);
}

/* Go on with the lane whose record was told last: back into the heap with its next one. */
static void
current_return(struct timeline *timeline)
{
	struct lane *current = &timeline->current;

	if (current->reader == NULL)
		return;
	if (!timeline->ahead && current->status == READER_RECORD)
		lane_advance(timeline, current);
	else if (!timeline->ahead)
		current->status = READER_END; /* its failure has been told */
	timeline->ahead = false;
	if (current->status == READER_END)
		lane_close(current);
	else
		heap_push(timeline, *current);
	current->reader = NULL;
}

enum reader_status
timeline_next(struct timeline *timeline, struct timeline_event *event)
{
	current_return(timeline);
	while (timeline->count > 0) {
		struct lane lane = heap_pop(timeline);
		if (lane.reader == NULL) {
			lane.reader = logset_reader_late(&timeline->set->items[lane.item]);
			lane.status = READER_FAILED;
			if (lane.reader != NULL)
				lane_advance(timeline, &lane);
			if (lane.status == READER_END) {
				lane_close(&lane);
				continue;
			}
			/* the index may have had its start too early */
			if (timeline->count > 0 && is_before(&timeline->heap[0], &lane) &&
			    lane.reader != NULL) {
				heap_push(timeline, lane);
				continue;
			}
		}
		timeline->current = lane;
		*event = (struct timeline_event){.item = lane.item,
		    .record = lane.record,
		    .clock = clock_of(timeline, lane.item, lane.record.time),
		    .reader = lane.reader};
		return lane.status;
	}
	return READER_END;
}

enum reader_status
timeline_ahead(struct timeline *timeline, struct record *record)
{
	struct lane *current = &timeline->current;

	if (current->reader == NULL || (!timeline->ahead && current->status != READER_RECORD))
		return READER_END;
	if (!timeline->ahead)
		lane_advance(timeline, current);
	timeline->ahead = true;
	*record = current->record;
	return current->status;
}
