/* What router.c (clients that come), route.c (one of them until its server is there) and
 * route_connect.c (connecting it) know of them. Private to them. */
#ifndef NET_ROUTER_PRIVATE_H
#define NET_ROUTER_PRIVATE_H

#include "net/connector.h"
#include "net/notice.h"
#include "net/resolver.h"
#include "net/router.h"

struct router {
	struct router_config config;
	struct resolver *resolver;
	struct notice_ration ration; /* of what is told of single connections */
	struct timer summary;	     /* set while the ration withholds something */
};

enum route_state {
	ROUTE_DECIDING,	  /* the script has not said where it goes */
	ROUTE_RESOLVING,  /* its server's name is being looked up */
	ROUTE_CONNECTING, /* its server is being connected */
	ROUTE_RETRYING,	  /* it has refused, and is tried again in a moment */
	ROUTE_PASSING,	  /* the relay does the rest; the script rewrites, if it wants to */
	ROUTE_OVER	  /* released after the current round */
};

/* One client. */
struct route {
	struct relay_filter filter;
	enum route_state state;
	struct router *router;
	struct relay *relay;
	struct script_conn conn;
	struct timer timer; /* to decide, resolve, try again, or hear of the server */
	struct task task;   /* release */

	/* DECIDING */
	unsigned char *buffer; /* what the client has sent */
	size_t size, capacity;

	/* from then on; all unset if the script does not route */
	char *remote;		     /* as the script wrote it */
	struct address_list targets; /* what it stands for */
	int64_t connect_timeout, inactivity_timeout;
	unsigned tries;
	struct query *query;	     /* RESOLVING */
	struct connector *connector; /* CONNECTING; NULL while it is called */

	/* PASSING */
	struct slice output; /* what was rewritten last, if it does not fit a slab */
};

static inline struct loop *
route_loop(const struct route *route)
{
	return route->router->config.relays->loop;
}

/* router.c */

/* Tell the operator something of one connection, unless there is a flood of these. */
void router_say(struct router *router, enum notice_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* route.c */

/* The script of `router` has a new client, which the observers know already. */
void route_start(struct route *route);

/* Its script has failed: the connection ends. */
void route_script_failed(struct route *route);

/* The script has not decided where it should have: the connection ends. */
void route_undecided(struct route *route, const char *why);

/* Give up what was buffered. */
void route_forget(struct route *route);

extern const struct relay_filter_ops route_filter_ops;

/* route_connect.c */

/* Connect to what the name stands for. */
void route_connect_to(struct route *route, const struct address_name *name);

/* Connect to `targets`, which must outlive the route. */
void route_connect(struct route *route);

/* What the route's timer calls but in ROUTE_DECIDING. */
void route_connect_timer(struct route *route);

#endif
