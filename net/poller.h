/*
 * Which descriptors are ready: a small hot set given to ppoll(2), the rest parked in one epoll(7)
 * set, whose own descriptor is polled with the hot ones, or waited for alone if none is hot.
 * Private to the loop.
 *
 * A hot descriptor costs the same each round, a parked one only when it is ready, but putting it
 * there takes a call. So a new one is hot: that of a short connection is gone before it costs
 * anything else. One that lasts is parked, unless it is ready in many rounds with many others.
 */
#ifndef NET_POLLER_H
#define NET_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "net/loop.h"

enum watch_place { PLACE_NOWHERE = -1, PLACE_PARKED = -2 };

struct poller {
	enum loop_backend backend;
	uint32_t round;
	/* Parallel arrays: what poll(2) sees and whose it is. With LOOP_EPOLL slot 0 is the parked
	 * set. */
	struct pollfd *hot;
	struct watch **owners;
	int hot_count, hot_capacity;
	int hand;	/* the slot examined last for demotion */
	unsigned busy;	/* how many are ready in a round: the mean, times BUSY_SCALE */
	int parked_fd;	/* -1 with LOOP_POLL */
	bool waits_hot; /* always: there is no parked set that could be waited for alone */
	struct watch parked_watch;
	/* Tell the owner of a watch about events. */
	void (*tell)(void *context, struct watch *watch, short events);
	void *context;
};

/* Returns -1 with errno; release in either case. */
int poller_init(struct poller *poller, enum loop_backend backend,
    void (*tell)(void *context, struct watch *watch, short events), void *context);
void poller_release(struct poller *poller);

/* See loop_watch() and loop_unwatch(). */
int poller_watch(struct poller *poller, struct watch *watch, short interest);
void poller_unwatch(struct poller *poller, struct watch *watch);

/* Wait for at most `timeout` (NULL: for ever) and tell whatever is ready, unless `*stopped` becomes
 * true. Returns -1 with errno. */
int poller_wait(struct poller *poller, const struct timespec *timeout, const bool *stopped);

#endif
