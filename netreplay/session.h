/* One recorded connection being played against a server (or two). */
#ifndef NETREPLAY_SESSION_H
#define NETREPLAY_SESSION_H

#include <sys/queue.h>

#include "format/histogram.h"
#include "net/chunk.h"
#include "net/loop.h"
#include "net/recorder.h"
#include "netreplay/settings.h"

/* What all sessions of a process share. */
struct play {
	const struct settings *settings;
	struct mask_set *masks; /* the settings', which count their matches */
	struct loop *loop;
	struct chunk_pool *pool;
	struct script *script;	   /* NULL: none */
	struct report *report;	   /* NULL while learning */
	struct learn *learn;	   /* NULL unless learning */
	struct recorder *recorder; /* --record, --update; or NULL */
	/* response times, with --against those of the first and the second server; and the lag */
	struct histogram *recorded, *live, *lag;
	uint64_t begun;		 /* connections that a server accepted */
	uint64_t connections[4]; /* done, by enum report_result */
	uint64_t compared;	 /* recorded bytes that live ones were compared with */
	uint64_t differences;
	uint64_t cut_short; /* connections that ended otherwise than in the recording */
	bool tls;	    /* a recording of TLS was met */
	bool interrupted;   /* a signal has come */
	uint64_t last_id;
	size_t held;		       /* sessions that wait for others (session_order.c) */
	LIST_HEAD(, session) sessions; /* under way */
	/* When something recorded at `time` (on the clock that all logs share) is due: loop time.
	 */
	int64_t (*due)(void *context, int64_t time);
	/* When the next connection that has not begun does, on that clock; INT64_MAX: all have. */
	int64_t (*upcoming)(void *context);
	/* The session is gone. */
	void (*done)(void *context, uint64_t copy);
	void *context;
};

struct session;

/*
 * Begin to play `item` now. `table` is what --carry has learned for this copy, lent (NULL: nothing
 * is carried). `copy` is given to done(). Returns NULL with errno; else done() is called in the
 * end, never before this returns.
 */
struct session *session_start(
    struct play *play, const struct logset_item *item, struct carry_table *table, uint64_t copy);

/* What sessions that share `table` may be held for (--carry) has changed: have the first of these
 * look again. */
void session_order_changed(struct play *play, const struct carry_table *table);

/* Give up all that are under way. */
void session_abort_all(struct play *play);

#endif
