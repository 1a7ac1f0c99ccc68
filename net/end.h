/*
 * One end of a relay: what bytes are received from and sent to. A plain socket today; TLS can be
 * slotted in here without the relay knowing.
 */
#ifndef NET_END_H
#define NET_END_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "net/loop.h"

struct end;

struct end_ops {
	/* As recv(2) and send(2) on a non-blocking socket: -1 with EAGAIN when it must wait. */
	ssize_t (*receive)(struct end *end, void *buffer, size_t size);
	ssize_t (*send)(struct end *end, const void *data, size_t size);
	/* The same for bytes that lie in pieces. */
	ssize_t (*send_pieces)(struct end *end, struct iovec *pieces, size_t count);
	/* End our own stream (FIN); the other direction goes on. Returns -1 with errno. */
	int (*shutdown)(struct end *end);
	/* Bytes that a reset would throw away: sent, but not yet acknowledged by the peer. */
	size_t (*unsent)(struct end *end);
	/* Release the descriptor, which is not watched any more; with RST if `reset`. */
	void (*close)(struct end *end, bool reset);
};

struct end {
	const struct end_ops *ops;
	struct watch watch; /* its descriptor and what the relay waits for */
};

/* A non-blocking TCP or unix socket; `end->watch.fd` is the socket. */
extern const struct end_ops end_socket_ops;

#endif
