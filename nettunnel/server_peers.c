#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/notice.h"
#include "nettunnel/server_private.h"

static struct peer *
peer_of(struct session *session)
{
	return CONTAINER_OF(session, struct peer, session);
}

static void
peer_lost(struct session *session, const char *reason)
{
	struct peer *peer = peer_of(session);

	peer->lost = loop_now(peer->server->tunnel.loop);
	if (session->link.heard < peer->probed) {
		link_end(&session->link, "was started again");
		return;
	}
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

struct auth_grant
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

		if (peer->session.link.state == LINK_UP) {
			if (same) {
				peer->probed = loop_now(server->tunnel.loop);
				link_probe(&peer->session.link);
			}
			continue;
		}
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

void
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
