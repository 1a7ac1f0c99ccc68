#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "net/flow.h"
#include "net/relay.h"

/*
 * How much is received at once. A flow is read only while it holds nothing, so it never holds more
 * than one read: with few bytes held in all, a whole slab's space for speed; with many slow
 * connections less and less.
 */
#define READ_TIGHT (16 * 1024)
#define READ_TIGHTER (4 * 1024)
#define HELD_TIGHT ((size_t)128 * 1024 * 1024)
#define HELD_TIGHTER ((size_t)192 * 1024 * 1024)

enum relay_state {
	RELAY_CONNECTING, /* no server yet; the client's first bytes are received and held */
	RELAY_OPEN,	  /* both ends are there; each flow ends on its own */
	RELAY_DRAINING,	  /* a side has failed; what it sent before is still being delivered to the
			     other */
	RELAY_CLOSED	  /* released after the current round */
};

struct relay_end {
	struct end end;
	int broken; /* errno of a send that failed; what this end sent before is still received */
	bool error_seen; /* HUP or ERR was told while nothing was to be received: not watched until
			    then */
};

struct relay {
	struct conn_info info;
	enum relay_state state;
	enum side failed; /* RELAY_DRAINING: whose bytes are being delivered */
	bool started;	  /* observers have been opened */
	bool held_back;	  /* an observer's ready() said no */
	struct relay_set *set;
	struct relay_end ends[2];
	struct flow flows[2];
	struct observer_list observers;
	struct timer timer; /* idle or half-close timeout */
	struct task task;   /* kill, or release when closed */
	void (*cancel)(void *context);
	void *context;
	LIST_ENTRY(relay) all;
};

static enum side
other(enum side side)
{
	return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

const struct conn_info *
relay_info(const struct relay *relay)
{
	return &relay->info;
}

/* How long may nothing happen? Only asked where one of the timeouts is set. */
static int64_t
relay_timeout(const struct relay *relay)
{
	const struct relay_set *set = relay->set;
	bool half = relay->flows[SIDE_CLIENT].ended || relay->flows[SIDE_SERVER].ended ||
		    relay->state == RELAY_DRAINING;

	if (half && set->half_close_timeout > 0 &&
	    (set->idle_timeout == 0 || set->half_close_timeout < set->idle_timeout))
		return set->half_close_timeout;
	return set->idle_timeout;
}

/* -- the end of a relay -- */

static void
relay_release(struct relay *relay)
{
	struct relay_set *set = relay->set;

	free(relay);
	if (set->gone != NULL)
		set->gone(set->context);
}

static void
relay_close(struct relay *relay, enum close_reason reason, bool reset)
{
	struct relay_set *set = relay->set;
	struct observer *observer;

	if (relay->state == RELAY_CLOSED)
		return;
	if (relay->state == RELAY_CONNECTING && relay->cancel != NULL)
		relay->cancel(relay->context);
	relay->state = RELAY_CLOSED;
	loop_timer_cancel(set->loop, &relay->timer);
	for (int side = 0; side < 2; side++) {
		struct relay_end *end = &relay->ends[side];

		/* Bytes that can no longer be delivered must not look as if they never were. */
		bool cut = relay->flows[other((enum side)side)].pending.size > 0;

		loop_unwatch(set->loop, &end->end.watch);
		if (end->end.watch.fd != -1)
			end->end.ops->close(&end->end, reset || cut);
		flow_release(&relay->flows[side], &set->held);
	}
	while (relay->started && (observer = SLIST_FIRST(&relay->observers)) != NULL) {
		SLIST_REMOVE_HEAD(&relay->observers, next);
		observer->ops->close(observer, reason, loop_now(set->loop));
	}
	LIST_REMOVE(relay, all);
	set->count--;
	metrics_add(set->metrics, COUNTER_OPEN, -1);
	if (reason == CLOSE_KILLED)
		metrics_add(set->metrics, COUNTER_KILLED, 1);
	loop_later(set->loop, &relay->task);
}

static void
relay_task(struct task *task)
{
	struct relay *relay = CONTAINER_OF(task, struct relay, task);

	if (relay->state == RELAY_CLOSED)
		relay_release(relay);
	else
		relay_close(relay, CLOSE_KILLED, true);
}

void
relay_kill(struct relay *relay)
{
	loop_later(relay->set->loop, &relay->task);
}

void
relay_set_stop(struct relay_set *set)
{
	struct relay *relay, *next;

	LIST_FOREACH_SAFE (relay, &set->relays, all, next) {
		relay_close(relay, CLOSE_KILLED, false);
	}
}

/* -- a side ends or fails -- */

/* What is left after one side has ended or failed must not last for ever. */
static void
relay_limit(struct relay *relay)
{
	struct relay_set *set = relay->set;

	relay->info.last = loop_now(set->loop);
	if (set->half_close_timeout > 0)
		loop_timer_set(set->loop, &relay->timer, relay->info.last + relay_timeout(relay));
}

static void
relay_tell_error(struct relay *relay, enum side side, int error)
{
	struct observer *observer;

	SLIST_FOREACH (observer, &relay->observers, next) {
		observer->ops->error(observer, side, error, loop_now(relay->set->loop));
	}
	metrics_add(relay->set->metrics, COUNTER_FAILED, 1);
}

static void
relay_failed(struct relay *relay, enum side side, int error)
{
	relay_tell_error(relay, side, error);
	if (relay->flows[side].pending.size == 0 || relay->ends[other(side)].broken != 0 ||
	    relay->state != RELAY_OPEN) {
		relay_close(relay, CLOSE_ENDED, true);
		return;
	}
	relay->state = RELAY_DRAINING;
	relay->failed = side;
	relay_limit(relay);
}

/* A broken end from which nothing will be received any more fails now. */
static void
relay_check_broken(struct relay *relay)
{
	for (int side = 0; side < 2 && relay->state == RELAY_OPEN; side++)
		if (relay->ends[side].broken != 0 &&
		    (relay->flows[side].ended || relay->ends[!side].broken != 0))
			relay_failed(relay, (enum side)side, relay->ends[side].broken);
}

/* Pass the end of `side`'s stream on, once all bytes before it are sent. */
static void
relay_forward_end(struct relay *relay, enum side side)
{
	struct end *to = &relay->ends[other(side)].end;
	struct flow *flow = &relay->flows[side];

	if (!flow->ended || flow->forwarded || flow->pending.size > 0 ||
	    relay->state == RELAY_CONNECTING)
		return;
	flow->forwarded = true;
	if (relay->flows[other(side)].forwarded) {
		relay_close(relay, CLOSE_ENDED, false); /* close(2) sends this FIN */
		return;
	}
	/* A failure will be told when the other end is next read or written. */
	to->ops->shutdown(to);
}

static void
relay_ended(struct relay *relay, enum side side)
{
	struct observer *observer;

	relay->flows[side].ended = true;
	SLIST_FOREACH (observer, &relay->observers, next) {
		observer->ops->eof(observer, side, loop_now(relay->set->loop));
	}
	relay_limit(relay);
	relay_forward_end(relay, side);
}

/* -- bytes -- */

/* Send from `data`; returns how many bytes went, all of them if they have nowhere to go any more.
 */
static size_t
relay_send(struct relay *relay, enum side side, const unsigned char *data, size_t size)
{
	struct relay_end *to = &relay->ends[other(side)];
	ssize_t sent;

	if (to->broken != 0)
		return size;
	sent = to->end.ops->send(&to->end, data, size);
	if (sent >= 0)
		return (size_t)sent;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return 0;
	/*
	 * The kernel reports a reset once, here or to receive(). What the end sent before it is
	 * still there to be received; the failure is told behind it.
	 */
	to->broken = errno == EPIPE ? ECONNRESET : errno;
	return size;
}

static void
relay_flush(struct relay *relay, enum side side)
{
	struct flow *flow = &relay->flows[side];
	size_t sent;

	if (flow->pending.size == 0 || relay->state == RELAY_CONNECTING)
		return;
	sent = relay_send(relay, side, flow->pending.data, flow->pending.size);
	if (sent > 0)
		relay->info.last = loop_now(relay->set->loop);
	flow_advance(flow, sent, &relay->set->held);
	if (flow->pending.size > 0)
		return;
	if (relay->state == RELAY_DRAINING && relay->failed == side)
		relay_close(relay, CLOSE_ENDED, true);
	else
		relay_forward_end(relay, side);
}

/* Bytes have come: send them on at once, hold what cannot be sent, and show them to the observers.
 */
static void
relay_pass(struct relay *relay, enum side side, const struct slice *slice)
{
	struct flow *flow = &relay->flows[side];
	struct observer *observer;
	int64_t now = loop_now(relay->set->loop);
	size_t sent = 0;

	relay->info.bytes[side] += slice->size;
	relay->info.last = now;
	metrics_add(relay->set->metrics,
	    side == SIDE_CLIENT ? COUNTER_CLIENT_BYTES : COUNTER_SERVER_BYTES,
	    (int64_t)slice->size);
	if (relay->state != RELAY_CONNECTING)
		sent = relay_send(relay, side, slice->data, slice->size);
	if (sent < slice->size) {
		struct slice rest = {slice->chunk, slice->data + sent, slice->size - sent};

		if (flow_hold(flow, &rest, &relay->set->held) == -1)
			relay_kill(relay); /* no memory: these bytes cannot be delivered */
	}
	SLIST_FOREACH (observer, &relay->observers, next) {
		observer->ops->data(observer, side, slice, now);
	}
}

static size_t
relay_read_size(struct relay_set *set, size_t space)
{
	size_t held = set->held + chunk_pool_held(set->pool);

	if (held > HELD_TIGHTER)
		return READ_TIGHTER;
	if (held > HELD_TIGHT)
		return READ_TIGHT;
	return space;
}

static void
relay_receive(struct relay *relay, enum side side)
{
	struct relay_end *from = &relay->ends[side];
	struct slice slice;
	unsigned char *space;
	size_t size;
	ssize_t got;

	space = chunk_pool_space(relay->set->pool, &size);
	if (space == NULL) {
		relay_kill(relay);
		return;
	}
	size = relay_read_size(relay->set, size);
	got = from->end.ops->receive(&from->end, space, size);
	if (got > 0) {
		slice = chunk_pool_slice(relay->set->pool, (size_t)got);
		relay_pass(relay, side, &slice);
	} else if (got == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	} else if (from->broken != 0) {
		relay_failed(
		    relay, side, from->broken); /* not an end: its reset was told to send() */
	} else if (got == -1) {
		relay_failed(relay, side, errno);
	} else {
		relay_ended(relay, side);
	}
}

/* -- interest -- */

/* May something be received from `side` now? */
static bool
relay_may_receive(const struct relay *relay, enum side side)
{
	if (relay->state == RELAY_CLOSED || relay->state == RELAY_DRAINING ||
	    (relay->state == RELAY_CONNECTING && side == SIDE_SERVER))
		return false;
	return !relay->held_back && !relay->flows[side].ended &&
	       relay->flows[side].pending.size == 0 && relay->ends[other(side)].broken == 0;
}

/* The one place that says what an end is polled for. */
static short
relay_interest(const struct relay *relay, enum side side)
{
	const struct relay_end *end = &relay->ends[side];
	short interest = 0;

	if (relay->state == RELAY_CLOSED || end->end.watch.fd == -1)
		return 0;
	if (relay_may_receive(relay, side))
		interest |= POLLIN;
	if (relay->flows[other(side)].pending.size > 0 && end->broken == 0)
		interest |= POLLOUT;
	if (interest == 0 && !end->error_seen && end->broken == 0)
		interest = POLLERR;
	return interest;
}

static void
relay_update(struct relay *relay)
{
	if (relay->state == RELAY_CLOSED)
		return;
	for (int side = 0; side < 2; side++) {
		struct watch *watch = &relay->ends[side].end.watch;

		if (loop_watch(relay->set->loop, watch, relay_interest(relay, (enum side)side)) ==
		    -1)
			relay_kill(relay);
	}
}

/* Ask the observers whether more may be received. */
static void
relay_ask(struct relay *relay)
{
	struct observer *observer;

	SLIST_FOREACH (observer, &relay->observers, next) {
		if (observer->ops->ready != NULL && !observer->ops->ready(observer))
			relay->held_back = true;
	}
}

static void
relay_ready(struct relay *relay, enum side side, short events)
{
	struct relay_end *end = &relay->ends[side];

	if (events & (POLLOUT | POLLERR | POLLHUP))
		relay_flush(relay, other(side));
	if (events & (POLLIN | POLLERR | POLLHUP)) {
		if (relay_may_receive(relay, side))
			relay_ask(relay);
		if (relay_may_receive(relay, side))
			relay_receive(relay, side);
		else if ((events & POLLERR) && relay->flows[side].ended)
			relay_failed(
			    relay, side, ECONNRESET); /* after its FIN: nothing to receive */
		else if (events & (POLLERR | POLLHUP))
			end->error_seen = true;
	}
	relay_check_broken(relay);
	relay_update(relay);
}

static void
client_ready(struct watch *watch, short events)
{
	relay_ready(
	    CONTAINER_OF(watch, struct relay, ends[SIDE_CLIENT].end.watch), SIDE_CLIENT, events);
}

static void
server_ready(struct watch *watch, short events)
{
	relay_ready(
	    CONTAINER_OF(watch, struct relay, ends[SIDE_SERVER].end.watch), SIDE_SERVER, events);
}

void
relay_resume(struct relay *relay)
{
	relay->held_back = false;
	relay_update(relay);
}

/* -- timeouts -- */

/* Which side keeps the connection from going on: the one that has not ended or does not read. */
static enum side
relay_late(const struct relay *relay)
{
	const struct flow *flows = relay->flows;

	if (flows[SIDE_CLIENT].ended && flows[SIDE_SERVER].ended)
		return flows[SIDE_SERVER].pending.size > 0 ? SIDE_CLIENT : SIDE_SERVER;
	return flows[SIDE_CLIENT].ended ? SIDE_SERVER : SIDE_CLIENT;
}

/* Set anew lazily: traffic only moves info.last, and the timer looks at it when it fires. */
static void
relay_timer(struct timer *timer)
{
	struct relay *relay = CONTAINER_OF(timer, struct relay, timer);
	struct relay_set *set = relay->set;
	int64_t due = relay->info.last + relay_timeout(relay);

	if (due > loop_now(set->loop)) {
		loop_timer_set(set->loop, timer, due);
		return;
	}
	if (relay->state != RELAY_DRAINING)
		relay_tell_error(relay, relay_late(relay), ETIMEDOUT);
	relay_close(relay, CLOSE_ENDED, true);
}

/* -- life -- */

struct relay *
relay_new(struct relay_set *set, int fd, const struct address *client)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL)
		return NULL;
	relay->set = set;
	relay->info.id = ++set->last_id;
	relay->info.client = *client;
	relay->info.opened = relay->info.last = loop_now(set->loop);
	relay->task.run = relay_task;
	SLIST_INIT(&relay->observers);
	timer_init(&relay->timer, relay_timer);
	for (int side = 0; side < 2; side++)
		relay->ends[side].end.ops = &end_socket_ops;
	watch_init(&relay->ends[SIDE_CLIENT].end.watch, fd, client_ready);
	watch_init(&relay->ends[SIDE_SERVER].end.watch, -1, server_ready);
	LIST_INSERT_HEAD(&set->relays, relay, all);
	set->count++;
	metrics_add(set->metrics, COUNTER_OPEN, 1);
	metrics_add(set->metrics, COUNTER_ACCEPTED, 1);
	return relay;
}

void
relay_observe(struct relay *relay, struct observer *observer)
{
	struct observer *last = SLIST_FIRST(&relay->observers);

	observer->relay = relay;
	while (last != NULL && SLIST_NEXT(last, next) != NULL)
		last = SLIST_NEXT(last, next);
	if (last == NULL)
		SLIST_INSERT_HEAD(&relay->observers, observer, next);
	else
		SLIST_INSERT_AFTER(last, observer, next);
}

void
relay_start(struct relay *relay, const struct address *server)
{
	struct observer *observer;

	relay->info.server = *server;
	relay->started = true;
	SLIST_FOREACH (observer, &relay->observers, next) {
		observer->ops->open(observer, &relay->info);
	}
	if (relay->set->idle_timeout > 0)
		loop_timer_set(
		    relay->set->loop, &relay->timer, relay->info.opened + relay->set->idle_timeout);
	relay_update(relay);
}

void
relay_on_cancel(struct relay *relay, void (*cancel)(void *context), void *context)
{
	relay->cancel = cancel;
	relay->context = context;
}

void
relay_connected(struct relay *relay, int fd, const struct address *server)
{
	relay->info.server = *server;
	relay->info.connected = relay->info.last = loop_refresh(relay->set->loop);
	relay->state = RELAY_OPEN;
	relay->ends[SIDE_SERVER].end.watch.fd = fd;
	relay_flush(relay, SIDE_CLIENT);
	relay_forward_end(relay, SIDE_CLIENT);
	relay_update(relay);
}

void
relay_refused(struct relay *relay)
{
	relay->cancel = NULL;
	metrics_add(relay->set->metrics, COUNTER_REFUSED, 1);
	relay_close(relay, CLOSE_REFUSED, true);
}
