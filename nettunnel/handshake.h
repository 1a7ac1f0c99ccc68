/* One connection while its ends prove that they know the key: non-blocking, in little memory, in
 * bounded time. */
#ifndef NETTUNNEL_HANDSHAKE_H
#define NETTUNNEL_HANDSHAKE_H

#include "net/loop.h"
#include "nettunnel/auth.h"

#define HANDSHAKE_TIMEOUT (INT64_C(10) * 1000 * 1000 * 1000)

struct handshake;

struct handshake_ops {
	/* The server's: what the provider with this claim, which is to be believed, gets. */
	struct auth_grant (*claimed)(struct handshake *handshake, const struct auth_claim *claim);
	/* Both have proved it, and all is sent: `fd` is the callee's. The handshake is over. */
	void (*done)(struct handshake *handshake, int fd, const struct auth_claim *claim,
	    const struct auth_grant *grant);
	/* It came to nothing. The descriptor is still open and not watched: handshake_release(). */
	void (*failed)(struct handshake *handshake, const char *reason);
};

/* Embedded in its owner, which frees it by loop_later(). */
struct handshake {
	const struct handshake_ops *ops;
	struct loop *loop;
	enum auth_role role; /* ours */
	struct auth auth;
	struct auth_claim claim;
	struct watch watch;
	struct timer timer;
	bool greeted; /* the other's hello has come */
	size_t got;   /* bytes of the message that is awaited */
	unsigned char in[AUTH_SIZE_MAX];
};

/* `fd` is connected and the handshake's from now on. `claim` is the provider's, else NULL. May call
 * failed(). */
void handshake_start(struct handshake *handshake, int fd, const struct auth_claim *claim);

/* Give up: close the descriptor, if there is one still. */
void handshake_release(struct handshake *handshake);

#endif
