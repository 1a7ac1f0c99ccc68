/*
 * The server's door for providers: accepts them and has them authenticated. Whoever has not proved
 * to know the key gets little memory and time: there are few places, the oldest of those who are
 * still talking makes room for the newest, and who fails is kept waiting a second before he is
 * closed, unanswered, in a place of which there are fewer still: that bounds how many can fail.
 */
#ifndef NETTUNNEL_DOOR_H
#define NETTUNNEL_DOOR_H

#include "net/address.h"
#include "net/listener.h"
#include "nettunnel/auth.h"
#include "nettunnel/tunnel.h"

struct door;

struct door_config {
	struct tunnel *tunnel;
	const struct auth_key *key;
	/* What a provider gets that knows the key; see struct handshake_ops. */
	struct auth_grant (*claimed)(void *context, const struct auth_claim *claim);
	void (*entered)(void *context, int fd, const struct auth_claim *claim,
	    const struct auth_grant *grant, const struct address *address);
	void *context;
};

/* Returns NULL with errno. */
struct door *door_new(const struct door_config *config);

/* Where its sockets are added, with the door as their context; door_open() starts it. */
struct listener *door_listener(struct door *door);
void door_open(struct door *door);

void door_free(struct door *door);

#endif
