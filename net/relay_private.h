/* What relay.c (its life) and relay_pass.c (what passes through it) know of a relay. Private to
 * them. */
#ifndef NET_RELAY_PRIVATE_H
#define NET_RELAY_PRIVATE_H

#include "net/flow.h"
#include "net/relay.h"

enum relay_state {
	RELAY_CONNECTING, /* no server yet; the client's first bytes are received and held */
	RELAY_OPEN,	  /* both ends are there; each flow ends on its own */
	RELAY_DRAINING,	  /* a side has failed; what it sent before is still being delivered to the
			     other */
	RELAY_CLOSED	  /* released after the current round */
};

struct relay_end {
	struct end end;
	int broken; /* errno of a send that failed; what this end sent before is still received */
	bool error_seen; /* HUP or ERR was told while nothing was to be received: not watched until
			    then */
};

struct relay {
	struct tap tap;
	enum relay_state state;
	enum side failed; /* RELAY_DRAINING: whose bytes are being delivered */
	bool held_back;	  /* an observer's ready() said no */
	struct relay_set *set;
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

/* relay_pass.c */

/* Send what is pending of `side`'s bytes, and what follows from it. */
void relay_flush(struct relay *relay, enum side side);

/* Pass the end of `side`'s stream on, once all bytes before it are sent. */
void relay_forward_end(struct relay *relay, enum side side);

/* Have both ends polled for what the relay now waits for. */
void relay_update(struct relay *relay);

/* End it at the end of the round, both sides reset (CLOSE_KILLED). Safe from any callback. */
void relay_kill(struct relay *relay);

/* What the ends' watches call. */
void relay_client_ready(struct watch *watch, short events);
void relay_server_ready(struct watch *watch, short events);

#endif
