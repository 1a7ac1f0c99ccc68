/* Accepts clients, connects each to the server, joins the two by a relay. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/address.h"
#include "net/relay.h"

struct proxy;

struct proxy_config {
	struct relay_set *relays;
	const struct address_list *targets; /* the server; must outlive the proxy */
	int64_t connect_timeout;	    /* nanoseconds */
	/* Add observers to a new connection with tap_add(). */
	void (*observe)(void *context, struct tap *tap);
	void *context;
};

/* Returns NULL with errno. */
struct proxy *proxy_new(const struct proxy_config *config);
void proxy_free(struct proxy *proxy);

/* A client has come: what a listener calls; `context` is the proxy. */
void proxy_accept(void *context, int fd, const struct address *client);

#endif
