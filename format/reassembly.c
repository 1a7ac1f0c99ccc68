#include "format/reassembly.h"

#include <stdlib.h>

#include "format/reassembly_private.h"

#define STREAMS_DEFAULT 262144
#define HOLD_STREAM_DEFAULT ((size_t)16 << 20)
#define HOLD_TOTAL_DEFAULT ((size_t)256 << 20)

/* A segment on its way in. */
struct arrival {
	const struct packet_segment *segment;
	int64_t time;
	struct connection *connection;
	enum side side;
};

struct reassembly *
reassembly_new(const struct reassembly_config *config)
{
	struct reassembly *reassembly = calloc(1, sizeof(*reassembly));

	if (reassembly == NULL)
		return NULL;
	reassembly->config = *config;
	if (config->streams == 0)
		reassembly->config.streams = STREAMS_DEFAULT;
	if (config->hold_stream == 0)
		reassembly->config.hold_stream = HOLD_STREAM_DEFAULT;
	if (config->hold_total == 0)
		reassembly->config.hold_total = HOLD_TOTAL_DEFAULT;
	TAILQ_INIT(&reassembly->open);
	TAILQ_INIT(&reassembly->over);
	TAILQ_INIT(&reassembly->idle);
	TAILQ_INIT(&reassembly->holding);
	if (table_init(reassembly) != 0) {
		free(reassembly);
		return NULL;
	}
	return reassembly;
}

void
reassembly_free(struct reassembly *reassembly)
{
	if (reassembly == NULL)
		return;
	table_release(reassembly);
	free(reassembly);
}

const struct reassembly_counters *
reassembly_counters(const struct reassembly *reassembly)
{
	return &reassembly->counters;
}

/* Note where the side of this segment stands, if it is its first. */
static void
flow_stand(struct flow *flow, const struct packet_segment *segment)
{
	uint64_t place = flow_place(flow, segment->seq);
	bool reset = (segment->flags & PACKET_RST) != 0;

	if (flow->stood != 0)
		return;
	flow->stood = flow->acked > place || (reset && flow->acked != 0) ? flow->acked : place;
	flow->probed = flow->acked == 0 && segment->size + segment->missing <= 1 &&
		       (segment->flags & (PACKET_FIN | PACKET_RST | PACKET_PSH)) == 0;
}

/* The beginnings of both sides, or all that are needed, are known: tell what waited for that. */
static void
forming_check(struct reassembly *reassembly, struct connection *connection)
{
	if (connection->state != CONNECTION_FORMING || !connection->flows[SIDE_CLIENT].known)
		return;
	if (!connection->flows[SIDE_SERVER].known && !reassembly->config.client_only)
		return;
	connection->state = CONNECTION_FLOWING;
	tell_held(reassembly, connection);
}

static void
flow_begin(struct flow *flow, uint32_t seq)
{
	flow->origin = flow->next = flow_place(flow, seq);
	if ((int64_t)(flow->end - flow->next) > NEAR_MOST) /* of an earlier connection */
		flow->end = 0;
	flow->known = true;
}

/* Learn from a SYN where its sender begins; from a SYN|ACK where both do. */
static void
take_syn(struct reassembly *reassembly, struct arrival *arrival)
{
	struct connection *connection = arrival->connection;
	struct tcp_stream *stream = &connection->stream;
	const struct packet_segment *segment = arrival->segment;
	bool answer = (segment->flags & PACKET_ACK) != 0;

	/* whose SYN comes first, or who answers one, tells who is who */
	if (!connection->opened && (arrival->side == SIDE_CLIENT) == answer) {
		connection_turn(connection);
		arrival->side = side_other(arrival->side);
	}
	if (answer && arrival->side == SIDE_SERVER && stream->accepted < 0)
		stream->accepted = arrival->time;
	if (!connection->flows[arrival->side].known)
		flow_begin(&connection->flows[arrival->side], segment->seq + 1);
	if (answer && !connection->flows[side_other(arrival->side)].known)
		flow_begin(&connection->flows[side_other(arrival->side)], segment->ack);
	stream->begun = true;
	if (!connection->opened) {
		if (arrival->time < stream->start)
			stream->start = arrival->time;
		tell_open(reassembly, connection);
	}
	forming_check(reassembly, connection);
}

/* Is an acknowledgement of what `side` sent to be believed? One far ahead is if a segment from
 * there is held; where segments are not held, any is that is within the largest window. */
static bool
ack_is_believed(const struct reassembly *reassembly, struct connection *connection, enum side side,
    uint64_t place)
{
	struct flow *flow = &connection->flows[side];
	const struct held *last = hold_last(connection, side);

	if (!place_is_stray(connection, side, place))
		return true;
	if (connection->state == CONNECTION_DEAF ||
	    (reassembly->config.client_only && side == SIDE_SERVER))
		return (int64_t)(place - flow_reach(flow)) <= WINDOW_MOST;
	if (last == NULL || (int64_t)(piece_end(&last->piece) - place) > NEAR_MOST ||
	    (int64_t)(place - piece_end(&last->piece)) > NEAR_MOST)
		return false;
	flow->end = piece_end(&last->piece);
	return true;
}

/* Note what the segment acknowledges. Returns the place, 0 if it tells none. */
static uint64_t
take_ack(const struct reassembly *reassembly, const struct arrival *arrival)
{
	struct connection *connection = arrival->connection;
	enum side sender = side_other(arrival->side);
	struct flow *other = &connection->flows[sender];
	uint64_t place;

	if ((arrival->segment->flags & PACKET_ACK) == 0)
		return 0;
	place = flow_place(other, arrival->segment->ack);
	if (!ack_is_believed(reassembly, connection, sender, place))
		return 0;
	if (other->known && place < other->origin) /* of an earlier connection */
		return 0;
	if (place > other->acked)
		other->acked = place;
	if (other->first_acked == 0 || place < other->first_acked)
		other->first_acked = place;
	return place;
}

/* Only sizes and ends count. */
static void
take_deaf(struct reassembly *reassembly, const struct arrival *arrival)
{
	struct connection *connection = arrival->connection;

	if (connection->time < arrival->time)
		connection->time = arrival->time;
	if ((arrival->segment->flags & PACKET_RST) != 0)
		tell_end(reassembly, connection, STREAM_RESET);
	else if (connection->flows[SIDE_CLIENT].fin && connection->flows[SIDE_SERVER].fin)
		tell_end(reassembly, connection, STREAM_CLOSED);
}

/* The server's part where only the client's bytes count. */
static void
take_server_ends(struct reassembly *reassembly, const struct arrival *arrival)
{
	struct connection *connection = arrival->connection;
	const struct flow *flow = &connection->flows[SIDE_SERVER];

	if ((arrival->segment->flags & PACKET_RST) != 0)
		tell_reset(reassembly, connection, SIDE_SERVER, arrival->time);
	else if (flow->fin && !flow->ended)
		tell_eof(reassembly, connection, SIDE_SERVER, arrival->time);
}

static void
take_piece(struct reassembly *reassembly, const struct arrival *arrival, const struct piece *piece)
{
	struct connection *connection = arrival->connection;
	struct flow *flow = &connection->flows[arrival->side];

	if (connection->state == CONNECTION_FLOWING) {
		if (!flow->known) {
			/* what is before it was there before the capture, as a keep-alive's byte */
			flow->origin = flow->next = flow->acked != 0 ? flow->acked : piece->place;
			flow->known = true;
		}
		if (piece_is_old(flow, piece))
			return;
		if (piece_is_next(flow, piece) &&
		    piece_is_caused(reassembly, connection, arrival->side, piece)) {
			tell_piece(reassembly, connection, arrival->side, piece);
			tell_held(reassembly, connection);
			return;
		}
	}
	hold_add(reassembly, connection, arrival->side, piece);
	tell_held(reassembly, connection);
	settle_bounds(reassembly, connection);
}

/* Is it a reset before the connection stood? The server's must acknowledge the client's SYN, the
 * client's come right behind that (RFC 9293, section 3.10.7.3). If data is held or the client has
 * acknowledged anything, there was a SYN|ACK that the capture lacks. */
static bool
reset_is_early(const struct arrival *arrival)
{
	const struct connection *connection = arrival->connection;
	const struct packet_segment *segment = arrival->segment;
	uint32_t begin = (uint32_t)connection->flows[SIDE_CLIENT].origin;

	if ((segment->flags & PACKET_RST) == 0 || !connection->stream.begun ||
	    connection->state != CONNECTION_FORMING || connection->held > 0 ||
	    connection->flows[SIDE_SERVER].first_acked != 0)
		return false;
	if (arrival->side == SIDE_CLIENT)
		return segment->seq == begin;
	return (segment->flags & PACKET_ACK) != 0 && segment->ack == begin;
}

/* Returns whether it was one. */
static bool
take_early_reset(struct reassembly *reassembly, const struct arrival *arrival)
{
	struct connection *connection = arrival->connection;

	if (!reset_is_early(arrival))
		return false;
	if (connection->time < arrival->time)
		connection->time = arrival->time;
	if (arrival->side == SIDE_SERVER)
		tell_end(reassembly, connection, STREAM_REFUSED);
	else
		tell_reset(reassembly, connection, SIDE_CLIENT, arrival->time);
	return true;
}

/* Note how far its side has sent. Returns whether the piece may be of this connection. */
static bool
take_reach(struct reassembly *reassembly, const struct arrival *arrival, const struct piece *piece)
{
	struct connection *connection = arrival->connection;
	struct flow *flow = &connection->flows[arrival->side];
	bool reset = (piece->flags & PACKET_RST) != 0;
	bool told = connection->state != CONNECTION_DEAF &&
		    !(reassembly->config.client_only && arrival->side == SIDE_SERVER);

	if (reset && piece_is_old(flow, piece))
		return false;
	if (place_is_stray(connection, arrival->side, piece->place)) {
		/* it waits to be acknowledged */
		if (told && !reset && (int64_t)(piece->place - flow_reach(flow)) <= WINDOW_MOST) {
			hold_add(reassembly, connection, arrival->side, piece);
			settle_bounds(reassembly, connection);
		} else {
			reassembly->counters.late += piece->size;
		}
		return false;
	}
	if (!reset && piece_end(piece) > flow->end)
		flow->end = piece_end(piece);
	flow->fin |= (piece->flags & PACKET_FIN) != 0;
	return true;
}

/* Is it the byte of a keep-alive? It is not pushed, and was acknowledged before or is the first
 * that is seen of its side. */
static bool
piece_is_probe(
    const struct flow *flow, const struct piece *piece, const struct packet_segment *segment)
{
	return piece->size == 1 && piece->missing == 0 &&
	       (segment->flags & (PACKET_SYN | PACKET_FIN | PACKET_RST | PACKET_PSH)) == 0 &&
	       (piece->copy || (flow->probed && piece->place == flow->stood));
}

static void
take_segment(struct reassembly *reassembly, struct arrival *arrival)
{
	struct connection *connection = arrival->connection;
	const struct packet_segment *segment = arrival->segment;
	struct piece piece = {.time = arrival->time,
	    .data = segment->data,
	    .size = segment->size,
	    .missing = segment->missing,
	    .flags = segment->flags & (PACKET_FIN | PACKET_RST)};
	bool syn = (segment->flags & PACKET_SYN) != 0;

	if (syn)
		take_syn(reassembly, arrival);
	if (connection->state == CONNECTION_OVER) /* what was held of it came to its end */
		return;
	piece.after = take_ack(reassembly, arrival);
	if (piece.size + piece.missing == 0 && piece.flags == 0)
		return;
	if (take_early_reset(reassembly, arrival))
		return;
	/* all that the other side is known to have must be told before its sender's reset */
	if ((piece.flags & PACKET_RST) != 0 && piece.after == 0)
		piece.after = connection->flows[side_other(arrival->side)].acked;
	struct flow *flow = &connection->flows[arrival->side];
	piece.place = flow_place(flow, segment->seq) + syn;
	piece.copy = piece_end(&piece) <= flow->acked;
	piece.probe = piece_is_probe(flow, &piece, segment);
	if (!take_reach(reassembly, arrival, &piece))
		return;
	connection->payload |= piece.size + piece.missing > 0;
	if (connection->state == CONNECTION_DEAF)
		take_deaf(reassembly, arrival);
	else if (reassembly->config.client_only && connection->opened &&
		 arrival->side == SIDE_SERVER)
		take_server_ends(reassembly, arrival);
	else
		take_piece(reassembly, arrival, &piece);
}

/* What comes behind a connection's end is a copy, or belongs to it no more. */
static void
take_late(struct reassembly *reassembly, const struct arrival *arrival)
{
	struct flow *flow = &arrival->connection->flows[arrival->side];
	uint64_t end = flow_place(flow, arrival->segment->seq) + arrival->segment->size;

	if (flow->end < flow->next)
		flow->end = flow->next;
	if (end <= flow->end)
		return;
	uint64_t fresh = end - flow->end;
	reassembly->counters.late +=
	    fresh < arrival->segment->size ? fresh : arrival->segment->size;
	flow->end = end;
}

void
reassembly_add(struct reassembly *reassembly, const struct packet_segment *segment, int64_t time)
{
	struct arrival arrival = {.segment = segment, .time = time};
	struct connection *connection = connection_find(reassembly, segment, time, &arrival.side);

	reassembly->counters.segments++;
	if (connection == NULL)
		return;
	arrival.connection = connection;
	if (connection->state == CONNECTION_OVER) {
		take_late(reassembly, &arrival);
		return;
	}
	if (connection != TAILQ_LAST(&reassembly->idle, connections)) {
		TAILQ_REMOVE(&reassembly->idle, connection, idle);
		TAILQ_INSERT_TAIL(&reassembly->idle, connection, idle);
	}
	if (time > connection->latest)
		connection->latest = time;
	if (connection->stream.ignored && connection->state != CONNECTION_DEAF)
		connection_deafen(reassembly, connection);
	flow_stand(&connection->flows[arrival.side], segment);
	take_segment(reassembly, &arrival);
	if (reassembly->config.patience > 0)
		settle_expired(reassembly, time);
}

void
reassembly_expire(struct reassembly *reassembly, int64_t time)
{
	if (reassembly->config.patience > 0)
		settle_expired(reassembly, time);
}

void
reassembly_finish(struct reassembly *reassembly)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(&reassembly->open)) != NULL)
		settle_all(reassembly, connection, STREAM_UNFINISHED);
}
