/*
 * A leg: the connection to one observer that goes with one client's connection. It sends what it is
 * given through a bounded queue, and never holds up who gives: when its queue is full, or its
 * observer fails, the leg is over, and the observer has seen a beginning of the client's bytes and
 * a reset, never bytes with a hole.
 */
#ifndef NETMIRROR_LEG_H
#define NETMIRROR_LEG_H

#include <stdbool.h>
#include <sys/queue.h>

#include "net/connector.h"
#include "net/end.h"
#include "net/notice.h"
#include "net/observer.h"
#include "net/service.h"
#include "netmirror/own.h"
#include "netmirror/target.h"

struct leg;
struct piece;
TAILQ_HEAD(leg_list, leg);

/* What all legs of a process share. */
struct leg_set {
	struct service *service;
	struct tally_set *tallies;
	size_t queue;		 /* memory that the queue of one leg may hold */
	size_t total;		 /* and all of them; beyond it the leg that is stuck longest goes */
	size_t left_max;	 /* legs that may outlive their client's connection; as above */
	int64_t connect_timeout; /* nanoseconds */
	struct leg_list waiting; /* with something in their queue; the one whose last progress is
				    longest ago comes first */
	struct leg_list left;	 /* whose client's connection has ended, longest ago first */
	size_t left_count;
	size_t held;		     /* of these, how many the end of the process waits for */
	struct timer patience;	     /* for these, when all else has ended */
	int64_t patience_until;	     /* 0: there is else */
	struct timer lag;	     /* brings TARGET_LAG up to date while legs wait */
	struct notice_ration ration; /* of words about dropped legs */
	struct own_set *own;	     /* where legs are known by their addresses; NULL: nowhere */
};

enum leg_state {
	LEG_CONNECTING, /* the observer has not accepted yet; what it is to be sent is queued */
	LEG_OPEN,	/* bytes go to the observer, through the queue if they must wait */
	LEG_LINGERING,	/* it was sent all and our FIN; waiting for its own */
	LEG_OVER	/* nothing is left but memory */
};

enum leg_finish {
	LEG_GOES_ON,
	LEG_ENDS, /* the client's connection has ended: FIN behind what is queued */
	LEG_FAILS /* it has failed: RST behind what is queued */
};

struct leg_ops {
	/* The observer has sent the lent `slice`. NULL: what it sends is dropped. */
	void (*received)(struct leg *leg, const struct slice *slice);
	/* May more be received from it? NULL: always. */
	bool (*wanted)(const struct leg *leg);
	/* It has ended its stream, or (`error` an errno value) failed. May be NULL. */
	void (*ended)(struct leg *leg, int error);
	/* The leg is over; its memory may be released after the round. */
	void (*over)(struct leg *leg);
};

/* Embedded in its owner. */
struct leg {
	const struct leg_ops *ops;
	void *owner;
	struct leg_set *set;
	const struct target *target;
	enum leg_state state;
	enum leg_finish finish;
	const char *reason; /* LEG_OVER: why it ended before its time; NULL: it did not */
	struct end end;
	struct connector *connector;
	struct own *own; /* in set->own; NULL: not there */
	STAILQ_HEAD(, piece) queue;
	size_t held; /* memory held by the queue */
	bool ended;  /* the observer's FIN was received */
	bool is_left, is_held;
	struct timer timer; /* LEG_LINGERING: until when; or when to look at unsent bytes again */
	int64_t deadline;
	TAILQ_ENTRY(leg) waiting, left;
};

/* Set what all others follow from. */
void leg_set_init(struct leg_set *set, struct service *service, struct tally_set *tallies);

/* How much memory the queue of one leg may hold (all together LEG_QUEUES times that), and how many
 * legs may outlive their client's connection. */
#define LEG_QUEUES 64
void leg_set_limit(struct leg_set *set, size_t queue, size_t left_max);

/* Have the lags of all targets in the counters. */
void leg_set_measure(struct leg_set *set);

/* No more clients come: once all have gone, legs that are left are waited for as long as the
 * service's grace time. */
void leg_set_drain(struct leg_set *set);

/* Close the legs whose client's connection has ended. */
void leg_set_stop(struct leg_set *set);

/* Begin to connect to `target`, which outlives the leg. ops->over() may be called before this
 * returns. */
void leg_start(struct leg *leg, struct leg_set *set, const struct target *target,
    const struct leg_ops *ops, void *owner);

/*
 * The client has sent `slice`. Lent; what must wait is kept in `*shared`, at
 * first all zeros, which all legs of a connection are given one after the other, and which is
 * dropped afterwards by the caller.
 */
void leg_send(struct leg *leg, const struct slice *slice, struct slice *shared);

/* The client's connection is over; what is queued is still sent. */
void leg_end(struct leg *leg, enum leg_finish finish);

/* More is wanted of what the observer sends (ops->wanted). */
void leg_resume(struct leg *leg);

/* End it at once, with a reset, counted as dropped. */
void leg_drop(struct leg *leg, const char *reason);

/* Close it at once. What was sent is delivered; an observer that was not sent all, or whose
 * client's connection has failed, is reset. */
void leg_close(struct leg *leg);

#endif
