/* What relay.c (its life) and relay_pass.c (what passes through it) know of a relay. Private to
 * them. */
#ifndef NET_RELAY_PRIVATE_H
#define NET_RELAY_PRIVATE_H

#include "net/flow.h"
#include "net/relay.h"

#define RELAY_LINGER                                                                               \
	(INT64_C(2) * 1000 * 1000 * 1000) /* for a dismissed client to read and end its stream */

enum relay_state {
	RELAY_ROUTING,	  /* the filter is given the client's bytes and has not decided yet */
	RELAY_CONNECTING, /* no server yet; the client's first bytes are received and held */
	RELAY_OPEN,	  /* both ends are there; each flow ends on its own */
	RELAY_DRAINING,	  /* a side has failed; what it sent before is still being delivered to the
			     other */
	RELAY_DISMISSED,  /* the filter wants no server: its last words are being delivered */
	RELAY_CLOSED	  /* released after the current round */
};

struct relay_end {
	struct end end;
	int broken; /* errno of a send that failed; what this end sent before is still received */
	bool error_seen; /* HUP or ERR was told while nothing was to be received: not watched until
			    then */
	bool bulk;	 /* much comes at once: it is received in turns with others */
	struct turn turn;
};

struct relay {
	struct tap tap;
	enum relay_state state;
	enum side failed; /* RELAY_DRAINING: whose bytes are being delivered */
	bool held_back;	  /* an observer's ready() said no */
	bool heard;	  /* the server has sent a byte or ended its stream */
	struct relay_set *set;
	struct relay_filter *filter; /* NULL: bytes pass as they are */
	struct relay_end ends[2];
	struct flow flows[2];
	struct timer timer; /* idle or half-close timeout */
	struct task task;   /* kill, or release when closed */
	void (*cancel)(void *context);
	void *context;
	LIST_ENTRY(relay) all;
};

static inline enum side
other(enum side side)
{
	return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

/* relay.c */

/* End it: descriptors, observers, memory (after the round). Harmless on a closed one. */
void relay_close(struct relay *relay, enum close_reason reason, bool reset);

/* The connection of `side` has failed: tell it, deliver what came before, then reset both ends. */
void relay_failed(struct relay *relay, enum side side, int error);

/* RELAY_DRAINING: close as soon as all that the failed side sent has left our hands. */
void relay_drain(struct relay *relay);

/* What is left after one side has ended or failed must not last for ever. */
void relay_limit(struct relay *relay);

/* relay_filter.c: what is called only where there is a filter */

/* Bytes of `side` while the two ends are not joined: routed, held or dropped. Returns false if they
 * are to be passed on. */
bool relay_filter_arrived(struct relay *relay, enum side side, const struct slice *slice);

/* `side` has ended its stream. Returns false if that is to be passed on now. */
bool relay_filter_ended(struct relay *relay, enum side side);

/* The server has accepted: what the client was held with passes now. */
void relay_filter_connected(struct relay *relay);

/* relay_pass.c */

/* Send bytes on at once, hold what cannot be sent, and show them to the observers. */
void relay_send_on(struct relay *relay, enum side side, const struct slice *slice);

/* Rewrite, send, hold what cannot be sent, and tell. Returns false if the relay has to end. */
bool relay_pass(struct relay *relay, enum side side, const struct slice *slice);

/* Send what is pending of `side`'s bytes, and what follows from it. */
void relay_flush(struct relay *relay, enum side side);

/* Pass the end of `side`'s stream on, once all bytes before it are sent. */
void relay_forward_end(struct relay *relay, enum side side);

/* Have both ends polled for what the relay now waits for. */
void relay_update(struct relay *relay);

/* End it at the end of the round, both sides reset (CLOSE_KILLED). Safe from any callback. */
void relay_kill(struct relay *relay);

/* What a client says at once goes along with the handshake of the server's connection. Its end or
 * failure waits for the next round. */
void relay_receive_first(struct relay *relay);

/* What the ends' watches call. */
void relay_client_ready(struct watch *watch, short events);
void relay_server_ready(struct watch *watch, short events);

/* What the ends' turns call. */
void relay_client_turn(struct turn *turn);
void relay_server_turn(struct turn *turn);

#endif
