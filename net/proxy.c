#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/connector.h"
#include "net/notice.h"
#include "net/proxy.h"
#include "net/router.h"

struct proxy {
	struct proxy_config config;
	struct router *router; /* does all if there is a script */
	uint64_t refused;      /* clients in a row for whom no server accepted */
};

/* A client of one proxy whose server is being connected. */
struct attempt {
	struct proxy *proxy;
	struct relay *relay;
	struct connector *connector;
};

struct proxy *
proxy_new(const struct proxy_config *config)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	struct router_config router = {.relays = config->relays,
	    .script = config->script,
	    .servers = config->targets,
	    .family = config->family,
	    .connect_timeout = config->connect_timeout,
	    .timeout = config->route_timeout,
	    .limit = config->route_limit,
	    .observe = config->observe,
	    .context = config->context};

	if (proxy == NULL)
		return NULL;
	proxy->config = *config;
	if (config->script == NULL)
		return proxy;
	proxy->router = router_new(&router);
	if (proxy->router != NULL)
		return proxy;
	free(proxy);
	return NULL;
}

void
proxy_free(struct proxy *proxy)
{
	if (proxy != NULL)
		router_free(proxy->router);
	free(proxy);
}

/* Tell when the server begins and ceases to refuse, not each time: a storm must not flood stderr.
 */
static void
tell_server(struct proxy *proxy, int error, const struct address *server)
{
	char text[ADDRESS_TEXT_MAX];

	if (error != 0 && proxy->refused++ == 0)
		notice(NOTICE_WARNING, "cannot connect to %s: %s", address_format(server, text),
		    strerror(error));
	else if (error != 0)
		notice(NOTICE_VERBOSE, "cannot connect to %s: %s", address_format(server, text),
		    strerror(error));
	if (error == 0 && proxy->refused > 0) {
		notice(NOTICE_WARNING, "connected to %s again; %llu clients had no server",
		    address_format(server, text), (unsigned long long)proxy->refused);
		proxy->refused = 0;
	}
}

static void
proxy_connected(void *context, int fd, int error, const struct address *server)
{
	struct attempt *attempt = context;

	tell_server(attempt->proxy, error, server);
	if (fd != -1)
		relay_connected(attempt->relay, fd, server);
	else
		relay_refused(attempt->relay);
	free(attempt);
}

static void
proxy_cancel(void *context)
{
	struct attempt *attempt = context;

	connector_cancel(attempt->connector);
	free(attempt);
}

static void
proxy_take(struct proxy *proxy, int fd, const struct address *client)
{
	struct relay_set *relays = proxy->config.relays;
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	struct relay *relay = NULL;
	struct connector *connector;

	if (attempt != NULL)
		relay = relay_new(relays, fd, client);
	if (relay == NULL) {
		notice(NOTICE_WARNING, "client dropped: %s", strerror(errno));
		free(attempt);
		close(fd);
		relays->gone(relays->context);
		return;
	}
	attempt->proxy = proxy;
	attempt->relay = relay;
	proxy->config.observe(proxy->config.context, relay_tap(relay));
	relay_start(relay, &proxy->config.targets->items[0]);
	connector = connector_start(relays->loop, proxy->config.targets,
	    proxy->config.connect_timeout, relay_waits(relay), proxy_connected, attempt);
	/* Without a connector, `attempt` has been told already and is gone, as on loopback. */
	if (connector != NULL) {
		attempt->connector = connector;
		relay_on_cancel(relay, proxy_cancel, attempt);
	}
}

void
proxy_accept(void *context, int fd, const struct address *client)
{
	struct proxy *proxy = context;

	if (proxy->router != NULL)
		router_accept(proxy->router, fd, client);
	else
		proxy_take(proxy, fd, client);
}
