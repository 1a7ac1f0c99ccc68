#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/poller.h"

#define HOT_MAX 256	 /* twice as many gain nothing, and a poll(2) looks at each */
#define EVICT_FROM 8	 /* when it is full, so many are looked at for one to park */
#define WINDOW 32	 /* rounds over which it is judged where a descriptor belongs */
#define BUSY_MIN 4	 /* ready descriptors a round from which on a hot set is worth it */
#define BUSY_SCALE 16	 /* the mean is over about so many rounds */
#define PARKED_BATCH 128 /* events taken from the parked set at once */

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

/* -- where a descriptor belongs -- */

/* Are so many ready each round that asking for them all in one call is cheapest? */
static bool
is_busy(const struct poller *poller)
{
	return poller->busy >= BUSY_MIN * BUSY_SCALE;
}

static void
window_begin(const struct poller *poller, struct watch *watch)
{
	watch->since = poller->round;
	watch->times = 0;
}

/* It is ready in this round. */
static void
window_count(struct poller *poller, struct watch *watch)
{
	poller->busy++;
	watch->last = poller->round;
	watch->times++;
}

/* -- the hot set -- */

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
	window_begin(poller, watch);
	return 0;
}

/* The next descriptor in turn. The parked set's own, in slot 0, never has one. */
static struct watch *
hand_next(struct poller *poller)
{
	if (++poller->hand >= poller->hot_count)
		poller->hand = 1;
	return poller->owners[poller->hand];
}

/* Make room in the hot set by parking one of the next, the one that was ready least recently. */
static int
hot_evict(struct poller *poller)
{
	struct watch *oldest = hand_next(poller);

	for (int i = 1; i < EVICT_FROM; i++) {
		struct watch *watch = hand_next(poller);

		if ((int32_t)(watch->last - oldest->last) < 0)
			oldest = watch;
	}
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
	watch->last = poller->round;
	window_begin(poller, watch);
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

/* One that is ready in half of the rounds is better hot. */
static void
promote(struct poller *poller, struct watch *watch)
{
	if (watch->times >= WINDOW / 2 && is_busy(poller) && poller->hot_count <= HOT_MAX &&
	    park_control(poller, EPOLL_CTL_DEL, watch) == 0 && hot_insert(poller, watch) == -1)
		park_control(poller, EPOLL_CTL_ADD, watch);
}

/* Serve the parked descriptors that are ready: what epoll_wait(2) returned. */
static void
serve_parked(struct poller *poller, const struct epoll_event *ready, int count, const bool *stopped)
{
	for (int i = 0; i < count && !*stopped; i++) {
		struct watch *watch = ready[i].data.ptr;

		if (watch->place != PLACE_PARKED)
			continue; /* gone or promoted by a callback before it in this batch */
		if (poller->round - watch->since > WINDOW)
			window_begin(poller, watch);
		window_count(poller, watch);
		promote(poller, watch);
		tell(poller, watch, (short)ready[i].events);
	}
}

/* The parked set is one of the hot descriptors that are ready. */
static void
parked_ready(struct watch *parked, short events)
{
	struct poller *poller = CONTAINER_OF(parked, struct poller, parked_watch);
	struct epoll_event ready[PARKED_BATCH];
	const bool stopped = false;

	(void)events;
	serve_parked(
	    poller, ready, epoll_wait(poller->parked_fd, ready, PARKED_BATCH, 0), &stopped);
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
		window_count(poller, poller->owners[slot]);
		tell(poller, poller->owners[slot], events);
	}
}

/*
 * Look at one hot descriptor a round: one that is there for a while is parked, unless it is ready
 * in a quarter of the rounds and others with it.
 */
static void
demote_one(struct poller *poller)
{
	struct watch *watch;
	uint32_t rounds;

	if (poller->backend != LOOP_EPOLL || poller->hot_count == 1)
		return;
	watch = hand_next(poller);
	rounds = poller->round - watch->since;
	if (rounds < WINDOW)
		return;
	if (is_busy(poller) && watch->times >= rounds / 4)
		window_begin(poller, watch);
	else
		park(poller, watch);
}

/* Wait for the parked set alone; with errno ENOSYS where that is not to be had (before Linux 5.11).
 */
static int
wait_parked(struct poller *poller, const struct timespec *timeout, const bool *stopped)
{
	struct epoll_event ready[PARKED_BATCH];
	int count = epoll_pwait2(poller->parked_fd, ready, PARKED_BATCH, timeout, NULL);

	if (count == -1 && errno != EINTR)
		return -1;
	poller->round++;
	serve_parked(poller, ready, count, stopped);
	return 0;
}

static int
wait_hot(struct poller *poller, const struct timespec *timeout, const bool *stopped)
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
poller_wait(struct poller *poller, const struct timespec *timeout, const bool *stopped)
{
	poller->busy -= poller->busy / BUSY_SCALE;
	if (poller->hot_count > 1 || poller->waits_hot)
		return wait_hot(poller, timeout, stopped);
	if (wait_parked(poller, timeout, stopped) == 0)
		return 0;
	poller->waits_hot = errno == ENOSYS;
	return poller->waits_hot ? 0 : -1;
}

int
poller_init(struct poller *poller, enum loop_backend backend,
    void (*tell_owner)(void *context, struct watch *watch, short events), void *context)
{
	poller->backend = backend;
	poller->parked_fd = -1;
	poller->tell = tell_owner;
	poller->context = context;
	poller->waits_hot = backend == LOOP_POLL;
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
