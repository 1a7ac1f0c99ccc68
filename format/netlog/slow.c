#include "format/netlog/slow.h"

#include <stdlib.h>

#include "format/turn.h"

struct slow {
	struct reader *reader; /* NULL once the log has ended */
	struct turn_tracker turns;
	int64_t least;
	uint64_t read; /* records read so far */
	/* the turn being read: from its first record on; slow once the answer was late */
	uint64_t turn_first;
	bool turn_begun, turn_slow;
	bool client_sent_last; /* data of the client adds to the request until the server answers */
	/* the slow turn found last: [first, behind) */
	uint64_t first, behind;
};

struct slow *
slow_new(const struct logset_item *item, int64_t least)
{
	struct slow *slow = calloc(1, sizeof(*slow));

	if (slow == NULL)
		return NULL;
	slow->reader = logset_reader(item);
	if (slow->reader == NULL) {
		free(slow);
		return NULL;
	}
	slow->least = least;
	turn_tracker_init(&slow->turns);
	return slow;
}

void
slow_free(struct slow *slow)
{
	if (slow == NULL)
		return;
	reader_free(slow->reader);
	free(slow);
}

/* The turn being read ends before record `behind`: keep it if it was slow. */
static bool
turn_end(struct slow *slow, uint64_t behind)
{
	bool found = slow->turn_begun && slow->turn_slow;

	if (found) {
		slow->first = slow->turn_first;
		slow->behind = behind;
	}
	slow->turn_begun = slow->turn_slow = false;
	return found;
}

/* Find the next slow turn; false if there is none. */
static bool
turn_find(struct slow *slow)
{
	struct record record;
	int64_t response;
	bool found = false;

	while (!found && reader_next(slow->reader, &record) == READER_RECORD) {
		uint64_t number = slow->read++;
		if (record.type != RECORD_DATA || record.size == 0)
			continue;
		if (record.side == SIDE_CLIENT && !slow->client_sent_last) {
			found = turn_end(slow, number);
			slow->turn_begun = true;
			slow->turn_first = number;
		}
		slow->client_sent_last = record.side == SIDE_CLIENT;
		if (turn_tracker_add(&slow->turns, &record, &response) && response >= slow->least)
			slow->turn_slow = true;
	}
	if (found)
		return true;
	reader_free(slow->reader);
	slow->reader = NULL;
	return turn_end(slow, slow->read);
}

bool
slow_holds(struct slow *slow, uint64_t number)
{
	while (number >= slow->behind && slow->reader != NULL) {
		if (!turn_find(slow))
			break;
	}
	return number >= slow->first && number < slow->behind;
}
