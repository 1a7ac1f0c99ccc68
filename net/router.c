#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/router_private.h"

#define SUMMARY_AFTER (INT64_C(1000) * 1000 * 1000)

/* -- what is told -- */

void
router_say(struct router *router, enum notice_level level, const char *format, ...)
{
	struct loop *loop = router->config.relays->loop;
	char text[1024];
	va_list arguments;

	if (!notice_ration_take(&router->ration, loop_now(loop))) {
		if (router->summary.due == 0)
			loop_timer_set(loop, &router->summary, loop_now(loop) + SUMMARY_AFTER);
		return;
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	notice(level, "%s", text);
}

static void
router_say_rest(struct router *router, int64_t now)
{
	uint64_t rest = notice_ration_rest(&router->ration, now);

	if (rest > 0)
		notice(NOTICE_WARNING, "%llu more such messages", (unsigned long long)rest);
}

static void
router_summary(struct timer *timer)
{
	struct router *router = CONTAINER_OF(timer, struct router, summary);
	struct loop *loop = router->config.relays->loop;

	router_say_rest(router, loop_now(loop));
	if (router->ration.withheld > 0)
		loop_timer_set(loop, timer, loop_now(loop) + SUMMARY_AFTER);
}

/* -- clients -- */

static void
route_timer(struct timer *timer)
{
	struct route *route = CONTAINER_OF(timer, struct route, timer);

	if (route->state == ROUTE_DECIDING)
		route_undecided(route, "in time");
	else
		route_connect_timer(route);
}

static void
route_release(struct task *task)
{
	struct route *route = CONTAINER_OF(task, struct route, task);

	route_forget(route);
	script_conn_release(&route->conn);
	address_list_release(&route->targets);
	slice_drop(&route->output);
	free(route->remote);
	free(route);
}

void
router_accept(void *context, int fd, const struct address *client)
{
	struct router *router = context;
	struct relay_set *relays = router->config.relays;
	struct route *route = calloc(1, sizeof(*route));

	if (route != NULL)
		route->relay = relay_new(relays, fd, client);
	if (route == NULL || route->relay == NULL) {
		notice(NOTICE_WARNING, "client dropped: %s", strerror(errno));
		free(route);
		close(fd);
		relays->gone(relays->context);
		return;
	}
	route->router = router;
	route->filter.ops = &route_filter_ops;
	route->task.run = route_release;
	timer_init(&route->timer, route_timer);
	script_conn_init(&route->conn, router->config.script, &relay_tap(route->relay)->info);
	route_start(route);
}

/* -- life -- */

struct router *
router_new(const struct router_config *config)
{
	struct router *router = calloc(1, sizeof(*router));

	if (router == NULL)
		return NULL;
	router->config = *config;
	timer_init(&router->summary, router_summary);
	router->resolver = resolver_new(config->relays->loop);
	if (router->resolver != NULL)
		return router;
	free(router);
	return NULL;
}

void
router_free(struct router *router)
{
	if (router == NULL)
		return;
	router_say_rest(router, INT64_MAX);
	loop_timer_cancel(router->config.relays->loop, &router->summary);
	resolver_free(router->resolver);
	free(router);
}
