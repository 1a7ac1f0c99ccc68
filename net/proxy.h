/* Accepts clients, connects each to the server, joins the two by a relay. With a script, its router
 * does that instead. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/address.h"
#include "net/relay.h"
#include "net/script.h"

struct proxy;

struct proxy_config {
	struct relay_set *relays;
	const struct address_list *targets; /* the server; must outlive the proxy. With a script
					       that chooses all of them it may be empty */
	int64_t connect_timeout;	    /* nanoseconds */
	/* Add observers to a new connection with tap_add(). */
	void (*observe)(void *context, struct tap *tap);
	void *context;
	struct script *script; /* lent; NULL: none. The rest is for it, as in struct router_config
				*/
	int family;
	size_t route_limit;
	int64_t route_timeout;
};

/* Returns NULL with errno. */
struct proxy *proxy_new(const struct proxy_config *config);

/* All its relays must be closed, the loop still there. NULL is harmless. */
void proxy_free(struct proxy *proxy);

/* A client has come: what a listener calls; `context` is the proxy. */
void proxy_accept(void *context, int fd, const struct address *client);

#endif
