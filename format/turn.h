/*
 * Turns: what the client sends until the server answers is a request, what follows an answer. The
 * response time of a turn is the time from the last client byte to the first server byte after it.
 * netlog show, stat and netreplay all count them so.
 */
#ifndef FORMAT_TURN_H
#define FORMAT_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "format/record.h"

struct turn_tracker {
	bool waiting;	   /* the client has sent and the server has not answered yet */
	int64_t last_sent; /* time of the client's last data */
};

void turn_tracker_init(struct turn_tracker *tracker);

/* Take the next record of one connection. Returns true and sets `*response` (nanoseconds) if it is
 * the first answer to what the client sent. */
bool turn_tracker_add(struct turn_tracker *tracker, const struct record *record, int64_t *response);

#endif
