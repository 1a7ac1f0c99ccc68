#include <stdlib.h>
#include <string.h>

#include "format/reassembly_private.h"

static int
held_compare(const struct held *one, const struct held *other)
{
	if (one->piece.place != other->piece.place)
		return one->piece.place < other->piece.place ? -1 : 1;
	return one->number < other->number ? -1 : one->number > other->number;
}

RB_GENERATE_INTERNAL(held_tree, held, entry, held_compare, __attribute__((unused)) static inline)

/* Is there a copy of it already? */
static bool
hold_has(struct flow *flow, const struct piece *piece)
{
	struct held least = {.piece = {.place = piece->place}};
	struct held *held = RB_NFIND(held_tree, &flow->held, &least);

	return held != NULL && held->piece.place == piece->place &&
	       held->piece.size >= piece->size &&
	       (held->piece.flags | piece->flags) == held->piece.flags;
}

void
hold_add(struct reassembly *reassembly, struct connection *connection, enum side side,
    const struct piece *piece)
{
	struct flow *flow = &connection->flows[side];
	struct held *held;

	if (hold_has(flow, piece))
		return;
	held = malloc(sizeof(*held) + piece->size);
	if (held == NULL)
		return; /* as if it had not been captured */
	held->piece = *piece;
	held->piece.data = held->bytes;
	held->number = reassembly->arrivals++;
	if (piece->size > 0)
		memcpy(held->bytes, piece->data, piece->size);
	RB_INSERT(held_tree, &flow->held, held);
	if (connection->held == 0) {
		connection->held_since = piece->time;
		TAILQ_INSERT_TAIL(&reassembly->holding, connection, holding);
	}
	connection->held += sizeof(*held) + piece->size;
	reassembly->held += sizeof(*held) + piece->size;
}

struct held *
hold_first(struct connection *connection, enum side side)
{
	return RB_MIN(held_tree, &connection->flows[side].held);
}

struct held *
hold_next(struct held *held)
{
	return RB_NEXT(held_tree, NULL, held);
}

struct held *
hold_last(struct connection *connection, enum side side)
{
	return RB_MAX(held_tree, &connection->flows[side].held);
}

void
hold_take(
    struct reassembly *reassembly, struct connection *connection, enum side side, struct held *held)
{
	size_t size = sizeof(*held) + held->piece.size;

	RB_REMOVE(held_tree, &connection->flows[side].held, held);
	connection->held -= size;
	reassembly->held -= size;
	if (connection->held == 0)
		TAILQ_REMOVE(&reassembly->holding, connection, holding);
}

void
hold_drop_stray(
    struct reassembly *reassembly, struct connection *connection, enum side side, struct held *held)
{
	reassembly->counters.late += held->piece.size;
	hold_take(reassembly, connection, side, held);
	free(held);
}

void
hold_drop(struct reassembly *reassembly, struct connection *connection, enum side side)
{
	struct held *held;

	while ((held = hold_first(connection, side)) != NULL) {
		hold_take(reassembly, connection, side, held);
		free(held);
	}
}

void
hold_drop_all(struct reassembly *reassembly, struct connection *connection)
{
	hold_drop(reassembly, connection, SIDE_CLIENT);
	hold_drop(reassembly, connection, SIDE_SERVER);
}
