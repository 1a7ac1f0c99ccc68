/*
 * The observer that writes connections as a capture while they last (netrecord -w): TCP packets as
 * `netlog pcap` makes them, in pcapng, passed on after every round of the loop. A thread of its own
 * writes them. Its queue is bounded: a reader that stalls has connections ended in the capture,
 * never anything else.
 */
#ifndef NET_LIVECAPTURE_H
#define NET_LIVECAPTURE_H

#include "net/loop.h"
#include "net/metrics.h"
#include "net/observer.h"

struct livecapture;

struct livecapture_config {
	const char *path;	 /* "-": standard output, which is then nobody else's any more */
	const char *comment;	 /* what it holds */
	const char *server_name; /* name of the server's address; NULL: it has none */
	size_t queue_size;	 /* 0: the default, 64M */
	struct metrics *metrics;
};

/* Open the file and start the thread; signals must be blocked already (loop_signal()). A FIFO is
 * opened by the thread, which may wait for its reader. Returns NULL after telling the user why. */
struct livecapture *livecapture_new(struct loop *loop, const struct livecapture_config *config);

/* Have the connection of `tap` captured. Returns 0, or -1 with errno. */
int livecapture_attach(struct livecapture *live, struct tap *tap);

/* Write out what is queued and end the thread, and say so if the reader does not read. All relays
 * must be closed before. */
void livecapture_finish(struct livecapture *live);

/* What a thread that hangs still uses is not released. NULL is harmless. */
void livecapture_free(struct livecapture *live);

#endif
