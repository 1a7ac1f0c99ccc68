/* Where HTTP clients show a token before they are served. */
#ifndef NETTUNNEL_GATE_H
#define NETTUNNEL_GATE_H

#include "net/loop.h"
#include "nettunnel/tokens.h"

#define GATE_TIMEOUT (INT64_C(10) * 1000 * 1000 * 1000)

/* Embedded in a client while it is at the gate; `head` is what it has sent. */
struct gate {
	struct loop *loop;
	const struct tokens *tokens;
	struct watch watch;
	struct timer timer;
	char *head;
	size_t size, capacity; /* bytes of it; that it has room for */
	/* It may pass, with `head`: `fd` is the callee's; or it was sent away: -1. */
	void (*done)(struct gate *gate, int fd);
};

/* Have the client of `fd`, the gate's from now on, asked. Returns -1 with errno: done() will not be
 * called. */
int gate_start(struct gate *gate, struct loop *loop, const struct tokens *tokens, int fd,
    void (*done)(struct gate *gate, int fd));

/* Nobody is at the gate (any more): close the socket if there is one, free `head`. done() is not
 * called. Harmless on one that is all zeros. */
void gate_release(struct gate *gate);

#endif
