/*
 * Which descriptors are ready: a small hot set given to ppoll(2), the rest parked in one epoll(7)
 * set, whose own descriptor is polled with the hot ones. Private to the loop.
 *
 * Flat poll(2) costs 0.3 us a descriptor and call; the nested set costs the same at any number.
 * What is hot saves the epoll_ctl(2) calls that changing interest would cost.
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
	int hand;      /* the slot examined last for demotion */
	int parked_fd; /* -1 with LOOP_POLL */
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
