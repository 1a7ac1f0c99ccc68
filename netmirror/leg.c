#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket.h"
#include "netmirror/leg_private.h"

#define MILLISECOND (INT64_C(1000) * 1000)
#define SECOND (1000 * MILLISECOND)
#define LINGER                                                                                     \
	(60 * SECOND) /* an observer may take so long to answer what is over for the client */
#define DRAIN_POLL (5 * MILLISECOND)  /* the kernel does not tell when its queue is empty */
#define DROP_SIZE ((size_t)64 * 1024) /* of what an observer sends, so much is read in a round */

static void leg_update(struct leg *leg);

static struct loop *
leg_loop(const struct leg *leg)
{
	return leg->set->service->loop;
}

/* -- the queue -- */

static void
leg_count_held(struct leg *leg, int64_t change)
{
	leg->held += (size_t)change;
	leg->set->service->relays.observed += (size_t)change;
	tally_add(leg->target->tally, TARGET_QUEUED, change);
}

/* The leg has made progress, or has something to send at last. */
static void
leg_wait_anew(struct leg *leg, bool was_waiting)
{
	struct leg_set *set = leg->set;

	if (was_waiting)
		TAILQ_REMOVE(&set->waiting, leg, waiting);
	if (STAILQ_EMPTY(&leg->queue))
		return;
	TAILQ_INSERT_TAIL(&set->waiting, leg, waiting);
	leg_set_watch_lag(set);
}

static void
piece_free(struct leg *leg, struct piece *piece)
{
	STAILQ_REMOVE_HEAD(&leg->queue, next);
	leg_count_held(leg, -(int64_t)piece->held);
	slice_drop(&piece->slice);
	free(piece);
}

/* Give up what is queued. */
static void
leg_clear(struct leg *leg)
{
	struct piece *piece;
	bool waiting = !STAILQ_EMPTY(&leg->queue);

	while ((piece = STAILQ_FIRST(&leg->queue)) != NULL) {
		tally_add(leg->target->tally, TARGET_LOST_BYTES, (int64_t)piece->slice.size);
		piece_free(leg, piece);
	}
	leg_wait_anew(leg, waiting);
}

/* -- the end -- */

/* The end of the process need not wait for it. */
static void
leg_let_go(struct leg *leg)
{
	if (!leg->is_held)
		return;
	leg->is_held = false;
	leg->set->held--;
	service_check(leg->set->service);
}

void
leg_over(struct leg *leg, bool reset)
{
	struct leg_set *set = leg->set;

	if (leg->state == LEG_OVER)
		return;
	connector_cancel(leg->connector);
	leg->connector = NULL;
	if (leg->end.watch.fd != -1) {
		loop_unwatch(leg_loop(leg), &leg->end.watch);
		leg->end.ops->close(&leg->end, reset);
		tally_add(leg->target->tally, TARGET_OPEN, -1);
	}
	leg->state = LEG_OVER;
	if (leg->own != NULL)
		own_remove(set->own, leg->own, loop_now(leg_loop(leg)));
	leg->own = NULL;
	leg_clear(leg);
	loop_timer_cancel(leg_loop(leg), &leg->timer);
	if (leg->is_left) {
		TAILQ_REMOVE(&set->left, leg, left);
		set->left_count--;
	}
	leg->is_left = false;
	leg_let_go(leg);
	leg->ops->over(leg);
}

void
leg_drop(struct leg *leg, const char *reason)
{
	struct leg_set *set = leg->set;
	int64_t now = loop_now(leg_loop(leg));
	uint64_t withheld;

	if (leg->state == LEG_OVER)
		return;
	leg->reason = reason;
	tally_add(leg->target->tally, TARGET_DROPPED, 1);
	withheld = notice_ration_rest(&set->ration, now);
	if (withheld > 0)
		notice(NOTICE_WARNING, "%llu more connections to observers were dropped",
		    (unsigned long long)withheld);
	if (notice_ration_take(&set->ration, now))
		notice(NOTICE_WARNING, "observer %s: %s: a connection to it is dropped",
		    leg->target->tally->name, reason);
	leg_over(leg, true);
}

/* Its observer has ended or reset the connection. */
static void
leg_failed(struct leg *leg, int error)
{
	if (leg->finish != LEG_GOES_ON && STAILQ_EMPTY(&leg->queue)) { /* it was sent all */
		if (leg->ops->ended != NULL && !leg->ended)
			leg->ops->ended(leg, error);
		leg_over(leg, true);
		return;
	}
	leg->reason = strerror(error);
	tally_add(leg->target->tally, TARGET_FAILED, 1);
	notice(NOTICE_VERBOSE, "observer %s: %s", leg->target->tally->name, leg->reason);
	if (leg->ops->ended != NULL && !leg->ended)
		leg->ops->ended(leg, error);
	leg_over(leg, true);
}

void
leg_close(struct leg *leg)
{
	leg_over(leg, !STAILQ_EMPTY(&leg->queue) || leg->finish == LEG_FAILS);
}

/* The queue is empty and the client's connection over. */
static void
leg_conclude(struct leg *leg)
{
	int64_t now = loop_now(leg_loop(leg));

	if (leg->deadline == 0)
		leg->deadline = now + LINGER;
	if (leg->finish == LEG_FAILS) {
		/* A reset would throw away what the kernel has not delivered yet. */
		if (now < leg->deadline && leg->end.ops->unsent(&leg->end) > 0)
			loop_timer_set(leg_loop(leg), &leg->timer, now + DRAIN_POLL);
		else
			leg_over(leg, true);
		return;
	}
	if (leg->ended) {
		leg_over(leg, false);
		return;
	}
	leg->end.ops->shutdown(&leg->end);
	leg->state = LEG_LINGERING;
	loop_timer_set(leg_loop(leg), &leg->timer, leg->deadline);
	/* What it still answers matters only where it is compared. */
	if (leg->ops->received == NULL)
		leg_let_go(leg);
}

static void
leg_timer(struct timer *timer)
{
	struct leg *leg = CONTAINER_OF(timer, struct leg, timer);

	if (leg->state == LEG_LINGERING)
		leg_over(leg, false);
	else
		leg_conclude(leg);
}

/* -- bytes to the observer -- */

/* Send; returns how many bytes went, or -1: the leg is over. */
static ssize_t
leg_try(struct leg *leg, const unsigned char *data, size_t size)
{
	ssize_t sent = leg->end.ops->send(&leg->end, data, size);

	if (sent == -1 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return 0;
	if (sent == -1) {
		leg_failed(leg, errno);
		return -1;
	}
	tally_add(leg->target->tally, TARGET_BYTES, sent);
	return sent;
}

/* Send what is queued. */
static void
leg_flush(struct leg *leg)
{
	struct piece *piece;
	bool progress = false;

	if (STAILQ_EMPTY(&leg->queue))
		return;
	while ((piece = STAILQ_FIRST(&leg->queue)) != NULL) {
		ssize_t sent = leg_try(leg, piece->slice.data, piece->slice.size);

		if (sent == -1)
			return;
		progress = progress || sent > 0;
		piece->slice.data += sent;
		piece->slice.size -= (size_t)sent;
		if (piece->slice.size > 0)
			break;
		piece_free(leg, piece);
	}
	if (progress)
		leg_wait_anew(leg, true);
	if (STAILQ_EMPTY(&leg->queue) && leg->finish != LEG_GOES_ON)
		leg_conclude(leg);
}

/* Queue the rest of a slice, of which `sent` bytes went. */
static void
leg_queue(struct leg *leg, const struct slice *slice, size_t sent, struct slice *shared)
{
	struct piece *piece = calloc(1, sizeof(*piece));
	bool waiting = !STAILQ_EMPTY(&leg->queue);

	if (shared->chunk == NULL)
		*shared = slice_keep(slice, CHUNK_WAIT_MAX);
	if (piece == NULL || shared->chunk == NULL) {
		free(piece);
		tally_add(leg->target->tally, TARGET_LOST_BYTES, (int64_t)(slice->size - sent));
		leg_drop(leg, strerror(ENOMEM));
		return;
	}
	piece->slice = slice_again(shared);
	piece->slice.data += sent;
	piece->slice.size -= sent;
	piece->held = slice_held(shared) + sizeof(*piece);
	piece->time = loop_now(leg_loop(leg));
	leg_count_held(leg, (int64_t)piece->held);
	STAILQ_INSERT_TAIL(&leg->queue, piece, next);
	if (!waiting)
		leg_wait_anew(leg, false);
	if (leg->held > leg->set->queue)
		leg_drop(leg, "its queue is full");
	leg_set_trim(leg->set);
}

void
leg_send(struct leg *leg, const struct slice *slice, struct slice *shared)
{
	ssize_t sent = 0;

	if (leg->state == LEG_OVER) {
		tally_add(leg->target->tally, TARGET_LOST_BYTES, (int64_t)slice->size);
		return;
	}
	if (leg->state == LEG_OPEN && STAILQ_EMPTY(&leg->queue))
		sent = leg_try(leg, slice->data, slice->size);
	if (sent == -1) {
		tally_add(leg->target->tally, TARGET_LOST_BYTES, (int64_t)slice->size);
		return;
	}
	if ((size_t)sent < slice->size) {
		leg_queue(leg, slice, (size_t)sent, shared);
		leg_update(leg);
	}
}

void
leg_end(struct leg *leg, enum leg_finish finish)
{
	struct leg_set *set = leg->set;

	if (leg->state == LEG_OVER)
		return;
	leg->finish = finish;
	leg->is_left = leg->is_held = true;
	TAILQ_INSERT_TAIL(&set->left, leg, left);
	set->left_count++;
	set->held++;
	if (leg->state == LEG_OPEN && STAILQ_EMPTY(&leg->queue))
		leg_conclude(leg);
	leg_update(leg);
	leg_set_crowd_out(set);
}

/* -- bytes from the observer -- */

static void
leg_ended(struct leg *leg, int error)
{
	if (error != 0) {
		leg_failed(leg, error);
		return;
	}
	leg->ended = true;
	if (leg->ops->ended != NULL)
		leg->ops->ended(leg, 0);
	if (leg->state == LEG_LINGERING)
		leg_over(leg, false);
}

static void
leg_receive(struct leg *leg)
{
	struct chunk_pool *pool = leg->set->service->relays.pool;
	size_t size;
	unsigned char *space = chunk_pool_space(pool, &size);
	struct slice slice;
	ssize_t got;

	if (space == NULL) {
		leg_drop(leg, strerror(ENOMEM));
		return;
	}
	got = leg->end.ops->receive(&leg->end, space, size < DROP_SIZE ? size : DROP_SIZE);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		leg_ended(leg, got == -1 ? errno : 0);
		return;
	}
	tally_add(leg->target->tally, TARGET_ANSWER_BYTES, got);
	if (leg->ops->received == NULL)
		return; /* the space is read into again */
	slice = chunk_pool_slice(pool, (size_t)got);
	leg->ops->received(leg, &slice);
}

/* -- readiness -- */

static bool
leg_may_receive(const struct leg *leg)
{
	return !leg->ended && (leg->ops->wanted == NULL || leg->ops->wanted(leg));
}

static void
leg_update(struct leg *leg)
{
	short interest = 0;

	if (leg->end.watch.fd == -1 || leg->state == LEG_OVER)
		return;
	if (leg_may_receive(leg))
		interest |= POLLIN;
	if (!STAILQ_EMPTY(&leg->queue))
		interest |= POLLOUT;
	if (interest == 0)
		interest = POLLERR;
	if (loop_watch(leg_loop(leg), &leg->end.watch, interest) == -1)
		leg_drop(leg, strerror(errno));
}

static void
leg_ready(struct watch *watch, short events)
{
	struct leg *leg = CONTAINER_OF(watch, struct leg, end.watch);

	if (events & (POLLOUT | POLLERR | POLLHUP))
		leg_flush(leg);
	if (leg->state != LEG_OVER && (events & (POLLIN | POLLERR | POLLHUP)) &&
	    leg_may_receive(leg))
		leg_receive(leg);
	/* Both directions are shut, or it is reset while nothing is to be received. */
	if (leg->state != LEG_OVER && (events & (POLLERR | POLLHUP)) && !leg_may_receive(leg))
		leg_failed(leg, (events & POLLERR) ? ECONNRESET : EPIPE);
	leg_update(leg);
}

void
leg_resume(struct leg *leg)
{
	leg_update(leg);
}

/* -- the beginning -- */

static void
leg_tell_refused(struct leg *leg, int error)
{
	struct tally *tally = leg->target->tally;

	leg->reason = strerror(error);
	tally_add(tally, TARGET_REFUSED, 1);
	notice(tally->refused++ == 0 ? NOTICE_WARNING : NOTICE_VERBOSE,
	    "cannot connect to observer %s: %s", tally->name, leg->reason);
}

/* Have it known that the connection of `fd` is ours. */
static void
leg_own(struct leg *leg, int fd)
{
	struct leg_set *set = leg->set;
	struct address local;

	if (set->own == NULL || fd == -1 || leg->target->addresses.items[0].port != set->own->port)
		return;
	socket_name(fd, &local);
	if (local.family == AF_UNIX || local.family == 0)
		return;
	if (leg->own != NULL)
		own_remove(set->own, leg->own, loop_now(leg_loop(leg)));
	leg->own = own_add(set->own, &local);
}

static void
leg_connected(void *context, int fd, int error, const struct address *address)
{
	struct leg *leg = context;
	struct tally *tally = leg->target->tally;

	(void)address;
	leg->connector = NULL;
	if (fd == -1) {
		leg_tell_refused(leg, error);
		leg_over(leg, true);
		return;
	}
	tally_add(tally, TARGET_CONNECTED, 1);
	tally_add(tally, TARGET_OPEN, 1);
	if (tally->refused > 0)
		notice(NOTICE_WARNING,
		    "connected to observer %s again; %llu connections were not mirrored to it",
		    tally->name, (unsigned long long)tally->refused);
	tally->refused = 0;
	leg->end.watch.fd = fd;
	leg->state = LEG_OPEN;
	leg_own(leg, fd);
	if (STAILQ_EMPTY(&leg->queue) && leg->finish != LEG_GOES_ON)
		leg_conclude(leg);
	leg_flush(leg);
	leg_update(leg);
}

void
leg_start(struct leg *leg, struct leg_set *set, const struct target *target,
    const struct leg_ops *ops, void *owner)
{
	memset(leg, 0, sizeof(*leg));
	leg->ops = ops;
	leg->owner = owner;
	leg->set = set;
	leg->target = target;
	STAILQ_INIT(&leg->queue);
	leg->end.ops = &end_socket_ops;
	watch_init(&leg->end.watch, -1, leg_ready);
	timer_init(&leg->timer, leg_timer);
	leg->connector = connector_start(
	    leg_loop(leg), &target->addresses, set->connect_timeout, false, leg_connected, leg);
	if (leg->connector != NULL)
		leg_own(leg, connector_descriptor(leg->connector));
}
