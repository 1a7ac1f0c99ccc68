#include <stdlib.h>

#include "format/reassembly_private.h"

/* What a reset may be below its receiver, since captures are not quite in order. */
#define RESET_SLACK ((uint64_t)64 << 10)

/* Is anybody told? Times never decrease: what waited for others is as late as they are. */
static bool
tell_begin(struct connection *connection, int64_t time)
{
	if (time > connection->time)
		connection->time = time;
	return connection->opened && !connection->stream.ignored;
}

/* Nothing that is held will be told. */
static void
drop_held(struct reassembly *reassembly, struct connection *connection)
{
	struct held *held;

	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
		while ((held = hold_last(connection, (enum side)side)) != NULL &&
		       place_is_stray(connection, (enum side)side, held->piece.place))
			hold_drop_stray(reassembly, connection, (enum side)side, held);
	}
	hold_drop_all(reassembly, connection);
}

void
connection_deafen(struct reassembly *reassembly, struct connection *connection)
{
	drop_held(reassembly, connection);
	connection->state = CONNECTION_DEAF;
}

/* The observer may have lost its interest in the call before. */
static void
ignored_notice(struct reassembly *reassembly, struct connection *connection)
{
	if (connection->stream.ignored && connection->state == CONNECTION_FLOWING)
		connection_deafen(reassembly, connection);
}

void
tell_open(struct reassembly *reassembly, struct connection *connection)
{
	struct tcp_stream *stream = &connection->stream;

	reassembly->counters.streams++;
	reassembly->counters.not_begun += !stream->begun;
	connection->opened = true;
	connection->time = stream->start;
	if (reassembly->config.client_only)
		hold_drop(reassembly, connection, SIDE_SERVER);
	reassembly->config.ops->open(reassembly->config.context, stream, stream->start);
}

/* Is it far below where its receiver stands, which will pass over it (RFC 9293, section 3.10.7.4)?
 */
static bool
reset_is_old(const struct flow *flow, const struct piece *piece)
{
	uint64_t stands = flow->acked != 0 ? flow->acked : flow->known ? flow->next : 0;

	return piece->place + RESET_SLACK < stands;
}

bool
piece_is_old(const struct flow *flow, const struct piece *piece)
{
	if ((piece->flags & PACKET_RST) != 0)
		return reset_is_old(flow, piece);
	if (!flow->known)
		return false;
	if (flow->ended)
		return true;
	if ((piece->flags & PACKET_FIN) != 0)
		return piece_end(piece) < flow->next;
	return piece_end(piece) <= flow->next;
}

bool
piece_is_next(const struct flow *flow, const struct piece *piece)
{
	/* behind a FIN there is nothing that could be missing */
	return !flow->known || flow->ended || piece->place <= flow->next;
}

bool
piece_is_caused(const struct reassembly *reassembly, const struct connection *connection,
    enum side side, const struct piece *piece)
{
	const struct flow *other = &connection->flows[side_other(side)];

	if (reassembly->config.client_only || connection->one_sided || !other->known ||
	    other->ended)
		return true;
	return piece->after <= other->next;
}

void
tell_eof(struct reassembly *reassembly, struct connection *connection, enum side side, int64_t time)
{
	struct flow *flow = &connection->flows[side];

	flow->ended = true;
	flow->next++;
	if (tell_begin(connection, time))
		reassembly->config.ops->eof(
		    reassembly->config.context, &connection->stream, side, connection->time);
	if (connection->flows[side_other(side)].ended)
		tell_end(reassembly, connection, STREAM_CLOSED);
	else
		ignored_notice(reassembly, connection);
}

void
tell_reset(
    struct reassembly *reassembly, struct connection *connection, enum side side, int64_t time)
{
	if (tell_begin(connection, time))
		reassembly->config.ops->reset(
		    reassembly->config.context, &connection->stream, side, connection->time);
	tell_end(reassembly, connection, STREAM_RESET);
}

void
tell_gap(struct reassembly *reassembly, struct connection *connection, enum side side,
    uint64_t size, int64_t time)
{
	struct flow *flow = &connection->flows[side];

	if (flow->end < flow->next + size)
		flow->end = flow->next + size;
	reassembly->counters.gaps++;
	connection->gap = true;
	connection_deafen(reassembly, connection);
	if (tell_begin(connection, time))
		reassembly->config.ops->gap(reassembly->config.context, &connection->stream, side,
		    flow->next - flow->origin, size, connection->time);
}

void
tell_end(struct reassembly *reassembly, struct connection *connection, enum stream_end end)
{
	struct tcp_stream *stream = &connection->stream;

	drop_held(reassembly, connection);
	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
		const struct flow *flow = &connection->flows[side];
		if (reassembly->config.client_only && side == SIDE_SERVER)
			break;
		if (flow->end > flow->next && flow->placed)
			stream->lost += flow->end - flow->next;
	}
	connection->state = CONNECTION_OVER;
	if (connection->opened) {
		reassembly->counters.lost += stream->lost;
		reassembly->config.ops->end(reassembly->config.context, stream,
		    connection->gap ? STREAM_GAP : end, connection->time);
	}
	table_retire(reassembly, connection);
}

void
tell_piece(struct reassembly *reassembly, struct connection *connection, enum side side,
    const struct piece *piece)
{
	struct flow *flow = &connection->flows[side];
	uint64_t told = flow->next > piece->place ? flow->next - piece->place : 0;

	if ((piece->flags & PACKET_RST) != 0) {
		tell_reset(reassembly, connection, side, piece->time);
		return;
	}
	if (told < piece->size) {
		size_t size = piece->size - (size_t)told;
		if (tell_begin(connection, piece->time))
			reassembly->config.ops->data(reassembly->config.context,
			    &connection->stream, side, piece->data + told, size, connection->time);
		connection->stream.bytes[side] += size;
		flow->next += size;
	}
	if (piece->missing > 0 && piece_end(piece) > flow->next) {
		/* another copy would be cut too */
		tell_gap(reassembly, connection, side, piece_end(piece) - flow->next, piece->time);
		return;
	}
	if ((piece->flags & PACKET_FIN) != 0 && piece_end(piece) == flow->next)
		tell_eof(reassembly, connection, side, piece->time);
	else
		ignored_notice(reassembly, connection);
}

/* Drop what is old, and return the first of what is not if it is next. */
static struct held *
next_held(struct reassembly *reassembly, struct connection *connection, enum side side)
{
	struct flow *flow = &connection->flows[side];
	struct held *held;

	while ((held = hold_first(connection, side)) != NULL && piece_is_old(flow, &held->piece)) {
		if (place_is_stray(connection, side, held->piece.place)) {
			hold_drop_stray(reassembly, connection, side, held);
			continue;
		}
		hold_take(reassembly, connection, side, held);
		free(held);
	}
	return held != NULL && piece_is_next(flow, &held->piece) ? held : NULL;
}

/* Which of the two to tell now, if any: the one that came first of those whose causes are told. */
static struct held *
choose_held(const struct reassembly *reassembly, const struct connection *connection,
    struct held *const held[2], enum side *side)
{
	bool caused[2];

	for (int i = SIDE_CLIENT; i <= SIDE_SERVER; i++)
		caused[i] = held[i] != NULL &&
			    piece_is_caused(reassembly, connection, (enum side)i, &held[i]->piece);
	if (caused[0] == caused[1]) {
		/* if each waits for the other, one of them is a copy sent later: nothing is missing
		 */
		if (held[0] == NULL || held[1] == NULL)
			return NULL;
		*side = held[0]->number < held[1]->number ? SIDE_CLIENT : SIDE_SERVER;
	} else {
		*side = caused[0] ? SIDE_CLIENT : SIDE_SERVER;
	}
	return held[*side];
}

void
tell_held(struct reassembly *reassembly, struct connection *connection)
{
	bool told = false;

	while (connection->state == CONNECTION_FLOWING && connection->held > 0) {
		struct held *const held[2] = {next_held(reassembly, connection, SIDE_CLIENT),
		    next_held(reassembly, connection, SIDE_SERVER)};
		enum side side = SIDE_CLIENT;
		struct held *chosen = choose_held(reassembly, connection, held, &side);
		if (chosen == NULL)
			break;
		hold_take(reassembly, connection, side, chosen);
		tell_piece(reassembly, connection, side, &chosen->piece);
		free(chosen);
		told = true;
	}
	if (told && connection->held > 0) {
		/* what is waited for now is something else */
		connection->held_since = connection->time;
		TAILQ_REMOVE(&reassembly->holding, connection, holding);
		TAILQ_INSERT_TAIL(&reassembly->holding, connection, holding);
	}
}
