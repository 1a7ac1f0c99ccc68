/*
 * An observer sees what passes a relay: the recorder, a mirror leg, a live capture.
 *
 * A relay calls its observers in the order in which they were added, always from the loop's thread.
 * A new use is a new observer, not a new proxy.
 */
#ifndef NET_OBSERVER_H
#define NET_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "format/record.h"
#include "net/address.h"
#include "net/chunk.h"

struct observer;
struct relay;

/* What a relay knows of its connection, for its observers. */
struct conn_info {
	uint64_t id; /* 1, 2, ... within this process */
	struct address client;
	struct address server; /* the address that is being connected to, or was */
	int64_t opened;	       /* when the client was accepted: loop time, nanoseconds */
	int64_t connected;     /* when the server accepted; 0: not (yet) */
	int64_t last;	       /* when the last thing happened */
	uint64_t bytes[2];     /* received, by enum side */
};

enum close_reason {
	CLOSE_ENDED,   /* both sides ended, or one failed: told by eof() and error() before */
	CLOSE_REFUSED, /* the server never accepted */
	CLOSE_KILLED   /* this process ended it: a signal, a limit */
};

struct observer_ops {
	/* The connection begins; `info` lives until close() has returned. */
	void (*open)(struct observer *observer, const struct conn_info *info);
	/* `side` sent the bytes of `slice`, received at `time` (loop time). Lent: slice_keep() to
	 * hold on to it. */
	void (*data)(
	    struct observer *observer, enum side side, const struct slice *slice, int64_t time);
	/* `side` ended its stream. */
	void (*eof)(struct observer *observer, enum side side, int64_t time);
	/* The connection of `side` failed; `error` is an errno value: ECONNRESET, ETIMEDOUT, ... */
	void (*error)(struct observer *observer, enum side side, int error, int64_t time);
	/* Nothing follows. The observer releases itself. */
	void (*close)(struct observer *observer, enum close_reason reason, int64_t time);
	/*
	 * May more be read? False makes the relay stop reading both sides until the observer calls
	 * relay_resume(). NULL: always. Only an observer whose policy is backpressure (the
	 * recorder) has one.
	 */
	bool (*ready)(struct observer *observer);
};

/* Every observer embeds this. */
struct observer {
	const struct observer_ops *ops;
	struct relay *relay; /* set by relay_observe() */
	SLIST_ENTRY(observer) next;
};

SLIST_HEAD(observer_list, observer);

#endif
