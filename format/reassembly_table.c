#include <stdlib.h>
#include <string.h>

#include "format/reassembly_private.h"

#define BUCKETS_FIRST 1024
#define OVER_MOST 16384 /* connections remembered behind their ends */

int
table_init(struct reassembly *reassembly)
{
	reassembly->bucket_count = BUCKETS_FIRST;
	reassembly->buckets = calloc(BUCKETS_FIRST, sizeof(struct connection *));
	if (reassembly->buckets == NULL)
		return -1;
	/* nobody who writes a capture shall know which connections share a bucket */
	arc4random_buf(reassembly->seed, sizeof(reassembly->seed));
	reassembly->seed[2] |= 1;
	return 0;
}

static void
connection_free(struct reassembly *reassembly, struct connection *connection)
{
	hold_drop_all(reassembly, connection);
	free(connection);
}

void
table_release(struct reassembly *reassembly)
{
	struct connection *connection, *chain;

	for (size_t i = 0; i < reassembly->bucket_count; i++) {
		for (connection = reassembly->buckets[i]; connection != NULL; connection = chain) {
			chain = connection->chain;
			connection_free(reassembly, connection);
		}
	}
	free(reassembly->buckets);
}

/* Both halves of a product: with a factor that nobody knows, all bits of it depend on all of both.
 */
static uint64_t
mix(uint64_t one, uint64_t other)
{
	__extension__ unsigned __int128 product = (unsigned __int128)one * other;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
end_hash(const uint64_t seed[3], const struct packet_end *end)
{
	uint64_t high, low;

	memcpy(&high, end->address, 8);
	memcpy(&low, end->address + 8, 8);
	return mix(mix(high ^ seed[0], low ^ seed[1]) ^ end->port, seed[2]);
}

/* The same for both directions. */
static uint64_t
segment_hash(const struct reassembly *reassembly, const struct packet_segment *segment)
{
	return end_hash(reassembly->seed, &segment->from) +
	       end_hash(reassembly->seed, &segment->to);
}

static bool
end_equal(const struct packet_end *one, const struct packet_end *other)
{
	return one->port == other->port &&
	       memcmp(one->address, other->address, sizeof(one->address)) == 0;
}

static bool
connection_matches(
    const struct connection *connection, const struct packet_segment *segment, enum side *side)
{
	const struct packet_end *ends = connection->stream.ends;

	if (end_equal(&ends[SIDE_CLIENT], &segment->from) &&
	    end_equal(&ends[SIDE_SERVER], &segment->to))
		*side = SIDE_CLIENT;
	else if (end_equal(&ends[SIDE_SERVER], &segment->from) &&
		 end_equal(&ends[SIDE_CLIENT], &segment->to))
		*side = SIDE_SERVER;
	else
		return false;
	return true;
}

struct connection *
table_find(struct reassembly *reassembly, const struct packet_segment *segment, enum side *side)
{
	struct connection *connection = reassembly->last;

	if (connection != NULL && connection_matches(connection, segment, side))
		return connection;
	uint64_t hash = segment_hash(reassembly, segment);
	connection = reassembly->buckets[hash & (reassembly->bucket_count - 1)];
	for (; connection != NULL; connection = connection->chain) {
		if (connection->hash == hash && connection_matches(connection, segment, side)) {
			reassembly->last = connection;
			return connection;
		}
	}
	return NULL;
}

/* Twice as many buckets; if there is no memory for them the chains get longer. */
static void
table_grow(struct reassembly *reassembly)
{
	size_t count = 2 * reassembly->bucket_count;
	struct connection **buckets = calloc(count, sizeof(struct connection *));
	struct connection *connection, *chain;

	if (buckets == NULL)
		return;
	for (size_t i = 0; i < reassembly->bucket_count; i++) {
		for (connection = reassembly->buckets[i]; connection != NULL; connection = chain) {
			struct connection **bucket = &buckets[connection->hash & (count - 1)];
			chain = connection->chain;
			connection->chain = *bucket;
			*bucket = connection;
		}
	}
	free(reassembly->buckets);
	reassembly->buckets = buckets;
	reassembly->bucket_count = count;
}

struct connection *
table_add(struct reassembly *reassembly, const struct packet_segment *segment, int64_t time)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct connection **bucket;

	if (connection == NULL)
		return NULL;
	if (reassembly->connection_count >= reassembly->bucket_count)
		table_grow(reassembly);
	connection->stream.ends[SIDE_CLIENT] = segment->from;
	connection->stream.ends[SIDE_SERVER] = segment->to;
	connection->stream.start = connection->time = connection->latest = time;
	connection->stream.accepted = -1;
	connection->hash = segment_hash(reassembly, segment);
	bucket = &reassembly->buckets[connection->hash & (reassembly->bucket_count - 1)];
	connection->chain = *bucket;
	*bucket = connection;
	reassembly->connection_count++;
	reassembly->open_count++;
	TAILQ_INSERT_TAIL(&reassembly->open, connection, order);
	TAILQ_INSERT_TAIL(&reassembly->idle, connection, idle);
	reassembly->last = connection;
	return connection;
}

void
table_retire(struct reassembly *reassembly, struct connection *connection)
{
	TAILQ_REMOVE(&reassembly->open, connection, order);
	TAILQ_REMOVE(&reassembly->idle, connection, idle);
	TAILQ_INSERT_TAIL(&reassembly->over, connection, order);
	reassembly->open_count--;
	reassembly->over_count++;
	if (reassembly->over_count > OVER_MOST)
		table_remove(reassembly, TAILQ_FIRST(&reassembly->over));
}

void
table_remove(struct reassembly *reassembly, struct connection *connection)
{
	struct connection **at =
	    &reassembly->buckets[connection->hash & (reassembly->bucket_count - 1)];

	while (*at != connection)
		at = &(*at)->chain;
	*at = connection->chain;
	TAILQ_REMOVE(&reassembly->over, connection, order);
	reassembly->over_count--;
	reassembly->connection_count--;
	if (reassembly->last == connection)
		reassembly->last = NULL;
	connection_free(reassembly, connection);
}

void
connection_turn(struct connection *connection)
{
	struct packet_end end = connection->stream.ends[SIDE_CLIENT];
	struct flow flow = connection->flows[SIDE_CLIENT];

	connection->stream.ends[SIDE_CLIENT] = connection->stream.ends[SIDE_SERVER];
	connection->stream.ends[SIDE_SERVER] = end;
	connection->flows[SIDE_CLIENT] = connection->flows[SIDE_SERVER];
	connection->flows[SIDE_SERVER] = flow;
}
