/*
 * What a proxy is with a script: accepts clients, has the script say where each goes, connects it
 * there, and has the script rewrite what passes.
 */
#ifndef NET_ROUTER_H
#define NET_ROUTER_H

#include "net/relay.h"
#include "net/script.h"

#define ROUTER_LIMIT (64 * 1024)			  /* default of --route-limit */
#define ROUTER_TIMEOUT (INT64_C(10) * 1000 * 1000 * 1000) /* of --route-timeout */

struct router;

struct router_config {
	struct relay_set *relays;
	struct script *script;		    /* lent */
	const struct address_list *servers; /* lent; count 0: the script routes every connection.
					       Else they are used if it has no route() */
	int family;			    /* of the names that it routes to */
	int64_t connect_timeout;	    /* nanoseconds, where it gives none */
	int64_t timeout; /* for it to decide: nanoseconds from accepting the client; 0: for ever */
	size_t limit;	 /* the same in bytes of the client */
	/* Add observers to a new connection with tap_add(). */
	void (*observe)(void *context, struct tap *tap);
	void *context;
};

/* Returns NULL with errno. */
struct router *router_new(const struct router_config *config);

/* All its relays must be closed. NULL is harmless. */
void router_free(struct router *router);

/* A client has come: what a listener calls; `context` is the router. */
void router_accept(void *context, int fd, const struct address *client);

#endif
