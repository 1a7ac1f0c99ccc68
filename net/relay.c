#include <errno.h>
#include <stdlib.h>

#include "net/relay_private.h"
#include "net/socket.h"

#define DRAIN_POLL                                                                                 \
	(INT64_C(5) * 1000 * 1000) /* the kernel does not tell when its queue is empty             \
				    */

/* How long may nothing happen? Only asked where one of the timeouts is set. */
static int64_t
relay_timeout(const struct relay *relay)
{
	const struct relay_set *set = relay->set;
	bool half = relay->flows[SIDE_CLIENT].ended || relay->flows[SIDE_SERVER].ended ||
		    relay->state == RELAY_DRAINING;

	if (relay->state == RELAY_DISMISSED)
		return RELAY_LINGER;
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

void
relay_close(struct relay *relay, enum close_reason reason, bool reset)
{
	struct relay_set *set = relay->set;
	if (relay->state == RELAY_CLOSED)
		return;
	if (relay->state == RELAY_CONNECTING && relay->cancel != NULL)
		relay->cancel(relay->context);
	if (relay->filter != NULL)
		relay->filter->ops->closed(relay->filter);
	relay->state = RELAY_CLOSED;
	loop_timer_cancel(set->loop, &relay->timer);
	for (int side = 0; side < 2; side++) {
		struct relay_end *end = &relay->ends[side];

		/* Bytes that can no longer be delivered must not look as if they never were. */
		bool cut = relay->flows[other((enum side)side)].pending.size > 0;

		loop_unwatch(set->loop, &end->end.watch);
		loop_turn_cancel(set->loop, &end->turn);
		if (end->end.watch.fd != -1)
			end->end.ops->close(&end->end, reset || cut);
		flow_release(&relay->flows[side], &set->held);
	}
	tap_close(&relay->tap, reason, loop_now(set->loop));
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

/* -- a side fails -- */

void
relay_limit(struct relay *relay)
{
	struct relay_set *set = relay->set;

	relay->tap.info.last = loop_now(set->loop);
	if (set->half_close_timeout > 0)
		loop_timer_set(
		    set->loop, &relay->timer, relay->tap.info.last + relay_timeout(relay));
}

static void
relay_tell_error(struct relay *relay, enum side side, int error)
{
	tap_error(&relay->tap, side, error, loop_now(relay->set->loop));
	metrics_add(relay->set->metrics, COUNTER_FAILED, 1);
}

void
relay_drain(struct relay *relay)
{
	struct relay_end *to = &relay->ends[other(relay->failed)];

	if (relay->flows[relay->failed].pending.size > 0 && to->broken == 0)
		return;
	/* A reset would throw away what the kernel has not delivered yet. */
	if (to->broken == 0 && to->end.ops->unsent(&to->end) > 0)
		loop_timer_set(
		    relay->set->loop, &relay->timer, loop_now(relay->set->loop) + DRAIN_POLL);
	else
		relay_close(relay, CLOSE_ENDED, true);
}

void
relay_failed(struct relay *relay, enum side side, int error)
{
	relay_tell_error(relay, side, error);
	if (relay->state != RELAY_OPEN) {
		relay_close(relay, CLOSE_ENDED, true);
		return;
	}
	relay->state = RELAY_DRAINING;
	relay->failed = side;
	relay_limit(relay);
	relay_drain(relay);
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
	int64_t timeout = relay_timeout(relay);
	bool over = timeout > 0 && relay->tap.info.last + timeout <= loop_now(set->loop);

	if (over) {
		if (relay->state < RELAY_DRAINING)
			relay_tell_error(relay, relay_late(relay), ETIMEDOUT);
		relay_close(relay, CLOSE_ENDED, true);
		return;
	}
	if (timeout > 0)
		loop_timer_set(set->loop, timer, relay->tap.info.last + timeout);
	if (relay->state == RELAY_DRAINING)
		relay_drain(relay);
}

/* -- what observers may ask -- */

static void
relay_resume(struct tap *tap)
{
	struct relay *relay = CONTAINER_OF(tap, struct relay, tap);

	relay->held_back = false;
	relay_update(relay);
}

static void
relay_tap_kill(struct tap *tap)
{
	relay_kill(CONTAINER_OF(tap, struct relay, tap));
}

static const struct tap_ops relay_tap_ops = {
    .resume = relay_resume,
    .kill = relay_tap_kill,
};

/* -- life -- */

struct relay *
relay_new(struct relay_set *set, int fd, const struct address *client)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL)
		return NULL;
	relay->set = set;
	relay->state = RELAY_CONNECTING;
	tap_init(&relay->tap, &relay_tap_ops);
	relay->tap.info.id = ++set->last_id;
	relay->tap.info.client = *client;
	relay->tap.info.opened = relay->tap.info.last = loop_now(set->loop);
	relay->task.run = relay_task;
	timer_init(&relay->timer, relay_timer);
	for (int side = 0; side < 2; side++)
		relay->ends[side].end.ops = &end_socket_ops;
	watch_init(&relay->ends[SIDE_CLIENT].end.watch, fd, relay_client_ready);
	watch_init(&relay->ends[SIDE_SERVER].end.watch, -1, relay_server_ready);
	relay->ends[SIDE_CLIENT].turn.take = relay_client_turn;
	relay->ends[SIDE_SERVER].turn.take = relay_server_turn;
	LIST_INSERT_HEAD(&set->relays, relay, all);
	set->count++;
	metrics_add(set->metrics, COUNTER_OPEN, 1);
	metrics_add(set->metrics, COUNTER_ACCEPTED, 1);
	return relay;
}

struct tap *
relay_tap(struct relay *relay)
{
	return &relay->tap;
}

void
relay_start(struct relay *relay, const struct address *server)
{
	relay->tap.info.server = *server;
	tap_open(&relay->tap);
	if (relay->set->idle_timeout > 0)
		loop_timer_set(relay->set->loop, &relay->timer,
		    relay->tap.info.opened + relay->set->idle_timeout);
	if (relay->filter == NULL)
		relay_receive_first(relay);
	relay_update(relay);
}

bool
relay_waits(const struct relay *relay)
{
	return relay->flows[SIDE_CLIENT].pending.size > 0;
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
	bool sends = relay_waits(relay);

	relay->tap.info.server = *server;
	tap_connected(&relay->tap, loop_refresh(relay->set->loop));
	relay->state = RELAY_OPEN;
	relay->ends[SIDE_SERVER].end.watch.fd = fd;
	if (relay->filter != NULL)
		relay_filter_connected(relay);
	relay_flush(relay, SIDE_CLIENT);
	if (sends && relay->state != RELAY_CLOSED)
		socket_sent(fd);
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
