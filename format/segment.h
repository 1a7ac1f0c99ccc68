/*
 * TCP as it may have been: packets synthesised from what a connection's log holds (RFC 9293; IPv4
 * RFC 791, IPv6 RFC 8200).
 *
 * The network is a perfect one: segments arrive in order at once, at most two of them (or one, if
 * they are large) are on their way unacknowledged, every packet acknowledges all that was sent
 * before it. Packets of one event are a nanosecond apart and never leave its microsecond.
 */
#ifndef FORMAT_SEGMENT_H
#define FORMAT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/capture_write.h"
#include "format/record.h"
#include "format/segment_peer.h"

#define SEGMENT_MSS_MAX 65495 /* what fits an IPv4 packet */

/* One connection being written. */
struct segment {
	struct capture_writer *writer;
	struct segment_peer peers[2];
	uint32_t next[2];     /* sequence number of the next byte that a side sends */
	uint32_t address_sum; /* of both addresses, for checksums */
	uint16_t mss;
	bool connecting;	 /* asked for, not accepted yet */
	bool finished[2];	 /* that side has ended its stream */
	bool reset;		 /* nothing follows */
	int64_t time;		 /* of the next packet */
	enum side sender;	 /* of the data being written */
	uint64_t left;		 /* bytes of it that are not written */
	unsigned char *packet;	 /* being filled, NULL: none */
	size_t filled;		 /* payload bytes in it */
	unsigned unacknowledged; /* segments */
};

/* A connection between two peers of one family (segment_peers_join()). `mss` 0: what Ethernet
 * allows. Nothing is written, nothing needs to be released. */
void segment_init(struct segment *segment, struct capture_writer *writer,
    const struct segment_peer peers[2], unsigned mss);

/*
 * All below write packets at `time` (nanoseconds since the epoch; never earlier than the packet
 * before) and return 0, or -1 with errno if there was no room for them.
 */

/* The client asks for the connection. */
int segment_connect(struct segment *segment, int64_t time, const char *comment);

/*
 * The server accepts it; or refuses, after which nothing follows. What else happens first has it
 * accepted just before. A connection that was never asked for (the log's beginning is missing) is
 * one that was open before.
 */
int segment_accept(struct segment *segment, int64_t time);
int segment_refuse(struct segment *segment, int64_t time);

/* May `side` send or end its stream; has nothing ended the connection? */
bool segment_may_send(const struct segment *segment, enum side side);

/* `side` sends `size` bytes, which are given in pieces of any size, then segment_data_end():
 * pieces that are missing at the end were never sent. */
int segment_data_begin(struct segment *segment, enum side side, int64_t time, uint64_t size);
int segment_data(struct segment *segment, const unsigned char *piece, size_t size);
int segment_data_end(struct segment *segment);

/* `side` ends its stream. */
int segment_finish(struct segment *segment, enum side side, int64_t time);

/* The connection of `side` fails; nothing follows. */
int segment_reset(struct segment *segment, enum side side, int64_t time, const char *comment);

/* Did both sides end, or one fail? */
bool segment_is_over(const struct segment *segment);

/* Room that the packets of `size` bytes of data take at most, all acknowledgements included. */
size_t segment_room(const struct segment *segment, size_t size);

#endif
