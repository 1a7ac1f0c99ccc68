/* Our own connections to observers, by their local addresses, so that a capture does not mirror
 * them again. One that has ended is remembered for a while: its packets may still be on their way
 * to us. */
#ifndef NETMIRROR_OWN_H
#define NETMIRROR_OWN_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "net/address.h"

/* Embedded nowhere: it outlives its connection. */
struct own {
	struct address address;
	int64_t ended; /* loop time; 0: it has not */
	size_t users;  /* connections with this address: the kernel may give it again */
	RB_ENTRY(own) node;
	TAILQ_ENTRY(own) recent; /* while `ended` */
};

struct own_set {
	uint16_t port; /* only connections to this port can be captured */
	RB_HEAD(own_tree, own) tree;
	TAILQ_HEAD(, own) recent; /* ended longest ago first */
};

void own_init(struct own_set *set, uint16_t port);
void own_release(struct own_set *set);

/* A connection has the local `address` from now on, until own_remove(). Returns NULL with errno. */
struct own *own_add(struct own_set *set, const struct address *address);
void own_remove(struct own_set *set, struct own *own, int64_t now);

/* Is the end `address` one of ours? */
bool own_has(const struct own_set *set, const struct address *address);

#endif
