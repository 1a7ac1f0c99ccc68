/*
 * TCP segments, in the order of a capture, into what the connections' sides did, in the order in
 * which they did it: retransmissions, overlaps, reordering, sequence numbers that wrap, reused
 * ports, and keep-alives are dealt with. Of bytes that come twice the first copy counts, but among
 * those that wait behind missing ones the one whose segment begins first. Bytes that are missing
 * are never made up: they are told as a gap, which ends the connection. Knows neither files nor
 * clocks; what time it is the segments tell.
 *
 *     capture or live packets --packet_decode()--> reassembly_add() --> ops
 *
 * What one side sent is told before what the other sent after having acknowledged it, whatever
 * order the capture has them in. Memory: `streams` connections of some 300 bytes, and `hold_total`
 * bytes of segments that wait for others.
 */
#ifndef FORMAT_REASSEMBLY_H
#define FORMAT_REASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/packet.h"
#include "format/record.h"

struct reassembly;

enum stream_end {
	STREAM_CLOSED,	   /* both sides ended their stream (FIN) */
	STREAM_RESET,	   /* reset() told by whom */
	STREAM_REFUSED,	   /* the server reset the client's SYN */
	STREAM_GAP,	   /* gap() told what is missing */
	STREAM_UNFINISHED, /* the capture ended before it, or its addresses began another connection
			    */
	STREAM_EVICTED	   /* more than `streams` connections were open, and it was idle longest */
};

/* One connection. */
struct tcp_stream {
	void *user; /* the observer's own, NULL at first */
	/* The observer has no use for it any more: only end() is still called. It may set this in
	 * any call. */
	bool ignored;
	/* Its SYN or SYN|ACK was seen. Else the capture began later, and its client is a guess: the
	 * end that is not `server_port`, else the one with the higher port, else the one that was
	 * seen to send first. */
	bool begun;
	struct packet_end ends[2]; /* by enum side */
	int64_t start;		   /* of its first packet; times are the packets' */
	int64_t accepted;	   /* of the server's SYN|ACK; -1: none was seen (yet) */
	uint64_t bytes[2];	   /* how many data() has told, that call's not included */
	uint64_t lost; /* payload bytes that were there or are known to be missing, and data() did
			  not tell; final at end() */
};

/*
 * What is told of a connection: open() first, end() last, with nothing after eof() of a side but
 * its reset(). Times of one connection never decrease. A call may set `user` and `ignored`; it must
 * not call the reassembly. `data` is lent.
 */
struct reassembly_ops {
	void (*open)(void *context, struct tcp_stream *stream, int64_t time);
	void (*data)(void *context, struct tcp_stream *stream, enum side side, const uint8_t *data,
	    size_t size, int64_t time);
	void (*eof)(void *context, struct tcp_stream *stream, enum side side, int64_t time);
	void (*reset)(void *context, struct tcp_stream *stream, enum side side, int64_t time);
	/* `size` bytes that `side` sent are missing behind the first `offset` ones (counted from
	 * where the capture came in). Only end() is called after it, when the connection ends. A
	 * FIN that is missing looks like 1 byte. */
	void (*gap)(void *context, struct tcp_stream *stream, enum side side, uint64_t offset,
	    uint64_t size, int64_t time);
	void (*end)(void *context, struct tcp_stream *stream, enum stream_end end, int64_t time);
};

/* What is zero stands for the default. */
struct reassembly_config {
	const struct reassembly_ops *ops;
	void *context;
	size_t streams;	    /* connections open at once; 262144 */
	size_t hold_stream; /* bytes that wait for missing ones, of one connection; 16 MiB */
	size_t hold_total;  /* and of all; 256 MiB */
	/* How long bytes that are missing are waited for, in nanoseconds of the packets' time, once
	 * the other side has acknowledged them; 0: until memory says so or the capture ends */
	int64_t patience;
	uint16_t server_port; /* connections to this port: see tcp_stream.begun */
	bool client_only; /* the server's bytes are neither told nor waited for; its ends are told
			     as they are seen */
	bool begun_only;  /* connections whose SYN was not seen are passed over */
};

/* Configuration and ops must outlive it. Returns NULL with errno. */
struct reassembly *reassembly_new(const struct reassembly_config *config);

/* Forget all without a call. NULL is harmless. */
void reassembly_free(struct reassembly *reassembly);

/* Take the next segment of the capture. Memory that cannot be had counts as a segment that is
 * missing. */
void reassembly_add(
    struct reassembly *reassembly, const struct packet_segment *segment, int64_t time);

/* It is `time` now though no packet says so: give up what has been waited for longer than
 * `patience`. */
void reassembly_expire(struct reassembly *reassembly, int64_t time);

/* The capture has ended: tell what is left of all connections, in the order of their starts. */
void reassembly_finish(struct reassembly *reassembly);

struct reassembly_counters {
	uint64_t segments;    /* taken */
	uint64_t streams;     /* opened */
	uint64_t not_begun;   /* of these, whose SYN was not seen */
	uint64_t passed_over; /* segments, and connections without SYN, of which nothing was told */
	uint64_t gaps;
	uint64_t lost;	  /* bytes: see tcp_stream */
	uint64_t evicted; /* connections */
	uint64_t late;	  /* payload bytes beyond the end of their connection, or out of its window:
			     nothing was told of them */
};
const struct reassembly_counters *reassembly_counters(const struct reassembly *reassembly);

#endif
