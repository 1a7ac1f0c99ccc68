#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/router_private.h"

#define BUFFER_MIN 512 /* most requests */

static struct route *
route_of(struct relay_filter *filter)
{
	return CONTAINER_OF(filter, struct route, filter);
}

static const struct conn_info *
route_info(const struct route *route)
{
	return &relay_tap(route->relay)->info;
}

static void
route_kill(struct route *route)
{
	tap_kill(relay_tap(route->relay));
}

void
route_script_failed(struct route *route)
{
	struct router *router = route->router;
	char client[ADDRESS_TEXT_MAX];

	metrics_add(router->config.relays->metrics, COUNTER_SCRIPT_FAILURES, 1);
	router_say(router, NOTICE_ERROR, "%s (client %s)", script_conn_error(&route->conn),
	    address_format(&route_info(route)->client, client));
	route_kill(route);
}

void
route_forget(struct route *route)
{
	free(route->buffer);
	route->buffer = NULL;
	route->size = route->capacity = 0;
}

/* -- deciding -- */

static int
route_keep(struct route *route, const struct slice *slice)
{
	size_t needed = route->size + slice->size, capacity = 2 * route->capacity;
	unsigned char *grown;

	if (needed > route->capacity) {
		if (capacity < needed)
			capacity = needed < BUFFER_MIN ? BUFFER_MIN : needed;
		grown = realloc(route->buffer, capacity);
		if (grown == NULL)
			return -1;
		route->buffer = grown;
		route->capacity = capacity;
	}
	memcpy(route->buffer + route->size, slice->data, slice->size);
	route->size = needed;
	return 0;
}

/* It is decided: follow it. */
static void
route_follow(struct route *route, const struct script_route *decided)
{
	const void *data = route->buffer;
	size_t size = route->size;

	route->remote = strdup(decided->remote);
	if (route->remote == NULL) {
		route_kill(route);
		return;
	}
	if (decided->data != NULL) {
		data = decided->data;
		size = decided->data_size;
	}
	route->connect_timeout = decided->connect_timeout;
	route->inactivity_timeout = decided->inactivity_timeout;
	if (decided->reply_size > 0)
		relay_reply(route->relay, decided->reply, decided->reply_size);
	relay_routed(route->relay, data != NULL ? data : "", size);
	route_forget(route);
	route_connect_to(route, &decided->name);
}

void
route_undecided(struct route *route, const char *why)
{
	char client[ADDRESS_TEXT_MAX];

	router_say(route->router, NOTICE_WARNING, "client %s: not routed %s",
	    address_format(&route_info(route)->client, client), why);
	route_kill(route);
}

static void
route_arrived(struct relay_filter *filter, const struct slice *slice)
{
	struct route *route = route_of(filter);
	struct script_route decided;

	if (route_keep(route, slice) == -1) {
		route_kill(route);
		return;
	}
	filter->room = route->router->config.limit - route->size;
	if (script_route(&route->conn, route->buffer, route->size, &decided) == -1)
		route_script_failed(route);
	else if (decided.decision == SCRIPT_REMOTE)
		route_follow(route, &decided);
	else if (decided.decision == SCRIPT_CLOSE)
		relay_dismiss(
		    route->relay, decided.reply != NULL ? decided.reply : "", decided.reply_size);
	else if (filter->room == 0)
		route_undecided(route, "within its limit of bytes");
}

/* Nothing more will come that could decide it. */
static void
route_ended(struct relay_filter *filter)
{
	relay_dismiss(route_of(filter)->relay, "", 0);
}

/* -- rewriting -- */

/* Have the slice refer to bytes of the script's; `output` keeps what does not fit a slab. */
static int
route_take_output(struct route *route, struct slice *slice, const unsigned char *data, size_t size)
{
	struct chunk_pool *pool = route->router->config.relays->pool;
	size_t room = 0;
	unsigned char *space = chunk_pool_space(pool, &room);

	if (space != NULL && size <= room) {
		memcpy(space, data, size);
		*slice = chunk_pool_slice(pool, size);
		return 0;
	}
	slice_drop(&route->output);
	route->output = slice_copy(data, size);
	*slice = route->output;
	return slice->chunk != NULL ? 0 : -1;
}

static int
route_rewrite(struct relay_filter *filter, enum side side, struct slice *slice)
{
	struct route *route = route_of(filter);
	const unsigned char *data = slice->data;
	size_t size = slice->size;

	if (script_rewrite(&route->conn,
		side == SIDE_CLIENT ? SCRIPT_CLIENT_DATA : SCRIPT_SERVER_DATA, &data,
		&size) == -1) {
		route_script_failed(route);
		return -1;
	}
	if (data == slice->data)
		return 0;
	return route_take_output(route, slice, data, size);
}

/* -- its end and its beginning -- */

static void
route_closed(struct relay_filter *filter)
{
	struct route *route = route_of(filter);

	route->state = ROUTE_OVER;
	loop_timer_cancel(route_loop(route), &route->timer);
	resolver_cancel(route->query);
	connector_cancel(route->connector);
	loop_later(route_loop(route), &route->task);
}

const struct relay_filter_ops route_filter_ops = {
    .arrived = route_arrived,
    .ended = route_ended,
    .rewrite = route_rewrite,
    .closed = route_closed,
};

void
route_start(struct route *route)
{
	static const struct address none;
	const struct router_config *config = &route->router->config;
	bool routes = script_conn_has(&route->conn, SCRIPT_ROUTE);

	route->filter.room = config->limit;
	route->filter.rewrites[SIDE_CLIENT] = script_conn_has(&route->conn, SCRIPT_CLIENT_DATA);
	route->filter.rewrites[SIDE_SERVER] = script_conn_has(&route->conn, SCRIPT_SERVER_DATA);
	relay_set_filter(route->relay, &route->filter, routes);
	config->observe(config->context, relay_tap(route->relay));
	relay_start(route->relay, config->servers->count > 0 ? &config->servers->items[0] : &none);
	if (!routes)
		route_connect(route);
	else if (config->timeout > 0)
		loop_timer_set(
		    route_loop(route), &route->timer, route_info(route)->opened + config->timeout);
}
