#include "format/reassembly_private.h"

#define FORMING_MOST ((size_t)1 << 20) /* held of a connection whose SYN may still come */

/* Where a side begins whose SYN was not captured. */
static void
flow_guess(struct connection *connection, enum side side)
{
	struct flow *flow = &connection->flows[side];
	const struct held *first = hold_first(connection, side);

	if (flow->known)
		return;
	/* the other side's first acknowledgement tells, if it is the one of the handshake */
	bool acknowledged = connection->stream.begun && flow->first_acked != 0;
	if (first == NULL && !acknowledged)
		return;
	if (first == NULL || (acknowledged && flow->first_acked < first->piece.place))
		flow->origin = flow->first_acked;
	else
		flow->origin = first->piece.place;
	/* the byte of a keep-alive is none */
	if (first != NULL && first->piece.size == 1 && first->piece.place == flow->origin &&
	    first->piece.place + 1 == flow->first_acked)
		flow->origin++;
	flow->next = flow->origin;
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
		    !connection->flows[side_other((enum side)side)].seen)
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
	} else if (!settle_stray(reassembly, connection)) {
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
		if (flow->seen || flow->first_acked == 0)
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
