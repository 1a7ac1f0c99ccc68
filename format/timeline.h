/* Many logs read at once, their records in the order of time. Memory is bound by the logs open at a
 * time. */
#ifndef FORMAT_TIMELINE_H
#define FORMAT_TIMELINE_H

#include "format/logset.h"

struct timeline;

struct timeline_event {
	size_t item; /* index into the set */
	struct record record;
	int64_t clock; /* nanoseconds on the clock all logs share: wall clock where the index has
			  it, else the record's own time */
	struct reader *reader; /* fetch payload with reader_data() before the next call; NULL only
				  if there was no memory for it (READER_FAILED, errno is set) */
};

/* A time of a log on the clock that all logs share. */
int64_t timeline_clock(const struct logset_item *item, int64_t time);

/* A timeline over `set`, which must outlive it. Logs whose start the index knows are opened only
 * when their time comes. Returns NULL with errno. */
struct timeline *timeline_new(const struct logset *set);
void timeline_free(struct timeline *timeline);

/*
 * The next record of all; records of one log never change their order, even if its times do.
 * READER_END after the last. On READER_CUT, READER_BAD and READER_FAILED `event` tells the log (its
 * reader holds the message); that log is finished and the next call goes on with the others.
 */
enum reader_status timeline_next(struct timeline *timeline, struct timeline_event *event);

/*
 * What follows the record told last in its log: READER_RECORD sets `*record`, READER_END and the
 * failures say that nothing does (failures are told by timeline_next() in their turn). Payload of
 * the record told last that was not fetched is passed over.
 */
enum reader_status timeline_ahead(struct timeline *timeline, struct record *record);

#endif
