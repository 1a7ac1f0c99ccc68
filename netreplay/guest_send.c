#include <errno.h>
#include <string.h>

#include "netreplay/guest_private.h"

/* The same for observers, who want a slice. */
static void
guest_show(struct guest *guest, const unsigned char *data, size_t size)
{
	struct chunk_pool *pool = guest->host->pool;

	if (SLIST_EMPTY(&guest->tap.observers))
		return;
	while (size > 0) {
		struct slice slice;
		size_t room;
		unsigned char *space = chunk_pool_space(pool, &room);

		if (space == NULL) {
			tap_kill(&guest->tap);
			return;
		}
		room = room < size ? room : size;
		memcpy(space, data, room);
		slice = chunk_pool_slice(pool, room);
		tap_data(&guest->tap, SIDE_SERVER, &slice, guest_now(guest));
		data += room;
		size -= room;
	}
}

bool
guest_flush(struct guest *guest)
{
	ssize_t sent;

	if (guest->pending_size > 0 && guest->broken) {
		guest->discarded += guest->pending_size;
		guest->pending_size = 0;
	}
	if (guest->pending_size == 0)
		return true;
	sent = guest->end.ops->send(&guest->end, guest->pending, guest->pending_size);
	if (sent == -1 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		/* What it sent before is still there to be received. */
		guest->broken = true;
		return guest_flush(guest);
	}
	if (sent <= 0)
		return false;
	guest_show(guest, guest->pending, (size_t)sent);
	metrics_add(guest->host->metrics, COUNTER_SERVER_BYTES, sent);
	guest->sent += (uint64_t)sent;
	guest->live_at_send = guest->live_size;
	guest->pending += sent;
	guest->pending_size -= (size_t)sent;
	guest->progress = guest_now(guest);
	return guest->pending_size == 0;
}

void
guest_shut(struct guest *guest)
{
	if (guest->finished)
		return;
	guest->finished = true;
	if (!guest->broken) {
		guest->end.ops->shutdown(&guest->end);
		tap_eof(&guest->tap, SIDE_SERVER, guest_now(guest));
	}
}
