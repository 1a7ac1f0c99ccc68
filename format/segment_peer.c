#include "format/segment_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PORT_LEAST 1024 /* of ports given instead of true ones */
#define PORTS (UINT16_MAX - PORT_LEAST + 1)

/* -- texts -- */

static const char *
port_parse(const char *text, struct segment_peer *peer)
{
	const char *problem;

	peer->port = (uint16_t)strtonum(text, 1, UINT16_MAX, &problem);
	return problem != NULL ? "the port is no number from 1 to 65535" : NULL;
}

static const char *
address_parse(const char *text, size_t length, struct segment_peer *peer)
{
	char address[INET6_ADDRSTRLEN];
	const char *scope = memchr(text, '%', length);

	if (scope != NULL)
		length = (size_t)(scope - text);
	if (length >= sizeof(address))
		return "it is no IPv4 or IPv6 address";
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, peer->address) == 1)
		peer->size = 4;
	else if (inet_pton(AF_INET6, address, peer->address) == 1)
		peer->size = 16;
	else
		return "it is no IPv4 or IPv6 address";
	return NULL;
}

const char *
segment_peer_parse(const char *text, struct segment_peer *peer)
{
	const char *colon = strrchr(text, ':'), *problem = NULL;
	size_t length = strlen(text);

	memset(peer, 0, sizeof(*peer));
	if (text[0] == '[') {
		const char *bracket = strchr(text, ']');
		if (bracket == NULL)
			return "its ] is missing";
		if (bracket[1] != '\0' && bracket[1] != ':')
			return "only :port may follow its ]";
		problem = address_parse(text + 1, (size_t)(bracket - text) - 1, peer);
		colon = bracket[1] == ':' ? bracket + 1 : NULL;
	} else {
		/* of several colons none can be told from those of an IPv6 address */
		if (colon != NULL && colon != strchr(text, ':'))
			colon = NULL;
		if (colon != NULL)
			length = (size_t)(colon - text);
		if (length > 0)
			problem = address_parse(text, length, peer);
	}
	if (problem != NULL)
		return problem;
	if (colon != NULL)
		return port_parse(colon + 1, peer);
	return peer->size == 0 ? "it is empty" : NULL;
}

void
segment_peer_complete(struct segment_peer *peer, const struct segment_peer *other)
{
	if (peer->size == 0) {
		peer->size = other->size;
		memcpy(peer->address, other->address, sizeof(peer->address));
	}
	if (peer->port == 0)
		peer->port = other->port;
}

void
segment_peers_join(struct segment_peer peers[2])
{
	for (int i = 0; i < 2; i++) {
		struct segment_peer *peer = &peers[i];
		if (peer->size != 4 || peers[!i].size == 4)
			continue;
		memcpy(peer->address + 12, peer->address, 4);
		memset(peer->address, 0, 10);
		memset(peer->address + 10, 0xff, 2);
		peer->size = 16;
	}
}

/* -- which connections there are -- */

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	/* the finish of splitmix64 */
	hash = (hash ^ value) + 0x9e3779b97f4a7c15;
	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
	return hash ^ (hash >> 31);
}

uint64_t
segment_peers_hash(const struct segment_peer peers[2])
{
	uint64_t hash = peers[0].size;

	for (int i = 0; i < 2; i++) {
		uint64_t words[2];
		memcpy(words, peers[i].address, sizeof(words));
		hash = mix(mix(mix(hash, words[0]), words[1]), peers[i].port);
	}
	return hash | 1; /* 0 is an empty slot */
}

/* The slot where `hash` is, or belongs. */
static uint64_t *
slot_find(const struct segment_peers *all, uint64_t hash)
{
	size_t at = (size_t)hash & (all->size - 1);

	while (all->slots[at] != 0 && all->slots[at] != hash)
		at = (at + 1) & (all->size - 1);
	return &all->slots[at];
}

static int
slots_grow(struct segment_peers *all)
{
	struct segment_peers grown = *all;

	grown.size = all->size > 0 ? 2 * all->size : 64;
	grown.slots = calloc(grown.size, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return -1;
	for (size_t i = 0; i < all->size; i++)
		if (all->slots[i] != 0)
			*slot_find(&grown, all->slots[i]) = all->slots[i];
	free(all->slots);
	*all = grown;
	return 0;
}

/* Have room for one more. */
static int
slots_reserve(struct segment_peers *all)
{
	if (all->most != 0 && all->count >= all->most) {
		memset(all->slots, 0, all->size * sizeof(*all->slots));
		all->count = 0;
	}
	return 2 * (all->count + 1) > all->size ? slots_grow(all) : 0;
}

/* Enter it; false if it is there. */
static bool
slots_take(struct segment_peers *all, uint64_t hash)
{
	uint64_t *slot = slot_find(all, hash);

	if (*slot == hash)
		return false;
	*slot = hash;
	all->count++;
	return true;
}

/* The client as the `given`-th that a port is given to; when all ports were given to its address
 * another one follows. */
static struct segment_peer
peer_given(const struct segment_peer *client, uint64_t given)
{
	struct segment_peer peer = *client;
	uint64_t carry = given / PORTS;

	peer.port = (uint16_t)(PORT_LEAST + given % PORTS);
	for (size_t i = peer.size; carry > 0 && i > 0; i--) {
		carry += peer.address[i - 1];
		peer.address[i - 1] = (unsigned char)carry;
		carry >>= 8;
	}
	return peer;
}

/* Enter the connection; false if readers would take it for one that is there, also one the other
 * way round, or could not tell its ends apart. */
static bool
peers_take(struct segment_peers *all, const struct segment_peer peers[2])
{
	const struct segment_peer turned[2] = {peers[1], peers[0]};

	if (memcmp(&peers[0], &peers[1], sizeof(peers[0])) == 0)
		return false;
	return slots_take(all, (segment_peers_hash(peers) + segment_peers_hash(turned)) | 1);
}

int
segment_peers_enter(struct segment_peers *all, struct segment_peer peers[2], bool *changed)
{
	const struct segment_peer client = peers[SIDE_CLIENT];

	*changed = false;
	if (slots_reserve(all) != 0)
		return -1;
	while (!peers_take(all, peers)) {
		peers[SIDE_CLIENT] = peer_given(&client, all->given++);
		*changed = true;
	}
	return 0;
}

static bool
is_loopback(const struct segment_peer *peer)
{
	static const unsigned char mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};

	if (peer->size == 4)
		return peer->address[0] == 127;
	return memcmp(peer->address, &in6addr_loopback, 16) == 0 ||
	       memcmp(peer->address, mapped, sizeof(mapped)) == 0;
}

int
segment_peers_name(struct segment_peers *all, struct capture_writer *writer,
    const struct segment_peer *peer, const char *name)
{
	struct segment_peer named[2] = {*peer, {.size = 0}};
	uint64_t hash;

	if (name == NULL && is_loopback(peer))
		name = "localhost";
	if (name == NULL)
		return 0;
	named[0].port = 0; /* as no connection's is */
	hash = segment_peers_hash(named);
	for (const char *at = name; *at != '\0'; at++)
		hash = mix(hash, (unsigned char)*at);
	if (slots_reserve(all) != 0)
		return -1;
	if (!slots_take(all, hash | 1))
		return 0;
	return capture_name(writer, peer->address, peer->size, name);
}

void
segment_peers_release(struct segment_peers *all)
{
	free(all->slots);
	memset(all, 0, sizeof(*all));
}
