/* Where the ends of a synthesised connection are: addresses as the index and users write them, and
 * made such that no two connections of a capture are taken for one. */
#ifndef FORMAT_SEGMENT_PEER_H
#define FORMAT_SEGMENT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/capture_write.h"
#include "format/record.h"

struct segment_peer {
	uint16_t size;		   /* of the address: 4 or 16 bytes; 0: none */
	uint16_t port;		   /* 0: none */
	unsigned char address[16]; /* network order; the rest 0 */
};

/* What stands for a peer that is not known (a log without an index) or has no address (a unix
 * socket); RFC 5737. */
#define SEGMENT_CLIENT "192.0.2.1:49152"
#define SEGMENT_SERVER "198.51.100.1:60000"

/*
 * Read "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", or without a port, or ":80" alone. Returns
 * NULL, or a static text that says what is wrong with it.
 */
const char *segment_peer_parse(const char *text, struct segment_peer *peer);

/* Have what `peer` lacks, address or port, taken from `other`. */
void segment_peer_complete(struct segment_peer *peer, const struct segment_peer *other);

/* Both of one family: an IPv4 address beside an IPv6 one becomes ::ffff:a.b.c.d. */
void segment_peers_join(struct segment_peer peers[2]);

/* The connections and named addresses of one capture, by a hash each; zeroed at first. */
struct segment_peers {
	uint64_t *slots;
	size_t size; /* a power of two, or 0 */
	size_t count;
	size_t most;	/* forget all when there are so many; 0: never */
	uint64_t given; /* ports given instead of true ones */
};

/*
 * Enter a connection, and give it another client port if the capture had one between the same peers
 * already, either way round (`*changed` tells): readers would take them for one. Returns 0, or -1
 * with errno.
 */
int segment_peers_enter(struct segment_peers *all, struct segment_peer peers[2], bool *changed);

/* Write the name of a peer's address, unless that was done; NULL: "localhost" if it is a loopback
 * address, else nothing. Returns 0, or -1 with errno. */
int segment_peers_name(struct segment_peers *all, struct capture_writer *writer,
    const struct segment_peer *peer, const char *name);

void segment_peers_release(struct segment_peers *all);

/* A hash of the connection between these peers. */
uint64_t segment_peers_hash(const struct segment_peer peers[2]);

#endif
