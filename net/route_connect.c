#include <errno.h>
#include <string.h>

#include "net/router_private.h"

#define RETRIES 10 /* of a server that refuses: it may be starting anew */
#define RETRY_AFTER (INT64_C(100) * 1000 * 1000)

static int64_t
route_patience(const struct route *route)
{
	return route->connect_timeout > 0 ? route->connect_timeout
					  : route->router->config.connect_timeout;
}

static void
route_wait(struct route *route, enum route_state state, int64_t time)
{
	route->state = state;
	loop_timer_set(route_loop(route), &route->timer, loop_now(route_loop(route)) + time);
}

static void
route_tell(struct route *route, enum script_function function, const char *remote)
{
	if (script_tell(&route->conn, function, remote) == -1)
		route_script_failed(route);
}

/* There will be no server. To a client that has ended its stream, and so may have left, that is no
 * error any more. */
static void
route_failed(struct route *route, const char *remote, const char *reason)
{
	if (relay_client_ended(route->relay)) {
		notice(NOTICE_VERBOSE, "cannot connect to %s: %s", remote, reason);
	} else {
		router_say(
		    route->router, NOTICE_WARNING, "cannot connect to %s: %s", remote, reason);
		route_tell(route, SCRIPT_CONNECT_ERROR, remote);
	}
	relay_refused(route->relay);
}

/* -- connecting -- */

static void
route_refused(struct route *route, int error, const struct address *server)
{
	char text[ADDRESS_TEXT_MAX];
	const char *remote = route->remote != NULL ? route->remote : address_format(server, text);

	/* A server that the script did not choose refuses once, as without a script. */
	if (error == ETIMEDOUT || route->remote == NULL || route->tries > RETRIES) {
		route_failed(route, remote, strerror(error));
		return;
	}
	notice(NOTICE_VERBOSE, "cannot connect to %s: %s: trying again", remote, strerror(error));
	route_wait(route, ROUTE_RETRYING, RETRY_AFTER);
}

static void
route_connected(void *context, int fd, int error, const struct address *server)
{
	struct route *route = context;

	route->connector = NULL;
	if (fd == -1) {
		route_refused(route, error, server);
		return;
	}
	route->state = ROUTE_PASSING;
	script_conn_refresh(&route->conn);
	relay_connected(route->relay, fd, server);
	if (route->state == ROUTE_PASSING && route->inactivity_timeout > 0)
		route_wait(route, ROUTE_PASSING, route->inactivity_timeout);
}

void
route_connect(struct route *route)
{
	const struct address_list *targets =
	    route->remote != NULL ? &route->targets : route->router->config.servers;
	struct connector *connector;

	loop_timer_cancel(route_loop(route), &route->timer);
	route->state = ROUTE_CONNECTING;
	route->tries++;
	/* Without a connector it has been told already, and the route may be another state. */
	connector = connector_start(route_loop(route), targets, route_patience(route),
	    relay_waits(route->relay), route_connected, route);
	if (connector != NULL)
		route->connector = connector;
}

/* -- resolving -- */

static void
route_resolved(void *context, struct address_list *list, const char *reason)
{
	struct route *route = context;

	route->query = NULL;
	if (reason != NULL) {
		route_failed(route, route->remote, reason);
		return;
	}
	route->targets = *list;
	route_connect(route);
}

void
route_connect_to(struct route *route, const struct address_name *name)
{
	struct router *router = route->router;

	if (address_resolve_number(name, router->config.family, &route->targets) == NULL) {
		route_connect(route);
		return;
	}
	route_wait(route, ROUTE_RESOLVING, route_patience(route));
	route->query =
	    resolver_ask(router->resolver, name, router->config.family, route_resolved, route);
	if (route->query == NULL)
		route_failed(route, route->remote,
		    errno == EAGAIN ? "too many names wait to be resolved" : strerror(errno));
}

/* -- the timer -- */

void
route_connect_timer(struct route *route)
{
	switch (route->state) {
	case ROUTE_RESOLVING:
		resolver_cancel(route->query);
		route->query = NULL;
		route_failed(route, route->remote, "its name is not resolved in time");
		break;
	case ROUTE_RETRYING:
		route_connect(route);
		break;
	case ROUTE_PASSING:
		if (relay_server_heard(route->relay))
			break;
		router_say(route->router, NOTICE_WARNING,
		    "%s has sent nothing for its inactivity timeout", route->remote);
		route_tell(route, SCRIPT_INACTIVITY_ERROR, route->remote);
		relay_fail_server(route->relay, ETIMEDOUT);
		break;
	default:
		break;
	}
}
