/* Accepts connections on one or more sockets: batches, a limit, and a pause while descriptors are
 * short. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stddef.h>

#include "net/address.h"
#include "net/loop.h"
#include "net/metrics.h"

struct listener;

struct listener_config {
	struct loop *loop;
	struct metrics *metrics;
	/* A client has come; `fd` is the callee's, `context` what its socket was added with. It
	 * must not close the listener. */
	void (*accepted)(void *context, int fd, const struct address *client);
	const char *purpose; /* said behind the address in its announcement: "for providers"; may
				be NULL */
	size_t
	    max; /* clients at a time, counted until listener_left(); others wait in the backlog */
};

/* Returns NULL with errno. */
struct listener *listener_new(const struct listener_config *config);

/* Accept on `fd` too, a listening socket that is the listener's from now on (also on failure).
 * Returns -1 with errno. */
int listener_add(struct listener *listener, int fd, void *context);

/*
 * Listen on all addresses of `name` (an empty host means all, of IPv4 and IPv6 as far as the system
 * has them, announced as one) within `family`. Port 0 is chosen by the kernel, the same for every
 * address. Returns 0, or -1 after telling the user why. Sockets added before are left as they are.
 */
int listener_bind(
    struct listener *listener, const struct address_name *name, int family, void *context);

/* Take over the sockets that systemd passed (sd_listen_fds(3)). Returns how many, or -1 after
 * telling the user why. */
int listener_inherit(struct listener *listener, void *context);

/* Close the sockets that were added with `context`; those of others go on. */
void listener_leave(struct listener *listener, const void *context);

/* One client has gone. */
void listener_left(struct listener *listener);

/* Begin to accept, also on sockets that were added since, and announce these; or never again, with
 * the sockets closed. */
void listener_start(struct listener *listener);
void listener_stop(struct listener *listener);

void listener_free(struct listener *listener);

#endif
