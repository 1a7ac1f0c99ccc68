#include <stdlib.h>

#include "format/reassembly_private.h"

#define FORMING_MOST ((size_t)1 << 20) /* held of a connection whose SYN may still come */

/* Where a side begins of a connection whose SYN was not captured, but the other one's: the other
 * side's first acknowledgement tells, if it is the one of the handshake. */
static uint64_t
handshake_origin(struct connection *connection, enum side side)
{
	const struct flow *flow = &connection->flows[side];
	const struct held *first = hold_first(connection, side);

	if (first == NULL || (flow->first_acked != 0 && flow->first_acked < first->piece.place))
		return flow->first_acked;
	return first->piece.place;
}

/* The place where a side stood, unless only a keep-alive says so: that is one before. */
static uint64_t
stood_origin(const struct flow *flow, const struct held *next)
{
	uint64_t place = next != NULL ? next->piece.place : flow->acked;

	if (next != NULL && next->piece.probe && place == flow->stood)
		return flow->stood + 1;
	return flow->probed && place == flow->stood + 1 ? place : flow->stood;
}

/*
 * Where a side begins that was joined midway: where it stood, or where what leads there does. In
 * front of a hole before that, there may be copies of what the other side had before the capture
 * began: they are left out, since the hole is there too. Else the hole is the capture's, and will
 * be a gap.
 */
static uint64_t
midway_origin(struct connection *connection, enum side side)
{
	const struct flow *flow = &connection->flows[side];
	struct held *held = hold_first(connection, side);
	uint64_t begin = 0, end = 0; /* of what has no hole */
	bool copies = true;

	for (; held != NULL && held->piece.place < flow->stood; held = hold_next(held)) {
		if (held->piece.probe)
			continue;
		if (begin == 0 || (copies && held->piece.place > end))
			begin = end = held->piece.place;
		if (piece_end(&held->piece) > end)
			end = piece_end(&held->piece);
		copies = copies && held->piece.copy;
	}
	if (begin != 0 && (end >= flow->stood || !copies))
		return begin;
	return stood_origin(flow, held);
}

/* Where a side begins whose SYN was not captured. */
static void
flow_guess(struct connection *connection, enum side side)
{
	struct flow *flow = &connection->flows[side];

	if (flow->known)
		return;
	uint64_t origin = 0;
	if (connection->stream.begun)
		origin = handshake_origin(connection, side);
	else if (flow->stood != 0)
		origin = midway_origin(connection, side);
	if (origin == 0)
		return;
	flow->origin = flow->next = origin;
	flow->known = true;
}

/* Who is the client of a connection whose SYN was not captured? */
static void
client_guess(const struct reassembly *reassembly, struct connection *connection)
{
	const struct packet_end *ends = connection->stream.ends;
	uint16_t port = reassembly->config.server_port;
	bool turn = ends[SIDE_CLIENT].port < ends[SIDE_SERVER].port;

	if (port != 0 && (ends[SIDE_CLIENT].port == port) != (ends[SIDE_SERVER].port == port))
		turn = ends[SIDE_CLIENT].port == port;
	if (turn)
		connection_turn(connection);
}

/* What is not known of both sides' beginnings by now is guessed. */
static void
forming_end(struct reassembly *reassembly, struct connection *connection)
{
	if (!connection->opened)
		client_guess(reassembly, connection);
	flow_guess(connection, SIDE_CLIENT);
	flow_guess(connection, SIDE_SERVER);
	connection->state = CONNECTION_FLOWING;
	if (connection->opened)
		return;
	if (connection->payload && !reassembly->config.begun_only) {
		tell_open(reassembly, connection);
		return;
	}
	reassembly->counters.passed_over++;
	tell_end(reassembly, connection, STREAM_UNFINISHED); /* of which nobody was told */
}

/* Is there something held of `side` that waits for bytes of the same side? */
static const struct held *
behind_hole(struct connection *connection, enum side side)
{
	const struct held *held = hold_first(connection, side);

	return held == NULL || piece_is_next(&connection->flows[side], &held->piece) ? NULL : held;
}

/* The side whose bytes are missing, since when, and how many. */
static enum side
missing_side(struct connection *connection, const struct held **behind, uint64_t *size)
{
	const struct held *holes[2] = {
	    behind_hole(connection, SIDE_CLIENT), behind_hole(connection, SIDE_SERVER)};
	enum side side = SIDE_CLIENT;

	if (holes[0] == NULL && holes[1] == NULL) {
		/* nothing of it is held, but the other side has acknowledged it */
		side = hold_first(connection, SIDE_CLIENT) != NULL ? SIDE_SERVER : SIDE_CLIENT;
		*behind = hold_first(connection, side_other(side));
		*size = connection->flows[side].acked - connection->flows[side].next;
		return side;
	}
	if (holes[0] == NULL || (holes[1] != NULL && holes[1]->number < holes[0]->number))
		side = SIDE_SERVER;
	*behind = holes[side];
	*size = holes[side]->piece.place - connection->flows[side].next;
	return side;
}

/* Is what the first piece held waits for not in the capture at all, since only one direction is? */
static bool
other_side_is_absent(struct connection *connection)
{
	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
		if (hold_first(connection, (enum side)side) != NULL &&
		    behind_hole(connection, (enum side)side) == NULL &&
		    connection->flows[side_other((enum side)side)].stood == 0)
			return true;
	}
	return false;
}

/* Let go of a stray that nobody acknowledged. Returns whether there was one. */
static bool
settle_stray(struct reassembly *reassembly, struct connection *connection)
{
	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
		struct held *held = hold_first(connection, (enum side)side);
		if (held != NULL &&
		    place_is_stray(connection, (enum side)side, held->piece.place)) {
			hold_drop_stray(reassembly, connection, (enum side)side, held);
			return true;
		}
	}
	return false;
}

/* The byte of a keep-alive in a hole is none: let go of it. Returns whether there was one. */
static bool
settle_probe(struct reassembly *reassembly, struct connection *connection, enum side side)
{
	struct held *held = hold_first(connection, side);

	if (behind_hole(connection, side) == NULL || !held->piece.probe)
		return false;
	hold_take(reassembly, connection, side, held);
	free(held);
	return true;
}

/* A reset behind bytes that were lost on their way is no gap: tell it. Returns whether it was one.
 */
static bool
settle_reset(struct reassembly *reassembly, struct connection *connection, enum side side)
{
	const struct flow *flow = &connection->flows[side];
	struct held *held = hold_first(connection, side);

	if (held == NULL || (held->piece.flags & PACKET_RST) == 0 || flow->acked > flow->next ||
	    behind_hole(connection, side_other(side)) != NULL)
		return false;
	hold_take(reassembly, connection, side, held);
	tell_piece(reassembly, connection, side, &held->piece);
	free(held);
	return true;
}

/* Let go of something that is held: decide where the sides begin, or tell a gap. */
static void
settle_step(struct reassembly *reassembly, struct connection *connection)
{
	const struct held *behind;
	uint64_t size;

	if (connection->state == CONNECTION_FORMING) {
		forming_end(reassembly, connection);
		tell_held(reassembly, connection);
	} else if (other_side_is_absent(connection)) {
		connection->one_sided = true;
		tell_held(reassembly, connection);
	} else if (!settle_stray(reassembly, connection) &&
		   !settle_probe(reassembly, connection, SIDE_CLIENT) &&
		   !settle_probe(reassembly, connection, SIDE_SERVER) &&
		   !settle_reset(reassembly, connection, SIDE_CLIENT) &&
		   !settle_reset(reassembly, connection, SIDE_SERVER)) {
		enum side side = missing_side(connection, &behind, &size);
		tell_gap(reassembly, connection, side, size, behind->piece.time);
	}
}

/* Bytes at the end that were sent or acknowledged, and are not there; from now on they are known to
 * have been sent. */
static uint64_t
tail_missing(const struct reassembly *reassembly, struct connection *connection, enum side side)
{
	struct flow *flow = &connection->flows[side];
	uint64_t reach = flow->end > flow->acked ? flow->end : flow->acked;

	if (flow->ended || !flow->placed || (reassembly->config.client_only && side == SIDE_SERVER))
		return 0;
	if (!flow->known) {
		if (flow->stood != 0 || flow->first_acked == 0)
			return 0;
		flow->origin = flow->next = flow->first_acked;
	}
	if (reach <= flow->next)
		return 0;
	flow->end = reach;
	return reach - flow->next;
}

void
settle_all(struct reassembly *reassembly, struct connection *connection, enum stream_end end)
{
	uint64_t missing[2];

	while (connection->state == CONNECTION_FORMING ||
	       (connection->state == CONNECTION_FLOWING && connection->held > 0))
		settle_step(reassembly, connection);
	if (connection->state == CONNECTION_FLOWING) {
		missing[0] = tail_missing(reassembly, connection, SIDE_CLIENT);
		missing[1] = tail_missing(reassembly, connection, SIDE_SERVER);
		if (missing[0] > 0 || missing[1] > 0) {
			enum side side = missing[0] > 0 ? SIDE_CLIENT : SIDE_SERVER;
			tell_gap(reassembly, connection, side, missing[side], connection->latest);
		}
	}
	if (connection->state != CONNECTION_OVER) {
		if (connection->time < connection->latest)
			connection->time = connection->latest;
		tell_end(reassembly, connection, end);
	}
}

void
settle_bounds(struct reassembly *reassembly, struct connection *connection)
{
	while (connection->held > reassembly->config.hold_stream ||
	       (connection->held > FORMING_MOST && connection->state == CONNECTION_FORMING))
		settle_step(reassembly, connection);
	while (reassembly->held > reassembly->config.hold_total)
		settle_step(reassembly, TAILQ_FIRST(&reassembly->holding));
}

/* Has the other side acknowledged what is missing? Else it was lost on its way and will be sent
 * again. */
static bool
missing_is_acknowledged(struct connection *connection)
{
	const struct held *behind;
	uint64_t size;

	if (connection->state == CONNECTION_FORMING || other_side_is_absent(connection))
		return true;
	enum side side = missing_side(connection, &behind, &size);
	return connection->flows[side].acked > connection->flows[side].next;
}

void
settle_expired(struct reassembly *reassembly, int64_t time)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(&reassembly->holding)) != NULL &&
	       time - connection->held_since > reassembly->config.patience) {
		if (missing_is_acknowledged(connection)) {
			settle_step(reassembly, connection);
			continue;
		}
		connection->held_since = time;
		TAILQ_REMOVE(&reassembly->holding, connection, holding);
		TAILQ_INSERT_TAIL(&reassembly->holding, connection, holding);
	}
}
