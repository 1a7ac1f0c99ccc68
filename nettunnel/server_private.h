/* What server.c (the whole), server_clients.c and server_peers.c (the providers) know of a server.
 * Private to them. */
#ifndef NETTUNNEL_SERVER_PRIVATE_H
#define NETTUNNEL_SERVER_PRIVATE_H

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
	bool draining;	/* it wants no more clients */
	int64_t lost;	/* when its connection was */
	int64_t probed; /* when another came under its name; 0: never */
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

/* server_clients.c */

/* What the listener for clients calls; `context` is the server. */
void server_accepted(void *context, int fd, const struct address *address);

/* Have a client wait for a provider until `deadline`. */
void client_wait(struct client *client, int64_t deadline);

/* Give the clients that wait to providers, if there are any. */
void server_assign(struct server *server);

/* server_peers.c: what the door calls; `context` is the server. */

struct auth_grant server_claimed(void *context, const struct auth_claim *claim);
void server_entered(void *context, int fd, const struct auth_claim *claim,
    const struct auth_grant *grant, const struct address *address);

#endif
