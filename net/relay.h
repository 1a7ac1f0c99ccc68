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

struct relay_filter;

/*
 * What a script does with a relay: it says where the client goes, and rewrites what passes. All is
 * called from the loop's thread.
 */
struct relay_filter_ops {
	/* Not routed yet: the client has sent these bytes, lent, at most filter->room. Nothing of
	 * this is held by the relay or told to observers. */
	void (*arrived)(struct relay_filter *filter, const struct slice *slice);
	/* Not routed yet: the client has ended its stream. */
	void (*ended)(struct relay_filter *filter);
	/*
	 * Where filter->rewrites[side] is set: `side` has sent the bytes of `slice`; make it those
	 * that are to be told to observers and sent on, lent until the next call (size 0: none for
	 * now). A slice of size 0 says that the stream has ended. Returns -1 if the connection must
	 * end.
	 */
	int (*rewrite)(struct relay_filter *filter, enum side side, struct slice *slice);
	/* The relay is closed. It is still there until the end of the round. */
	void (*closed)(struct relay_filter *filter);
};

/* Embedded in its owner, which must live until closed() was called. */
struct relay_filter {
	const struct relay_filter_ops *ops;
	size_t room;	  /* how much more arrived() takes */
	bool rewrites[2]; /* by enum side; may be changed at any time before its first byte */
};

/* What all relays of a loop share. */
struct relay_set {
	struct loop *loop;
	struct chunk_pool *pool;
	struct chunk_pool *bulk_pool; /* of slabs of CHUNK_BULK_SIZE, for what comes in bulk */
	struct metrics *metrics;
	int64_t
	    idle_timeout; /* nanoseconds without a byte after which both sides are reset; 0: none */
	int64_t half_close_timeout; /* the same once one side has ended; 0: none */
	size_t held;		    /* bytes that wait to be sent */
	size_t observed; /* memory that observers hold under bounds of their own: it does not count
			    against what relays may hold */
	size_t read_max; /* most bytes received at once; 0: a slab's */
	size_t count;	 /* relays alive */
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

/* Do bytes of the client wait for the server? */
bool relay_waits(const struct relay *relay);

/* While the server is being connected: `cancel` is called if the relay ends before
 * relay_connected() or relay_refused(). */
void relay_on_cancel(struct relay *relay, void (*cancel)(void *context), void *context);

/* The server has accepted: `fd` is the relay's from now on. */
void relay_connected(struct relay *relay, int fd, const struct address *server);

/* No server accepted: the client is reset, the relay ends. */
void relay_refused(struct relay *relay);

/*
 * For filters. Have `filter` stand in the relay, before relay_start(). If it is to `route`, the
 * client's bytes go to filter->ops->arrived() until relay_routed() or relay_dismiss(); else, and
 * then, relay_connected() or relay_refused() is expected.
 */
void relay_set_filter(struct relay *relay, struct relay_filter *filter, bool route);

/* Send bytes to the client before the server is there; they are told as the server's. */
void relay_reply(struct relay *relay, const void *data, size_t size);

/* The server is being connected; what it is sent begins with `data`, followed by what the client
 * has not yet sent. */
void relay_routed(struct relay *relay, const void *data, size_t size);

/* There is to be no server: send `data` to the client and end both streams, dropping what it still
 * sends. */
void relay_dismiss(struct relay *relay, const void *data, size_t size);

/* The server has failed, in our eyes: told with `error`, then both ends are reset. */
void relay_fail_server(struct relay *relay, int error);

/* Has the server sent a byte or ended its stream? Has the client ended its stream, or failed? */
bool relay_server_heard(const struct relay *relay);
bool relay_client_ended(const struct relay *relay);

/*
 * End all relays now (not from a callback of one of them): as tap_kill(), but what the kernel has
 * taken is still delivered.
 */
void relay_set_stop(struct relay_set *set);

#endif
