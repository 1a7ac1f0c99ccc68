#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nettunnel/link_private.h"

#define ACK_BYTES (128 * 1024) /* at the latest after so many an ACK is sent */
#define ACK_DELAY (40 * TUNNEL_SECOND / 1000)

/* A frame has come; NULL, or in what it breaks the protocol. */
static const char *
link_take(struct link *link, const struct frame *frame, const struct slice *payload)
{
	const char *wrong = NULL;

	switch (frame->type) {
	case FRAME_ACK:
		if (outbox_ack(&link->outbox, frame->number) == -1)
			wrong = "it acknowledges what was never sent";
		link_count_retained(link);
		return wrong;
	case FRAME_PING:
		link->pong_due = true;
		link->pong = frame->number;
		loop_later(link->tunnel->loop, &link->flush);
		return NULL;
	case FRAME_PONG:
		return NULL;
	case FRAME_BYE:
		link_end(link, "it has ended");
		return NULL;
	default:
		wrong = link->ops->frame(link, frame, payload);
	}
	link->received++;
	link->unacknowledged += FRAME_HEADER + frame->size;
	return wrong;
}

/* See that what has come is acknowledged: soon if it is much, after a while if it is little. */
static void
link_schedule_ack(struct link *link)
{
	struct loop *loop = link->tunnel->loop;

	if (link->unacknowledged >= ACK_BYTES) {
		link->ack_due = true;
		loop_later(loop, &link->flush);
	} else if (link->unacknowledged > 0 && link->ack_timer.due == 0) {
		loop_timer_set(loop, &link->ack_timer, loop_now(loop) + ACK_DELAY);
	}
}

static void
link_keep_partial(struct link *link, const unsigned char *data, size_t size)
{
	if (size == 0)
		return;
	link->partial = malloc(size);
	if (link->partial == NULL) {
		link_lost(link, strerror(errno));
		return;
	}
	memcpy(link->partial, data, size);
	link->partial_size = size;
}

static void
link_parse(struct link *link, const struct slice *slice)
{
	size_t at = 0;
	ssize_t size = 0;
	const char *wrong = NULL;
	struct frame frame;

	while (wrong == NULL && link->state == LINK_UP &&
	       (size = frame_decode(slice->data + at, slice->size - at, &frame, &wrong)) > 0) {
		struct slice payload = {slice->chunk, frame.payload, frame.size};

		wrong = link_take(link, &frame, &payload);
		at += (size_t)size;
	}
	if (wrong != NULL) {
		link_violation(link, wrong);
		return;
	}
	if (link->state != LINK_UP)
		return;
	link->ops->parsed(link);
	link_keep_partial(link, slice->data + at, slice->size - at);
	link_schedule_ack(link);
}

static void
link_receive(struct link *link)
{
	struct slice slice;
	unsigned char *space;
	size_t size, kept = link->partial_size;
	ssize_t got;

	space = chunk_pool_space(link->tunnel->pool, &size);
	if (space == NULL) {
		link_lost(link, strerror(errno));
		return;
	}
	got = recv(link->watch.fd, space + kept, size - kept, 0);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		link_lost(link, got == 0 ? "closed by its other end" : strerror(errno));
		return;
	}
	if (kept > 0)
		memcpy(space, link->partial, kept);
	free(link->partial);
	link->partial = NULL;
	link->partial_size = 0;
	link->heard = loop_now(link->tunnel->loop);
	slice = chunk_pool_slice(link->tunnel->pool, kept + (size_t)got);
	link_parse(link, &slice);
}

void
link_ready(struct watch *watch, short events)
{
	struct link *link = CONTAINER_OF(watch, struct link, watch);

	if (events & POLLOUT)
		loop_later(link->tunnel->loop, &link->flush);
	if (events & (POLLIN | POLLERR | POLLHUP))
		link_receive(link);
}
