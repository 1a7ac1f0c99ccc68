/*
 * An observer sees what passes a connection: the recorder, a mirror leg, a live capture. A tap is
 * the place where the observers of one connection sit: every relay has one, and so has every
 * replayed connection.
 *
 * Observers are called in the order in which they were added, always from the loop's thread. A new
 * use is a new observer, not a new proxy.
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
struct tap;

/* What is known of a connection. */
struct conn_info {
	uint64_t id; /* 1, 2, ... within this process */
	struct address client;
	struct address server; /* the address that is being connected to, or was */
	int64_t opened;	       /* when the client was accepted: loop time, nanoseconds */
	int64_t connected;     /* when the server accepted; 0: not (yet) */
	int64_t last;	       /* when the last thing happened */
	uint64_t bytes[2];     /* received, by enum side */
	bool scripted;	       /* a script routes or rewrites it */
};

enum close_reason {
	CLOSE_ENDED,   /* both sides ended, or one failed: told by eof() and error() before */
	CLOSE_REFUSED, /* the server never accepted */
	CLOSE_KILLED   /* this process ended it: a signal, a limit */
};

struct observer_ops {
	/* The connection begins; `info` lives until close() has returned. */
	void (*open)(struct observer *observer, const struct conn_info *info);
	/* The server has accepted; info tells which of its addresses it was. NULL: not of interest.
	 */
	void (*connected)(struct observer *observer, int64_t time);
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
	 * May more be received? False stops receiving from both sides until the observer calls
	 * tap_resume(). NULL: always. Only an observer whose policy is backpressure (the recorder)
	 * has one.
	 */
	bool (*ready)(struct observer *observer);
};

/* Every observer embeds this. */
struct observer {
	const struct observer_ops *ops;
	struct tap *tap; /* set by tap_add() */
	SLIST_ENTRY(observer) next;
};

/* What observers may ask of the connection they watch. */
struct tap_ops {
	void (*resume)(struct tap *tap);
	void (*kill)(struct tap *tap);
};

/* Embedded in what is watched, which keeps `info` up to date. */
struct tap {
	const struct tap_ops *ops;
	struct conn_info info;
	SLIST_HEAD(, observer) observers;
	bool opened; /* observers have been told open() */
};

void tap_init(struct tap *tap, const struct tap_ops *ops);

/* Add an observer, before tap_open(). */
void tap_add(struct tap *tap, struct observer *observer);

/* Tell the observers; tap_data() also counts. tap_close() leaves the tap without observers. */
void tap_open(struct tap *tap);
void tap_connected(struct tap *tap, int64_t time);
void tap_data(struct tap *tap, enum side side, const struct slice *slice, int64_t time);
void tap_eof(struct tap *tap, enum side side, int64_t time);
void tap_error(struct tap *tap, enum side side, int error, int64_t time);
void tap_close(struct tap *tap, enum close_reason reason, int64_t time);

/* Do all observers agree that more is received? One that does not will call tap_resume(). */
bool tap_ready(struct tap *tap);

/* For observers: ready() would say yes again. */
void tap_resume(struct tap *tap);

/* For observers: end the connection at once, both sides reset. It takes place after the current
 * round. */
void tap_kill(struct tap *tap);

#endif
