#include "format/turn.h"

#include "format/times.h"

void
turn_tracker_init(struct turn_tracker *tracker)
{
	*tracker = (struct turn_tracker){.waiting = false};
}

bool
turn_tracker_add(struct turn_tracker *tracker, const struct record *record, int64_t *response)
{
	if (record->type != RECORD_DATA || record->size == 0)
		return false;
	if (record->side == SIDE_CLIENT) {
		tracker->waiting = true;
		tracker->last_sent = record->time;
		return false;
	}
	if (!tracker->waiting)
		return false;
	tracker->waiting = false;
	/* times of a damaged or edited log may go backwards */
	*response = record->time > tracker->last_sent
			? times_subtract(record->time, tracker->last_sent)
			: 0;
	return true;
}
