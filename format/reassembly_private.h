/* What the files of the reassembly share. Private to reassembly*.c. */
#ifndef FORMAT_REASSEMBLY_PRIVATE_H
#define FORMAT_REASSEMBLY_PRIVATE_H

#include <sys/queue.h>
#include <sys/tree.h>

#include "format/reassembly.h"

/*
 * Sequence numbers are counted with 64 bits: the first one seen of a side is PLACE_BASE and some,
 * later ones are near where the side stands. So they neither wrap nor go below zero.
 */
#define PLACE_BASE ((uint64_t)1 << 40)
#define WINDOW_MOST ((int64_t)1 << 30) /* RFC 7323, section 2.3: nothing is further ahead */

/* What is further than this from where its side stands needs a second witness: a segment is
 * believed if it is acknowledged, and an acknowledgement if there is such a segment. Else they are
 * strays. */
#define NEAR_MOST ((int64_t)64 << 20)

/* A segment as a stretch of what one side sent. */
struct piece {
	uint64_t place; /* of its first payload byte */
	uint64_t after; /* what its sender had received of the other side by then; 0: unknown */
	int64_t time;
	const uint8_t *data;
	size_t size;
	size_t missing; /* behind these, cut by the snapshot length */
	uint8_t flags;
	bool copy;  /* what it has was acknowledged before it was captured */
	bool probe; /* it is a keep-alive's byte, if nothing leads there */
};

/* A piece that waits for others. */
struct held {
	RB_ENTRY(held) entry;
	struct piece piece;
	uint64_t number; /* in the order of arrival */
	uint8_t bytes[];
};

RB_HEAD(held_tree, held);

/* What is known of one side. */
struct flow {
	uint64_t origin; /* place of its first byte */
	uint64_t next;	 /* place of the first one that has not been told */
	uint64_t end;	 /* behind the last one known to be sent */
	uint64_t acked;	 /* behind the last one that the other side has said to have; 0: none */
	uint64_t first_acked; /* the lowest of these */
	/* where it stood when its first packet was captured: behind what it had sent until then,
	 * or what had been acknowledged; 0: none was captured */
	uint64_t stood;
	struct held_tree held;
	bool placed; /* sequence numbers can be counted */
	bool known;  /* `origin` and `next` are true */
	bool fin;    /* its FIN was seen */
	bool ended;  /* its FIN was told, or passed over */
	bool probed; /* its first packet may be a keep-alive, whose number is one before `stood` */
};

/*
 * FORMING -> FLOWING    where both sides begin is known, or given up to be known
 * FORMING, FLOWING -> DEAF    a gap, or nobody is interested: only sizes and ends are looked at
 * any -> OVER    ended; remembered for a while, so that what comes late begins no new connection
 */
enum connection_state { CONNECTION_FORMING, CONNECTION_FLOWING, CONNECTION_DEAF, CONNECTION_OVER };

struct connection {
	struct tcp_stream stream;
	struct flow flows[2]; /* by enum side */
	enum connection_state state;
	bool opened;	/* open() was called, and end() is owed */
	bool payload;	/* there was some, on either side */
	bool gap;	/* told */
	bool one_sided; /* the other direction is not in the capture: it is not waited for */
	int64_t time;	/* of what was told last */
	int64_t latest; /* of its latest packet */
	uint64_t hash;
	size_t held;			 /* bytes of memory in both trees */
	int64_t held_since;		 /* packets' time; good while `held` is not 0 */
	struct connection *chain;	 /* in its bucket */
	TAILQ_ENTRY(connection) order;	 /* reassembly.open by start, or .over by end */
	TAILQ_ENTRY(connection) idle;	 /* reassembly.idle, the longest idle first, unless OVER */
	TAILQ_ENTRY(connection) holding; /* reassembly.holding, while `held` is not 0 */
};

TAILQ_HEAD(connections, connection);

struct reassembly {
	struct reassembly_config config; /* with the defaults filled in */
	struct reassembly_counters counters;
	struct connection **buckets;
	size_t bucket_count; /* a power of 2 */
	size_t connection_count;
	size_t open_count, over_count;
	uint64_t seed[3];
	struct connection *last; /* what was found last */
	struct connections open, over, idle, holding;
	size_t held;
	uint64_t arrivals;
};

static inline enum side
side_other(enum side side)
{
	return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

static inline uint64_t
piece_end(const struct piece *piece)
{
	return piece->place + piece->size + piece->missing;
}

/* Behind all that the side is known to have sent. */
static inline uint64_t
flow_reach(const struct flow *flow)
{
	uint64_t reach = flow->end > flow->next ? flow->end : flow->next;

	return flow->acked > reach ? flow->acked : reach;
}

/* Is the place so far ahead of all that `side` is known to have sent that it needs a witness, and
 * could there be one? */
static inline bool
place_is_stray(const struct connection *connection, enum side side, uint64_t place)
{
	int64_t ahead = (int64_t)(place - flow_reach(&connection->flows[side]));

	return ahead > WINDOW_MOST ||
	       (ahead > NEAR_MOST && connection->flows[SIDE_CLIENT].stood != 0 &&
		   connection->flows[SIDE_SERVER].stood != 0);
}

/* reassembly_table.c: connections by their two ends */

int table_init(struct reassembly *reassembly);
void table_release(struct reassembly *reassembly);

/* The connection of these two ends, or NULL; `*side` is which of them sent. */
struct connection *table_find(
    struct reassembly *reassembly, const struct packet_segment *segment, enum side *side);

/* A new one in state FORMING, `segment` being taken as the client's. Returns NULL if there is no
 * memory. */
struct connection *table_add(
    struct reassembly *reassembly, const struct packet_segment *segment, int64_t time);

/* It is OVER: keep it only as one to be remembered. May free the one that ended longest ago. */
void table_retire(struct reassembly *reassembly, struct connection *connection);
void table_remove(struct reassembly *reassembly, struct connection *connection);

/* Its two sides change places. */
void connection_turn(struct connection *connection);

/* reassembly_find.c: which connection a segment belongs to */

/* The place of sequence number `seq`, counted from where the side stands. */
uint64_t flow_place(struct flow *flow, uint32_t seq);

/* The connection of the segment, perhaps a new one; NULL if there is no memory. `*side` is who sent
 * it. */
struct connection *connection_find(struct reassembly *reassembly,
    const struct packet_segment *segment, int64_t time, enum side *side);

/* reassembly_hold.c: pieces that wait */

/* Keep a copy of `piece`; one that says nothing new is passed over. */
void hold_add(struct reassembly *reassembly, struct connection *connection, enum side side,
    const struct piece *piece);

/* The one with the lowest place, or NULL. */
struct held *hold_first(struct connection *connection, enum side side);

/* The one behind it of the same side, or NULL. */
struct held *hold_next(struct held *held);

/* The one with the highest place, or NULL. */
struct held *hold_last(struct connection *connection, enum side side);

/* Take it out; the caller frees it. */
void hold_take(struct reassembly *reassembly, struct connection *connection, enum side side,
    struct held *held);

/* Let go of one that no acknowledgement spoke for. */
void hold_drop_stray(struct reassembly *reassembly, struct connection *connection, enum side side,
    struct held *held);

/* Let go of all. */
void hold_drop(struct reassembly *reassembly, struct connection *connection, enum side side);
void hold_drop_all(struct reassembly *reassembly, struct connection *connection);

/* reassembly_tell.c: from pieces to calls */

void tell_open(struct reassembly *reassembly, struct connection *connection);

/* Does it say nothing that was not told? */
bool piece_is_old(const struct flow *flow, const struct piece *piece);

/* Is it where its side stands? */
bool piece_is_next(const struct flow *flow, const struct piece *piece);

/* Is all told that its sender had received? */
bool piece_is_caused(const struct reassembly *reassembly, const struct connection *connection,
    enum side side, const struct piece *piece);

/* Tell a piece that is next. */
void tell_piece(struct reassembly *reassembly, struct connection *connection, enum side side,
    const struct piece *piece);

/* Tell what is held as far as nothing is missing. */
void tell_held(struct reassembly *reassembly, struct connection *connection);

/* Tell that `size` bytes are missing where the side stands. */
void tell_gap(struct reassembly *reassembly, struct connection *connection, enum side side,
    uint64_t size, int64_t time);

/* Go on with looking at sizes and ends only. */
void connection_deafen(struct reassembly *reassembly, struct connection *connection);

void tell_eof(
    struct reassembly *reassembly, struct connection *connection, enum side side, int64_t time);
void tell_reset(
    struct reassembly *reassembly, struct connection *connection, enum side side, int64_t time);

/* The connection is over: a gap that was told is why, else `end`. */
void tell_end(struct reassembly *reassembly, struct connection *connection, enum stream_end end);

/* reassembly_settle.c: what is not waited for any longer */

/* Tell what is left, with a gap where bytes are missing, and end. */
void settle_all(struct reassembly *reassembly, struct connection *connection, enum stream_end end);

/* Keep within the bounds of memory, and of patience by the packets' `time`. */
void settle_bounds(struct reassembly *reassembly, struct connection *connection);
void settle_expired(struct reassembly *reassembly, int64_t time);

#endif
