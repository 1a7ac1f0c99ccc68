/* What provider.c and provider_targets.c know of a provider. Private to them. */
#ifndef NETTUNNEL_PROVIDER_PRIVATE_H
#define NETTUNNEL_PROVIDER_PRIVATE_H

#include "net/connector.h"
#include "nettunnel/handshake.h"
#include "nettunnel/provider.h"
#include "nettunnel/session.h"

/* A session with the server: this process has one at a time. */
struct tie {
	struct session session;
	struct provider *provider;
	struct task task;
};

struct provider {
	struct service *service;
	struct tunnel tunnel;
	const struct settings *settings;
	struct auth_key key;
	struct address_list servers, targets;
	char name[AUTH_NAME_SIZE + 1];
	struct tie *tie; /* NULL: none (any more) */
	LIST_HEAD(, target) all;
	size_t count; /* of targets */
	/* getting connected: one of these, or the link is up */
	struct connector *connector;
	struct handshake handshake;
	bool is_shaking;
	struct timer retry;
	int64_t delay;	     /* until the next try, without jitter */
	const char *trouble; /* told last; NULL: none since it was connected */
	bool draining, stopped;
};

/* What a client's stream is joined to here. */
struct target {
	struct stream stream;
	LIST_ENTRY(target) next;
	struct provider *provider;
	struct connector *connector; /* while it is being connected */
	char client[FRAME_TEXT_MAX + 1];
};

/* provider_targets.c: a client has come; see struct session_ops. */
void tie_open(struct session *session, uint64_t id, const char *text);

#endif
