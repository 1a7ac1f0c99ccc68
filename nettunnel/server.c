#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/options.h"
#include "nettunnel/server_private.h"

/* -- the service's -- */

static size_t
server_count(void *context)
{
	return ((struct server *)context)->count;
}

static void
server_stop(void *context)
{
	struct server *server = context;
	struct client *client;
	struct peer *peer;
	bool abrupt = server->count > 0;

	if (server->stopped)
		return;
	server->stopped = true;
	LIST_FOREACH (client, &server->clients, next) {
		gate_release(&client->gate);
		stream_kill(&client->stream, FRAME_KILLED);
	}
	LIST_FOREACH (peer, &server->peers, next) {
		link_bye(&peer->session.link, abrupt);
	}
}

static const struct service_ops server_ops = {
    .count = server_count,
    .stop = server_stop,
};

static int
server_read_secrets(struct server *server)
{
	const char *path = server->settings->auth_path, *reason;

	if (auth_key_read(&server->key, server->settings->key_path) == -1)
		return -1;
	reason = path != NULL ? tokens_read(&server->tokens, path) : NULL;
	if (reason == NULL)
		return 0;
	notice(NOTICE_ERROR, "--client-auth %s: %s", path, reason);
	return -1;
}

static void
server_reload(void *context)
{
	if (server_read_secrets(context) == 0)
		notice(NOTICE_INFO, "secrets were read again");
}

/* -- life -- */

static int
bind_all(struct listener *listener, char *const *addresses, size_t count, const char *otherwise,
    const struct settings *settings, void *context)
{
	if (count == 0)
		return options_listen(listener, NULL, 0, otherwise, settings->family, context);
	for (size_t i = 0; i < count; i++)
		if (options_listen(listener, NULL, 0, addresses[i], settings->family, context) ==
		    -1)
			return -1;
	return 0;
}

static int
server_bind(struct server *server)
{
	const struct settings *settings = server->settings;
	size_t room = service_max_relays(service_raise_descriptors(), 0);
	struct listener_config listener = {.loop = server->tunnel.loop,
	    .metrics = server->tunnel.metrics,
	    .accepted = server_accepted,
	    .max = settings->max_connections < room ? settings->max_connections : room};
	struct door_config door = {.tunnel = &server->tunnel,
	    .key = &server->key,
	    .claimed = server_claimed,
	    .entered = server_entered,
	    .context = server};

	server->service->listener = listener_new(&listener);
	server->door = door_new(&door);
	if (server->service->listener == NULL || server->door == NULL) {
		notice(NOTICE_ERROR, "%s", strerror(errno));
		return -1;
	}
	if (bind_all(server->service->listener, settings->listens, settings->listen_count, ":8080",
		settings, server) == -1)
		return -1;
	return bind_all(door_listener(server->door), settings->doors, settings->door_count, ":9887",
	    settings, server->door);
}

struct server *
server_new(const struct settings *settings, struct service *service)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->settings = settings;
	server->service = service;
	service->ops = &server_ops;
	service->reload = server_reload;
	service->context = server;
	server->tunnel = (struct tunnel){.loop = service->loop,
	    .pool = service->relays.pool,
	    .metrics = service->metrics,
	    .hold = settings->hold,
	    .ping = settings->ping,
	    .spare_window = TUNNEL_SPARE_WINDOW};
	LIST_INIT(&server->peers);
	LIST_INIT(&server->clients);
	TAILQ_INIT(&server->waiting);
	if (server_read_secrets(server) == -1 || server_bind(server) == -1) {
		server_free(server);
		return NULL;
	}
	return server;
}

void
server_open(struct server *server)
{
	listener_start(server->service->listener);
	door_open(server->door);
}

void
server_free(struct server *server)
{
	struct peer *peer;

	while ((peer = LIST_FIRST(&server->peers)) != NULL) {
		LIST_REMOVE(peer, next);
		session_release(&peer->session);
		free(peer);
	}
	door_free(server->door);
	tokens_release(&server->tokens);
	auth_key_release(&server->key);
	free(server);
}
