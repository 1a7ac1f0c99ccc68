#include "format/reassembly_private.h"

uint64_t
flow_place(struct flow *flow, uint32_t seq)
{
	if (!flow->placed) {
		flow->placed = true;
		flow->origin = flow->next = PLACE_BASE + seq;
	}
	uint64_t reach = flow_reach(flow);
	return reach + (uint64_t)(int64_t)(int32_t)(seq - (uint32_t)reach);
}

/* Is the place `from` before `to`, and not far? */
static bool
place_near(uint64_t from, uint64_t to)
{
	return (int64_t)(to - from) >= 0 && (int64_t)(to - from) < NEAR_MOST;
}

/* Was it over before it had begun: refused, or reset before any data? */
static bool
connection_failed(const struct connection *connection)
{
	return connection->state == CONNECTION_OVER && !connection->gap &&
	       connection->stream.bytes[0] + connection->stream.bytes[1] == 0 &&
	       !connection->flows[0].ended && !connection->flows[1].ended;
}

/* Does this SYN belong to another connection than the one that its addresses have? */
static bool
syn_is_another(struct connection *connection, enum side side, const struct packet_segment *segment)
{
	struct flow *flow = &connection->flows[side], *other = &connection->flows[side_other(side)];
	const struct held *first = hold_first(connection, side);
	uint64_t place;

	/* who was refused may try again with the same number */
	if (connection_failed(connection) && (segment->flags & PACKET_ACK) == 0)
		return true;
	if (flow->known)
		return (uint32_t)flow->origin != segment->seq + 1;
	/* what is known of the other side alone may have been enough (client_only); its SYN may
	 * have had data */
	if (other->known && (segment->flags & PACKET_ACK) != 0)
		return segment->ack - (uint32_t)other->origin >
		       (other->end > other->origin ? (uint32_t)(other->end - other->origin) : 0);
	if (connection->state != CONNECTION_FORMING)
		return true;
	if (!flow->placed)
		return false;
	place = flow_place(flow, segment->seq) + 1;
	if (first != NULL)
		return !place_near(place, first->piece.place);
	return flow->first_acked != 0 && !place_near(place, flow->first_acked);
}

/* Is `seq` far from all that the side is known to have sent? */
static bool
seq_is_far(const struct flow *flow, uint32_t seq)
{
	int64_t ahead = (int32_t)(seq - (uint32_t)flow_reach(flow));

	return flow->placed && (ahead > NEAR_MOST || ahead < -NEAR_MOST);
}

/* Is it of another connection than the one that its addresses have? One that began unseen is told
 * from one that is over by its numbers. */
static bool
segment_is_another(
    struct connection *connection, enum side side, const struct packet_segment *segment)
{
	if ((segment->flags & PACKET_SYN) != 0)
		return syn_is_another(connection, side, segment);
	return connection->state == CONNECTION_OVER && segment->size + segment->missing > 0 &&
	       (segment->flags & PACKET_ACK) != 0 &&
	       seq_is_far(&connection->flows[side], segment->seq) &&
	       seq_is_far(&connection->flows[side_other(side)], segment->ack);
}

/* Begin a connection. Any segment will do: one that is empty tells where both sides stand, and
 * packets may be out of order. */
static struct connection *
connection_begin(struct reassembly *reassembly, const struct packet_segment *segment, int64_t time)
{
	struct connection *connection = table_add(reassembly, segment, time);

	if (connection == NULL) {
		reassembly->counters.passed_over++;
		return NULL;
	}
	if (reassembly->open_count > reassembly->config.streams) {
		reassembly->counters.evicted += TAILQ_FIRST(&reassembly->idle)->opened;
		settle_all(reassembly, TAILQ_FIRST(&reassembly->idle), STREAM_EVICTED);
	}
	return connection;
}

struct connection *
connection_find(struct reassembly *reassembly, const struct packet_segment *segment, int64_t time,
    enum side *side)
{
	struct connection *connection = table_find(reassembly, segment, side);

	if (connection != NULL && segment_is_another(connection, *side, segment)) {
		if (connection->state != CONNECTION_OVER)
			settle_all(reassembly, connection, STREAM_UNFINISHED);
		table_remove(reassembly, connection);
		connection = NULL;
	}
	if (connection != NULL)
		return connection;
	*side = SIDE_CLIENT;
	return connection_begin(reassembly, segment, time);
}
