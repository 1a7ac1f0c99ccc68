#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/poller.h"

#define HOT_MAX 128	  /* beyond this a poll(2) costs more than what it saves */
#define HOT_SMALL 2	  /* the parked set and one: nothing to gain */
#define DEMOTE_ROUNDS 256 /* a hot descriptor that was not ready for so long is parked */
#define PROMOTE_STREAK 4  /* a parked one that was ready so often in short order becomes hot */
#define PROMOTE_ROUNDS 64 /* what "in short order" means */
#define PARKED_BATCH 128  /* events taken from the parked set at once */

/* POLLIN and its kin have the same values as EPOLLIN and its kin on Linux. */
_Static_assert(
    POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP,
    "poll and epoll events differ");

static int
park_control(struct poller *poller, int operation, struct watch *watch)
{
	struct epoll_event event = {.events = (uint32_t)watch->interest, .data.ptr = watch};

	return epoll_ctl(poller->parked_fd, operation, watch->fd, &event);
}

static void
hot_remove(struct poller *poller, struct watch *watch)
{
	int slot = watch->place, last = --poller->hot_count;

	poller->hot[slot] = poller->hot[last];
	poller->owners[slot] = poller->owners[last];
	poller->owners[slot]->place = slot;
	watch->place = PLACE_NOWHERE;
}

static int
park(struct poller *poller, struct watch *watch)
{
	if (park_control(poller, EPOLL_CTL_ADD, watch) == -1)
		return -1;
	hot_remove(poller, watch);
	watch->place = PLACE_PARKED;
	watch->streak = 0;
	return 0;
}

/* Make room in the hot set by parking the descriptor that was ready least recently. */
static int
hot_evict(struct poller *poller)
{
	struct watch *oldest = NULL;
	int slot;

	for (slot = 1; slot < poller->hot_count; slot++)
		if (oldest == NULL || (int32_t)(poller->owners[slot]->stamp - oldest->stamp) < 0)
			oldest = poller->owners[slot];
	return park(poller, oldest);
}

static int
hot_grow(struct poller *poller)
{
	int capacity = poller->hot_capacity == 0 ? HOT_MAX + 1 : poller->hot_capacity * 2;
	struct pollfd *hot;
	struct watch **owners;

	hot = reallocarray(poller->hot, (size_t)capacity, sizeof(*hot));
	if (hot == NULL)
		return -1;
	poller->hot = hot;
	owners = reallocarray(poller->owners, (size_t)capacity, sizeof(*owners));
	if (owners == NULL)
		return -1;
	poller->owners = owners;
	poller->hot_capacity = capacity;
	return 0;
}

static int
hot_insert(struct poller *poller, struct watch *watch)
{
	if (poller->backend == LOOP_EPOLL && poller->hot_count > HOT_MAX && hot_evict(poller) == -1)
		return -1;
	if (poller->hot_count == poller->hot_capacity && hot_grow(poller) == -1)
		return -1;
	watch->place = poller->hot_count++;
	watch->stamp = poller->round;
	poller->hot[watch->place] = (struct pollfd){.fd = watch->fd, .events = watch->interest};
	poller->owners[watch->place] = watch;
	return 0;
}

int
poller_watch(struct poller *poller, struct watch *watch, short interest)
{
	if (interest == watch->interest)
		return 0;
	if (interest == 0) {
		poller_unwatch(poller, watch);
		return 0;
	}
	watch->interest = interest;
	if (watch->place >= 0) {
		poller->hot[watch->place].events = interest;
		return 0;
	}
	if (watch->place == PLACE_PARKED)
		return park_control(poller, EPOLL_CTL_MOD, watch);
	if (hot_insert(poller, watch) == -1) {
		watch->interest = 0;
		return -1;
	}
	return 0;
}

void
poller_unwatch(struct poller *poller, struct watch *watch)
{
	if (watch->place >= 0) {
		hot_remove(poller, watch);
	} else if (watch->place == PLACE_PARKED) {
		park_control(poller, EPOLL_CTL_DEL, watch);
		watch->place = PLACE_NOWHERE;
	}
	watch->interest = 0;
}

/* Tell the owner, unless its interest has changed since the kernel was asked. */
static void
tell(struct poller *poller, struct watch *watch, short events)
{
	events &= (short)(watch->interest | POLLERR | POLLHUP | POLLNVAL);
	if (events != 0 && watch->interest != 0)
		poller->tell(poller->context, watch, events);
}

/* Serve the parked descriptors that are ready; one that stays busy moves to the hot set. */
static void
parked_ready(struct watch *parked, short events)
{
	struct poller *poller = CONTAINER_OF(parked, struct poller, parked_watch);
	struct epoll_event ready[PARKED_BATCH];
	int count = epoll_wait(poller->parked_fd, ready, PARKED_BATCH, 0);

	(void)events;
	for (int i = 0; i < count; i++) {
		struct watch *watch = ready[i].data.ptr;

		if (watch->place != PLACE_PARKED)
			continue; /* gone or promoted by a callback before it in this batch */
		watch->streak = poller->round - watch->stamp > PROMOTE_ROUNDS
				    ? 1
				    : (uint16_t)(watch->streak + 1);
		watch->stamp = poller->round;
		if (watch->streak >= PROMOTE_STREAK &&
		    park_control(poller, EPOLL_CTL_DEL, watch) == 0 &&
		    hot_insert(poller, watch) == -1)
			park_control(poller, EPOLL_CTL_ADD, watch);
		tell(poller, watch, (short)ready[i].events);
	}
}

/*
 * From the last slot to the first: what a callback removes is replaced by the last one, which has
 * been served already, and what it adds has no events yet.
 */
static void
serve_hot(struct poller *poller, const bool *stopped)
{
	for (int slot = poller->hot_count - 1; slot >= 0 && !*stopped; slot--) {
		short events;

		if (slot >= poller->hot_count || poller->hot[slot].revents == 0)
			continue;
		events = poller->hot[slot].revents;
		poller->hot[slot].revents = 0;
		poller->owners[slot]->stamp = poller->round;
		tell(poller, poller->owners[slot], events);
	}
}

/* Look at one hot descriptor a round and park it if it has been quiet for long. */
static void
demote_one(struct poller *poller)
{
	struct watch *watch;

	if (poller->backend != LOOP_EPOLL || poller->hot_count <= HOT_SMALL)
		return;
	if (++poller->hand >= poller->hot_count)
		poller->hand = 1;
	watch = poller->owners[poller->hand];
	if (poller->round - watch->stamp > DEMOTE_ROUNDS)
		park(poller, watch);
}

int
poller_wait(struct poller *poller, const struct timespec *timeout, const bool *stopped)
{
	int ready = ppoll(poller->hot, (nfds_t)poller->hot_count, timeout, NULL);

	if (ready == -1 && errno != EINTR && errno != EAGAIN)
		return -1;
	poller->round++;
	if (ready > 0)
		serve_hot(poller, stopped);
	demote_one(poller);
	return 0;
}

int
poller_init(struct poller *poller, enum loop_backend backend,
    void (*tell_owner)(void *context, struct watch *watch, short events), void *context)
{
	poller->backend = backend;
	poller->parked_fd = -1;
	poller->tell = tell_owner;
	poller->context = context;
	if (backend == LOOP_POLL)
		return 0;
	poller->parked_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->parked_fd == -1)
		return -1;
	/* First of all, so that it stays in slot 0, which is never parked itself. */
	watch_init(&poller->parked_watch, poller->parked_fd, parked_ready);
	return poller_watch(poller, &poller->parked_watch, POLLIN);
}

void
poller_release(struct poller *poller)
{
	if (poller->parked_fd != -1)
		close(poller->parked_fd);
	free(poller->hot);
	free(poller->owners);
}
