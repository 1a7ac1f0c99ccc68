#include <errno.h>

#include "net/relay_private.h"

/*
 * How much is received at once. A flow is read only while it holds nothing, so it never holds more
 * than one read: with few bytes held in all, a whole slab's space for speed; with many slow
 * connections less and less. The slab is a larger one where bytes come in bulk: few large pieces
 * wake the peers less often, and cost a third less than many small ones.
 */
#define READ_TIGHT (16 * 1024)
#define READ_TIGHTER (4 * 1024)
#define BULK_MIN (256 * 1024) /* begins bulk; a read of READ_TIGHT or less ends it */
#define HELD_TIGHT ((size_t)128 * 1024 * 1024)
#define HELD_TIGHTER ((size_t)192 * 1024 * 1024)

/* -- bytes -- */

void
relay_forward_end(struct relay *relay, enum side side)
{
	struct end *to = &relay->ends[other(side)].end;
	struct flow *flow = &relay->flows[side];

	if (!flow->ended || flow->forwarded || flow->pending.size > 0 || relay->state < RELAY_OPEN)
		return;
	flow->forwarded = true;
	if (relay->flows[other(side)].forwarded) {
		relay_close(relay, CLOSE_ENDED, false); /* close(2) sends this FIN */
		return;
	}
	/* A failure will be told when the other end is next read or written. */
	if (to->watch.fd != -1)
		to->ops->shutdown(to);
}

static void
relay_ended(struct relay *relay, enum side side)
{
	if (side == SIDE_SERVER)
		relay->heard = true;
	if (relay->filter != NULL && relay_filter_ended(relay, side))
		return;
	relay->flows[side].ended = true;
	tap_eof(&relay->tap, side, loop_now(relay->set->loop));
	relay_limit(relay);
	relay_forward_end(relay, side);
}

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

void
relay_flush(struct relay *relay, enum side side)
{
	struct flow *flow = &relay->flows[side];
	size_t sent;

	if (flow->pending.size == 0 || relay->ends[other(side)].end.watch.fd == -1)
		return;
	sent = relay_send(relay, side, flow->pending.data, flow->pending.size);
	if (sent > 0)
		relay->tap.info.last = loop_now(relay->set->loop);
	flow_advance(flow, sent, &relay->set->held);
	if (flow->pending.size > 0)
		return;
	if (relay->state == RELAY_DRAINING && relay->failed == side)
		relay_drain(relay);
	else
		relay_forward_end(relay, side);
}

void
relay_send_on(struct relay *relay, enum side side, const struct slice *slice)
{
	struct flow *flow = &relay->flows[side];
	int64_t now = loop_now(relay->set->loop);
	size_t sent = 0;

	if (relay->ends[other(side)].end.watch.fd != -1)
		sent = relay_send(relay, side, slice->data, slice->size);
	if (sent < slice->size) {
		struct slice rest = {slice->chunk, slice->data + sent, slice->size - sent};

		if (flow_hold(flow, &rest, &relay->set->held) == -1)
			relay_kill(relay); /* no memory: these bytes cannot be delivered */
	}
	tap_data(&relay->tap, side, slice, now);
}

bool
relay_pass(struct relay *relay, enum side side, const struct slice *slice)
{
	struct slice piece = *slice;

	if (relay->filter != NULL && relay->filter->rewrites[side] &&
	    relay->filter->ops->rewrite(relay->filter, side, &piece) == -1) {
		relay_kill(relay);
		return false;
	}
	if (piece.size > 0)
		relay_send_on(relay, side, &piece);
	return true;
}

/* Bytes have come. */
static void
relay_arrived(struct relay *relay, enum side side, const struct slice *slice)
{
	metrics_add(relay->set->metrics,
	    side == SIDE_CLIENT ? COUNTER_CLIENT_BYTES : COUNTER_SERVER_BYTES,
	    (int64_t)slice->size);
	if (side == SIDE_SERVER)
		relay->heard = true;
	if (relay->filter == NULL || !relay_filter_arrived(relay, side, slice))
		relay_pass(relay, side, slice);
}

/* Where the next read of `side` goes; `*most` is set to how much of it is to be read. */
static struct chunk_pool *
relay_read_pool(const struct relay *relay, enum side side, size_t *most)
{
	const struct relay_set *set = relay->set;
	size_t held = set->held + chunk_pool_held(set->pool) + chunk_pool_held(set->bulk_pool);

	*most = set->read_max > 0 ? set->read_max : CHUNK_BULK_SIZE;
	held -= held < set->observed ? held : set->observed;
	if (relay->state == RELAY_ROUTING)
		*most = relay->filter->room;
	else if (held > HELD_TIGHTER)
		*most = READ_TIGHTER;
	else if (held > HELD_TIGHT)
		*most = READ_TIGHT;
	/* A script holds the loop for as long as it works on a piece. */
	if (relay->ends[side].bulk && relay->filter == NULL && *most > CHUNK_SLAB_SIZE)
		return set->bulk_pool;
	return set->pool;
}

/* Returns how much has come, 0 at the end of the stream, -1 with errno: EAGAIN if nothing is to be
 * received now. */
static ssize_t
relay_receive_some(struct relay *relay, enum side side)
{
	struct relay_end *from = &relay->ends[side];
	struct chunk_pool *pool;
	struct slice slice;
	unsigned char *space;
	size_t size, most;
	ssize_t got;

	if (!tap_ready(&relay->tap)) {
		relay->held_back = true;
		errno = EAGAIN;
		return -1;
	}
	pool = relay_read_pool(relay, side, &most);
	space = chunk_pool_space(pool, &size);
	if (space == NULL) {
		relay_kill(relay);
		errno = EAGAIN;
		return -1;
	}
	if (size > most)
		size = most;
	got = from->end.ops->receive(&from->end, space, size);
	if (got > 0) {
		if (got >= BULK_MIN)
			from->bulk = true;
		else if (got <= READ_TIGHT)
			from->bulk = false;
		slice = chunk_pool_slice(pool, (size_t)got);
		relay_arrived(relay, side, &slice);
	}
	return got;
}

/* After that: may more come? */
static bool
stream_goes_on(ssize_t got)
{
	return got > 0 || (got == -1 && (errno == EAGAIN || errno == EINTR));
}

void
relay_receive_first(struct relay *relay)
{
	ssize_t got = relay_receive_some(relay, SIDE_CLIENT);

	if (got == -1 && !stream_goes_on(got))
		relay->ends[SIDE_CLIENT].broken = errno; /* the kernel tells it once */
}

static void
relay_receive(struct relay *relay, enum side side)
{
	struct relay_end *from = &relay->ends[side];
	ssize_t got = relay_receive_some(relay, side);

	if (stream_goes_on(got))
		return;
	if (from->broken != 0) {
		relay_failed(relay, side, from->broken); /* not an end: its reset was told before */
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
	    relay->ends[side].end.watch.fd == -1)
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

	if (relay->state == RELAY_CLOSED || end->end.watch.fd == -1 ||
	    (relay->state == RELAY_DRAINING && side == relay->failed))
		return 0;
	if (relay_may_receive(relay, side) && !end->turn.queued)
		interest |= POLLIN;
	if (relay->flows[other(side)].pending.size > 0 && end->broken == 0)
		interest |= POLLOUT;
	if (interest == 0 && !end->error_seen && end->broken == 0)
		interest = POLLERR;
	return interest;
}

void
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

/* A broken end from which nothing will be received any more fails now. */
static void
relay_check_broken(struct relay *relay)
{
	for (int side = 0; side < 2 && relay->state == RELAY_OPEN; side++)
		if (relay->ends[side].broken != 0 &&
		    (relay->flows[side].ended || relay->ends[!side].broken != 0))
			relay_failed(relay, (enum side)side, relay->ends[side].broken);
}

/* Is a reset of `side` to be told though nothing is received from it now? */
static bool
relay_fails_unheard(const struct relay *relay, enum side side)
{
	if (relay->state == RELAY_OPEN)
		return relay->flows[side].ended; /* after its FIN: nothing is left to receive */
	/* What a script has not passed on yet is not sent to a server for a client that has gone.
	 */
	return relay->state == RELAY_CONNECTING && relay->filter != NULL;
}

static void
relay_ready(struct relay *relay, enum side side, short events)
{
	struct relay_end *end = &relay->ends[side];

	if (events & (POLLOUT | POLLERR | POLLHUP))
		relay_flush(relay, other(side));
	if (events & (POLLIN | POLLERR | POLLHUP)) {
		if (relay_may_receive(relay, side) && end->bulk)
			loop_turn(relay->set->loop, &end->turn);
		else if (relay_may_receive(relay, side))
			relay_receive(relay, side);
		else if ((events & POLLERR) && relay_fails_unheard(relay, side))
			relay_failed(relay, side, ECONNRESET);
		else if (events & (POLLERR | POLLHUP))
			end->error_seen = true;
	}
	relay_check_broken(relay);
	relay_update(relay);
}

void
relay_client_ready(struct watch *watch, short events)
{
	relay_ready(
	    CONTAINER_OF(watch, struct relay, ends[SIDE_CLIENT].end.watch), SIDE_CLIENT, events);
}

void
relay_server_ready(struct watch *watch, short events)
{
	relay_ready(
	    CONTAINER_OF(watch, struct relay, ends[SIDE_SERVER].end.watch), SIDE_SERVER, events);
}

static void
relay_turn(struct relay *relay, enum side side)
{
	if (relay_may_receive(relay, side))
		relay_receive(relay, side);
	relay_check_broken(relay);
	relay_update(relay);
}

void
relay_client_turn(struct turn *turn)
{
	relay_turn(CONTAINER_OF(turn, struct relay, ends[SIDE_CLIENT].turn), SIDE_CLIENT);
}

void
relay_server_turn(struct turn *turn)
{
	relay_turn(CONTAINER_OF(turn, struct relay, ends[SIDE_SERVER].turn), SIDE_SERVER);
}
