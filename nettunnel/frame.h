/*
 * The frames that a link consists of once its ends have authenticated each other: version 1 of the
 * protocol, described in docs/tunnel-protocol.md.
 *
 * A frame is a header of 12 bytes, in network order: type (1 byte), size of the payload (3),
 * stream (8); then the payload.
 */
#ifndef NETTUNNEL_FRAME_H
#define NETTUNNEL_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEADER 12
#define FRAME_DATA_MAX 16384 /* payload: what a small request may have to wait behind */
#define FRAME_TEXT_MAX 255
#define FRAME_MAX (FRAME_HEADER + FRAME_DATA_MAX)
#define FRAME_WINDOW_FIRST (64 * 1024) /* bytes of a stream that may be sent before any WINDOW */

enum frame_type {
	FRAME_OPEN = 1, /* a client has come: connect; payload: its address as text */
	FRAME_DATA,	/* bytes of a stream, at least one */
	FRAME_WINDOW,	/* so many more bytes of the stream may be sent (4 bytes) */
	FRAME_END,	/* the stream's end: FIN */
	FRAME_RESET,	/* the stream has failed: RST; payload: enum frame_reason (1 byte) */
	FRAME_DRAIN,	/* no more OPEN, please */
	FRAME_BYE,	/* the session is over */
	/* outside of the link's sequence: */
	FRAME_ACK,  /* so many frames of the sequence have come (8 bytes) */
	FRAME_PING, /* wants a PONG with the same 8 bytes */
	FRAME_PONG
};

enum frame_reason {
	FRAME_FAILED = 1, /* reset by its peer, or its connection failed */
	FRAME_REFUSED,	  /* the target never accepted */
	FRAME_KILLED	  /* ended by the process that serves it */
};

struct frame {
	enum frame_type type;
	uint64_t stream; /* 0: the frame is about the link */
	const unsigned char *payload;
	size_t size;
	uint64_t number; /* of WINDOW, RESET, ACK, PING, PONG */
};

/* A frame's header; the payload of `size` bytes follows it. */
void frame_encode(
    unsigned char header[FRAME_HEADER], enum frame_type type, uint64_t stream, size_t size);

/*
 * Decode the frame at the beginning of `data`, whose payload is lent. Returns its size with header,
 * 0 if more bytes are needed, or -1 with `*error`, a static text, if no frame can begin like this.
 */
ssize_t frame_decode(
    const unsigned char *data, size_t size, struct frame *frame, const char **error);

/* Numbers in network order, `size` bytes of them. */
void frame_put_number(unsigned char *out, uint64_t number, size_t size);
uint64_t frame_get_number(const unsigned char *data, size_t size);

#endif
