/* What leg.c (one leg) and leg_set.c (all of them) know of each other. Private to them. */
#ifndef NETMIRROR_LEG_PRIVATE_H
#define NETMIRROR_LEG_PRIVATE_H

#include "netmirror/leg.h"

/* Some bytes that wait to be sent. */
struct piece {
	STAILQ_ENTRY(piece) next;
	struct slice slice;
	size_t held; /* memory accounted for it */
	int64_t time;
};

/* leg.c */

/* Nothing is left of it but memory; its observer is reset, or sees an end. */
void leg_over(struct leg *leg, bool reset);

/* leg_set.c */

/* Too much is queued in all: what is stuck longest goes. */
void leg_set_trim(struct leg_set *set);

/* Too many legs are left of connections that are over: the oldest ones go. */
void leg_set_crowd_out(struct leg_set *set);

/* A leg has begun to wait. */
void leg_set_watch_lag(struct leg_set *set);

#endif
