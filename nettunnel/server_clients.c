#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/notice.h"
#include "nettunnel/server_private.h"

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

void
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

void
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

void
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
