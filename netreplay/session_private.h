/* What the files of a session know of it. Private to them. */
#ifndef NETREPLAY_SESSION_PRIVATE_H
#define NETREPLAY_SESSION_PRIVATE_H

#include "format/timeline.h"
#include "format/times.h"
#include "netreplay/leg.h"
#include "netreplay/session.h"
#include "netreplay/steps.h"

#define REASON_MAX 512

enum session_state {
	SESSION_CONNECTING, /* not every server has accepted yet */
	SESSION_PLAYING,    /* steps are waited for and done */
	SESSION_OVER	    /* released after the current round */
};

struct session {
	struct play *play;
	const struct logset_item *item;
	struct carry_table *table;
	uint64_t copy;
	enum session_state state;
	struct steps *steps;
	struct step step; /* the one that comes next, or is under way */
	bool sending;	  /* its data is being sent */
	bool waited;	  /* it waits for its time only */
	bool held;	  /* it waits for other connections only */
	uint64_t previous_cause;
	int64_t previous_time; /* of the step before, on the shared clock; `con` at first */
	int64_t previous_done; /* when that was done: loop time */
	struct leg legs[2];
	size_t leg_count, connected;
	struct align *cross; /* --against: one server's answers along the other's */
	struct carry_stream stream;
	struct tap tap;
	int64_t tap_time; /* of what was told last: --update must not go back */
	struct timer timer;
	struct task task;
	uint64_t differences;
	enum report_result result;
	char reason[REASON_MAX];
	LIST_ENTRY(session) all;
};

static inline int64_t
session_now(const struct session *session)
{
	return loop_now(session->play->loop);
}

/* A time of its log on the clock that all logs share. */
static inline int64_t
session_clock(const struct session *session, int64_t time)
{
	return timeline_clock(session->item, time);
}

/* session.c: what it does next */

/* Do whatever can be done now. */
void session_advance(struct session *session);

/* session_end.c: how it ends, and what is told of it */

/* The session cannot be played to its end. */
void session_fail(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* It is over; reported, and released after the current round. Harmless on one that is. */
void session_over(struct session *session, enum report_result result, enum close_reason reason);

/* Nothing more is done: compare what is left of either stream, and be over. */
void session_finish(struct session *session);

/* What the task that session_over() queues runs. */
void session_release(struct task *task);

/* session_wait.c: when the next step may be done */

/* Is there something unsent? The timer is set; the session fails if a server does not take it. */
bool session_is_blocked(struct session *session);

/* Returns true if it is to be done now; else the timer is set, or the session is over. */
bool session_may_act(struct session *session);

/* Have the answers come as far as recorded? What was given up once is not waited for again: after
 * an answer that was shorter, or other, the alignment may stay behind for the rest of the
 * connection. */
bool leg_reached(struct leg *leg, uint64_t cause);

/* session_order.c: what is carried from one connection to another must have come (--carry) */

/* Has all been done, and have all answers come, on connections that share its table, that were
 * recorded ahead of its step? Else it is held, until session_order_changed() has it look again. */
bool session_in_order(struct session *session);

/* session_record.c: what its observers are told (--record, --update) */

extern const struct tap_ops session_tap_ops;

/* The time under which something is recorded: now, or with --update the recorded time of the step
 * before, plus what has passed since. */
int64_t session_tap_time(struct session *session);
void session_tap_sent(struct session *session, const unsigned char *data, size_t size);

#endif
