#include <errno.h>

#include "net/flow.h"

int
flow_hold(struct flow *flow, const struct slice *rest, size_t *held)
{
	struct slice kept = slice_keep(rest, CHUNK_WAIT_MAX);

	if (kept.chunk == NULL) {
		errno = ENOMEM;
		return -1;
	}
	flow->pending = kept;
	*held += slice_held(&flow->pending);
	return 0;
}

void
flow_advance(struct flow *flow, size_t sent, size_t *held)
{
	*held -= slice_held(&flow->pending);
	flow->pending.data += sent;
	flow->pending.size -= sent;
	if (flow->pending.size == 0)
		slice_drop(&flow->pending);
	else
		*held += slice_held(&flow->pending);
}

struct slice
flow_take(struct flow *flow, size_t *held)
{
	struct slice taken = flow->pending;

	if (taken.size > 0)
		*held -= slice_held(&taken);
	flow->pending = (struct slice){0};
	return taken;
}

void
flow_release(struct flow *flow, size_t *held)
{
	if (flow->pending.size > 0)
		flow_advance(flow, flow->pending.size, held);
}
