/*
 * A relay joins two ends by two flows; observers see what passes. All of it belongs to one loop's
 * thread.
 *
 * One FIN in, one FIN out: when a side ends its stream, the other side's is ended after the bytes
 * before it, and the opposite direction goes on. One RST in, one RST out: when a side fails, what
 * it sent before is delivered, then the other side is reset.
 */
#ifndef NET_RELAY_H
#define NET_RELAY_H

#include "net/end.h"
#include "net/metrics.h"
#include "net/observer.h"

/* What all relays of a loop share. */
struct relay_set {
	struct loop *loop;
	struct chunk_pool *pool;
	struct metrics *metrics;
	int64_t
	    idle_timeout; /* nanoseconds without a byte after which both sides are reset; 0: none */
	int64_t half_close_timeout; /* the same once one side has ended; 0: none */
	size_t held;		    /* bytes that wait to be sent */
	size_t count;		    /* relays alive */
	uint64_t last_id;
	LIST_HEAD(, relay) relays;
	/* Called after a relay has gone (descriptors closed), never from within a relay_*()
	 * function of the caller; NULL: not called. */
	void (*gone)(void *context);
	void *context;
};

/* A relay for the accepted socket `fd` of `client`; it waits for relay_connected(). Returns NULL
 * with errno, `fd` is then still the caller's. */
struct relay *relay_new(struct relay_set *set, int fd, const struct address *client);

/* Where observers are added, before relay_start(). */
struct tap *relay_tap(struct relay *relay);

/* Open the observers, `server` being the address that will be tried first, and begin to receive
 * from the client. */
void relay_start(struct relay *relay, const struct address *server);

/* While the server is being connected: `cancel` is called if the relay ends before
 * relay_connected() or relay_refused(). */
void relay_on_cancel(struct relay *relay, void (*cancel)(void *context), void *context);

/* The server has accepted: `fd` is the relay's from now on. */
void relay_connected(struct relay *relay, int fd, const struct address *server);

/* No server accepted: the client is reset, the relay ends. */
void relay_refused(struct relay *relay);

/*
 * End all relays now (not from a callback of one of them): as tap_kill(), but what the kernel has
 * taken is still delivered.
 */
void relay_set_stop(struct relay_set *set);

#endif
