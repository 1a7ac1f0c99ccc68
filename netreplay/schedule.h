/* When each connection of a recording is played: overlap as recorded, absolute deadlines, silences
 * cut short, speed, several runs and copies. */
#ifndef NETREPLAY_SCHEDULE_H
#define NETREPLAY_SCHEDULE_H

#include "format/logset.h"
#include "netreplay/session.h"

struct schedule;

/*
 * Plan `set`, which must outlive the schedule, as play->settings say (shard, max-gap, speed,
 * clients); play->due, done and context become the schedule's. Returns NULL after telling the user
 * why (a log that cannot be read is only told, and counted as failed when it is played).
 */
struct schedule *schedule_new(struct play *play, struct logset *set);
void schedule_free(struct schedule *schedule);

/* How many connections one run plays, copies included; logs planned. */
uint64_t schedule_total(const struct schedule *schedule);
size_t schedule_logs(const struct schedule *schedule);

/*
 * Play `count` logs of the plan from the `first` on, once, and return when the last is over; their
 * times are relative to the first one's beginning. After play->interrupted became true no more are
 * begun and those under way are given up. Returns -1 with errno if the loop failed.
 */
int schedule_run(struct schedule *schedule, size_t first, size_t count);

/* The log of the plan cannot be played: tell so of all its copies. */
void schedule_fail(struct schedule *schedule, size_t entry, const char *reason);

/* Stop now: what a signal does. Safe from the loop's callbacks. */
void schedule_interrupt(struct schedule *schedule);

#endif
