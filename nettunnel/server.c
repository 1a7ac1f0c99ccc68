#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/notice.h"
#include "net/options.h"
#include "nettunnel/door.h"
#include "nettunnel/gate.h"
#include "nettunnel/server.h"
#include "nettunnel/session.h"

struct server {
	struct service *service;
	struct tunnel tunnel;
	const struct settings *settings;
	struct auth_key key;
	struct tokens tokens;
	struct door *door;
	LIST_HEAD(, peer) peers;
	LIST_HEAD(, client) clients;
	TAILQ_HEAD(, client) waiting; /* for a provider, the longest first */
	size_t count;		      /* of clients */
	bool stopped;
};

/* A provider. */
struct peer {
	struct session session;
	LIST_ENTRY(peer) next;
	struct server *server;
	struct address address;
	bool draining; /* it wants no more clients */
	int64_t lost;  /* when its connection was */
	struct task task;
};

/* A client is at the gate, then waits, then has its stream joined to a provider's session. */
struct client {
	struct stream stream;
	LIST_ENTRY(client) next;
	TAILQ_ENTRY(client) waiting;
	bool is_waiting;
	struct server *server;
	struct address address;
	struct gate gate;
	struct timer timer; /* while it waits: not longer */
};

static struct peer *
peer_of(struct session *session)
{
	return CONTAINER_OF(session, struct peer, session);
}

/* -- clients -- */

static void
client_unwait(struct client *client)
{
	if (client->is_waiting)
		TAILQ_REMOVE(&client->server->waiting, client, waiting);
	client->is_waiting = false;
	loop_timer_cancel(client->server->tunnel.loop, &client->timer);
}

static void
client_gone(struct stream *stream)
{
	struct client *client = CONTAINER_OF(stream, struct client, stream);
	struct server *server = client->server;

	client_unwait(client);
	LIST_REMOVE(client, next);
	gate_release(&client->gate);
	free(client);
	server->count--;
	metrics_add(server->tunnel.metrics, COUNTER_OPEN, -1);
	service_left(server->service);
}

static void
client_waited(struct timer *timer)
{
	struct client *client = CONTAINER_OF(timer, struct client, timer);

	notice(NOTICE_VERBOSE, "a client has waited too long for a provider");
	client_unwait(client);
	stream_kill(&client->stream, FRAME_KILLED);
}

static void
client_serve(struct client *client, struct peer *peer)
{
	char text[ADDRESS_TEXT_MAX];

	address_format(&client->address, text);
	session_serve(&peer->session, &client->stream, text);
	if (client->gate.head != NULL) {
		stream_put_first(&client->stream, client->gate.head, client->gate.size);
		gate_release(&client->gate);
	}
	notice(NOTICE_VERBOSE, "client %s is served by %s", text, peer->session.name);
}

/* The provider that serves the fewest clients; NULL: there is none now. */
static struct peer *
server_choose(struct server *server)
{
	struct peer *peer, *best = NULL;

	LIST_FOREACH (peer, &server->peers, next) {
		if (peer->session.link.state == LINK_UP && !peer->draining &&
		    (best == NULL || peer->session.count < best->session.count))
			best = peer;
	}
	return best;
}

static void
server_assign(struct server *server)
{
	struct client *client;
	struct peer *peer;

	while ((client = TAILQ_FIRST(&server->waiting)) != NULL &&
	       (peer = server_choose(server)) != NULL) {
		client_unwait(client);
		if (client->stream.state == STREAM_WAITING) /* it may just have left */
			client_serve(client, peer);
	}
}

/* Have it wait for a provider until `deadline`. */
static void
client_wait(struct client *client, int64_t deadline)
{
	struct server *server = client->server;

	client->is_waiting = true;
	TAILQ_INSERT_TAIL(&server->waiting, client, waiting);
	loop_timer_set(server->tunnel.loop, &client->timer, deadline);
}

static void
client_enter(struct client *client, int fd)
{
	struct server *server = client->server;

	stream_set_socket(&client->stream, fd);
	client_wait(client, loop_now(server->tunnel.loop) + server->tunnel.hold);
	server_assign(server);
}

static void
client_judged(struct gate *gate, int fd)
{
	struct client *client = CONTAINER_OF(gate, struct client, gate);

	if (fd != -1) {
		client_enter(client, fd);
		return;
	}
	notice(NOTICE_VERBOSE, "a client without a valid token was sent away");
	metrics_add(client->server->tunnel.metrics, COUNTER_DENIED, 1);
	stream_dismiss(&client->stream);
}

static void
server_accepted(void *context, int fd, const struct address *address)
{
	struct server *server = context;
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		notice(NOTICE_WARNING, "client dropped: %s", strerror(errno));
		close(fd);
		service_left(server->service);
		return;
	}
	client->server = server;
	client->address = *address;
	stream_init(&client->stream, &server->tunnel, SIDE_CLIENT, client_gone);
	timer_init(&client->timer, client_waited);
	LIST_INSERT_HEAD(&server->clients, client, next);
	server->count++;
	metrics_add(server->tunnel.metrics, COUNTER_ACCEPTED, 1);
	metrics_add(server->tunnel.metrics, COUNTER_OPEN, 1);
	if (server->tokens.count == 0) {
		client_enter(client, fd);
	} else if (gate_start(&client->gate, server->tunnel.loop, &server->tokens, fd,
		       client_judged) == -1) {
		stream_dismiss(&client->stream);
	}
}

/* -- providers -- */

static void
peer_lost(struct session *session, const char *reason)
{
	struct peer *peer = peer_of(session);

	peer->lost = loop_now(peer->server->tunnel.loop);
	notice(NOTICE_WARNING, "link to provider %s lost: %s; its %zu clients are kept",
	    session->name, reason, session->count);
}

static void
peer_release(struct task *task)
{
	struct peer *peer = CONTAINER_OF(task, struct peer, task);

	session_release(&peer->session);
	free(peer);
}

/* Clients of whom nothing has passed may be served by another provider. */
static void
peer_give_back(struct peer *peer, struct stream *stream)
{
	struct server *server = peer->server;
	struct client *client = CONTAINER_OF(stream, struct client, stream);
	int64_t since = peer->lost != 0 ? peer->lost : loop_now(server->tunnel.loop);

	stream_wait(stream);
	client_wait(client, since + server->tunnel.hold);
}

static void
peer_over(struct session *session, const char *reason)
{
	struct peer *peer = peer_of(session);
	struct server *server = peer->server;
	struct stream *stream;
	size_t failed = 0;

	LIST_REMOVE(peer, next);
	while ((stream = session_first(session)) != NULL) {
		if (stream_is_untouched(stream)) {
			peer_give_back(peer, stream);
		} else {
			stream_fail(stream);
			failed++;
		}
	}
	notice(NOTICE_WARNING, "provider %s: %s; %zu of its clients are reset", session->name,
	    reason, failed);
	loop_later(server->tunnel.loop, &peer->task);
	server_assign(server);
}

static void
peer_drain(struct session *session)
{
	notice(NOTICE_INFO, "provider %s takes no more clients", session->name);
	peer_of(session)->draining = true;
}

static const struct session_ops peer_ops = {
    .drain = peer_drain,
    .lost = peer_lost,
    .over = peer_over,
};

static struct peer *
server_find(struct server *server, const unsigned char id[AUTH_SESSION_SIZE])
{
	struct peer *peer;

	LIST_FOREACH (peer, &server->peers, next) {
		if (memcmp(peer->session.id, id, AUTH_SESSION_SIZE) == 0)
			return peer;
	}
	return NULL;
}

static struct auth_grant
server_claimed(void *context, const struct auth_claim *claim)
{
	struct peer *peer = server_find(context, claim->session);
	struct auth_grant grant = {.status = AUTH_GRANTED};

	if (claim->want == AUTH_NEW)
		grant.status = peer == NULL ? AUTH_GRANTED : AUTH_UNKNOWN;
	else if (peer == NULL)
		grant.status = AUTH_UNKNOWN;
	else
		grant.received = peer->session.link.received;
	return grant;
}

/*
 * A provider has come as a new process. One of the same name whose connection is lost was the same
 * before it was started again: it will not come back. Of others that are away it gets the clients
 * of whom nothing has passed; whoever is still connected under that name is asked whether it lives.
 */
static void
server_replace(struct server *server, const char *name)
{
	struct peer *peer, *next;
	struct stream *stream, *after;
	unsigned char reason = FRAME_KILLED;

	LIST_FOREACH_SAFE (peer, &server->peers, next, next) {
		bool same = strcmp(peer->session.name, name) == 0;

		if (peer->session.link.state == LINK_UP && same)
			link_probe(&peer->session.link);
		if (peer->session.link.state == LINK_UP)
			continue;
		if (same) {
			link_end(&peer->session.link, "was started again");
			continue;
		}
		RB_FOREACH_SAFE (stream, stream_tree, &peer->session.streams, after) {
			if (!stream_is_untouched(stream))
				continue;
			link_put(&peer->session.link, FRAME_RESET, stream->id, &reason, 1);
			peer_give_back(peer, stream);
		}
	}
}

static void
server_welcome(
    struct server *server, int fd, const struct auth_claim *claim, const struct address *address)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char text[ADDRESS_TEXT_MAX];

	if (peer == NULL) {
		notice(NOTICE_WARNING, "provider dropped: %s", strerror(errno));
		close(fd);
		return;
	}
	peer->server = server;
	peer->address = *address;
	peer->task.run = peer_release;
	session_init(&peer->session, &server->tunnel, &peer_ops);
	memcpy(peer->session.id, claim->session, AUTH_SESSION_SIZE);
	strlcpy(peer->session.name, claim->name, sizeof(peer->session.name));
	server_replace(server, claim->name);
	LIST_INSERT_HEAD(&server->peers, peer, next);
	notice(NOTICE_INFO, "provider %s connected from %s", claim->name,
	    address_format(address, text));
	session_attach(&peer->session, fd, 0);
	server_assign(server);
}

static void
server_entered(void *context, int fd, const struct auth_claim *claim,
    const struct auth_grant *grant, const struct address *address)
{
	struct server *server = context;
	struct peer *peer = server_find(server, claim->session);
	char text[ADDRESS_TEXT_MAX];

	if (grant->status != AUTH_GRANTED) {
		notice(NOTICE_INFO, "provider %s at %s has a session that is over", claim->name,
		    address_format(address, text));
		close(fd);
	} else if (claim->want == AUTH_NEW) {
		server_welcome(server, fd, claim, address);
	} else if (session_attach(&peer->session, fd, claim->received) == -1) {
		close(fd);
		link_violation(&peer->session.link, "it has what was never sent");
	} else {
		peer->lost = 0;
		metrics_add(server->tunnel.metrics, COUNTER_LINKS_RESUMED, 1);
		notice(NOTICE_WARNING, "provider %s is back from %s", peer->session.name,
		    address_format(address, text));
		server_assign(server);
	}
}

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
	const char *reason = auth_key_read(&server->key, server->settings->key_path);
	const char *path = server->settings->key_path, *option = "--key";

	if (reason == NULL && server->settings->auth_path != NULL) {
		path = server->settings->auth_path;
		option = "--client-auth";
		reason = tokens_read(&server->tokens, path);
	}
	if (reason == NULL)
		return 0;
	notice(NOTICE_ERROR, "%s %s: %s", option, path, reason);
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
