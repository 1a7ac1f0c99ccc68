/*
 * What everything that listens has in common: INT stops at once, TERM stops accepting and waits up
 * to a grace time, QUIT waits for the last connection, a second one of these ends at once; USR1
 * prints counters, HUP reloads.
 */
#ifndef NET_SERVICE_H
#define NET_SERVICE_H

#include "net/listener.h"
#include "net/loop.h"
#include "net/relay.h"

#define SERVICE_GRACE (INT64_C(10) * 1000 * 1000 * 1000) /* default of --grace */

/* What serves clients, if not `relays`. */
struct service_ops {
	/* How many clients there are. */
	size_t (*count)(void *context);
	/* No more will come; those that are there are waited for. NULL: nothing to be done. */
	void (*drain)(void *context);
	/* End all of them now. */
	void (*stop)(void *context);
	/* The counters are about to be printed: bring them up to date. NULL: they are. */
	void (*measure)(void *context);
};

struct service {
	struct loop *loop;
	struct metrics *metrics;
	struct listener *listener; /* of clients; NULL: there is none */
	struct relay_set relays;
	int64_t grace; /* nanoseconds after TERM */
	/* HUP: read the script or configuration anew; NULL: there is none. */
	void (*reload)(void *context);
	const struct service_ops *ops; /* NULL: clients are relays */
	void *context;		       /* of `reload` and `ops` */
	struct timer timer;	       /* private: the end of the grace time */
	bool stopping;		       /* private: a signal has come */
};

/* Make the loop, its signal handlers and the relay set; the caller sets listener, grace, timeouts
 * and reload. The portable poll(2) backend is chosen by the environment: NETRECORD_BACKEND=poll.
 * Returns -1 with errno. */
int service_init(struct service *service, struct metrics *metrics);
void service_release(struct service *service);

/* Announce the sockets, accept and dispatch until a signal has ended it and every relay is gone. A
 * further INT, TERM or QUIT then kills the process. Returns -1 with errno if waiting itself failed.
 */
int service_run(struct service *service);

/* End as if QUIT had come: there will be no more clients. */
void service_quit(struct service *service);

/* For owners of `ops`: a client has gone. */
void service_left(struct service *service);

/* The same of something that no listener has accepted: end if it was what was waited for. */
void service_check(struct service *service);

/* Raise the soft limit of descriptors to the hard one; returns it. */
size_t service_raise_descriptors(void);

/* How many relays fit: each takes its client's descriptor and `legs` more; some are kept for logs
 * and the rest. */
size_t service_max_relays(size_t descriptors, size_t legs);

/* Become `user` for good, with its groups. Returns NULL, or why not. */
const char *service_drop_privileges(const char *user);

#endif
