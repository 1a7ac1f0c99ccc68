/* One direction of a relay: what was received and waits to be sent, and how far its end has come.
 */
#ifndef NET_FLOW_H
#define NET_FLOW_H

#include <stdbool.h>

#include "net/chunk.h"

/* All zeros is an empty flow. */
struct flow {
	struct slice
	    pending;	/* received and not yet sent; only when its size is 0 more is received */
	bool ended;	/* the sender's FIN was received */
	bool forwarded; /* and passed on */
};

/* Hold what could not be sent of a lent slice, adding to `*held` the memory that it takes. Returns
 * -1 with errno ENOMEM. */
int flow_hold(struct flow *flow, const struct slice *rest, size_t *held);

/* `sent` bytes of what is pending have been sent; memory is given back. */
void flow_advance(struct flow *flow, size_t sent, size_t *held);

/* Take out what is pending, to be dropped by the caller; of size 0 if nothing is. */
struct slice flow_take(struct flow *flow, size_t *held);

/* Give up what is pending. */
void flow_release(struct flow *flow, size_t *held);

#endif
