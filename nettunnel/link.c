#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/notice.h"
#include "nettunnel/link.h"

/*
 * Beyond this no data is put: a small request waits behind so much. More of it makes fewer, larger
 * steps, and does no harm where the connection has long taken all at once.
 */
#define UNSENT_MAX (64 * 1024)
#define UNSENT_MAX_SMOOTH (256 * 1024)
#define SMOOTH (1024 * 1024)
/* The same for what the kernel has not sent yet. */
#define KERNEL_UNSENT_MAX (128 * 1024)
#define VECTORS 64
#define ACK_BYTES (128 * 1024) /* at the latest after so many an ACK is sent */
#define ACK_DELAY (40 * TUNNEL_SECOND / 1000)
#define PROBE (5 * TUNNEL_SECOND)

/* -- life -- */

static void link_ready(struct watch *watch, short events);
static void link_tick(struct timer *timer);
static void link_ack_late(struct timer *timer);
static void link_flush_task(struct task *task);

void
link_init(struct link *link, struct tunnel *tunnel, const struct link_ops *ops)
{
	memset(link, 0, sizeof(*link));
	link->ops = ops;
	link->tunnel = tunnel;
	link->flush.run = link_flush_task;
	outbox_init(&link->outbox);
	watch_init(&link->watch, -1, link_ready);
	timer_init(&link->timer, link_tick);
	timer_init(&link->ack_timer, link_ack_late);
	loop_timer_set(tunnel->loop, &link->timer, loop_now(tunnel->loop) + tunnel->hold);
}

static void
link_count_retained(struct link *link)
{
	metrics_add(link->tunnel->metrics, COUNTER_RETAINED,
	    (int64_t)link->outbox.retained - (int64_t)link->counted);
	link->counted = link->outbox.retained;
}

/* Forget the connection and what belongs to it alone. */
static void
link_detach(struct link *link)
{
	struct loop *loop = link->tunnel->loop;

	if (link->watch.fd != -1) {
		loop_unwatch(loop, &link->watch);
		close(link->watch.fd);
		link->watch.fd = -1;
		metrics_add(link->tunnel->metrics, COUNTER_LINKS, -1);
	}
	loop_timer_cancel(loop, &link->ack_timer);
	free(link->partial);
	link->partial = NULL;
	link->partial_size = 0;
	link->control_size = link->control_sent = 0;
	link->ack_due = link->ping_due = link->pong_due = false;
	link->unacknowledged = 0;
}

void
link_release(struct link *link)
{
	link_detach(link);
	loop_timer_cancel(link->tunnel->loop, &link->timer);
	outbox_release(&link->outbox);
	link_count_retained(link);
	link->state = LINK_OVER;
}

void
link_end(struct link *link, const char *reason)
{
	if (link->state == LINK_OVER)
		return;
	link_release(link);
	link->ops->over(link, reason);
}

static void
link_lost(struct link *link, const char *reason)
{
	struct tunnel *tunnel = link->tunnel;

	if (link->state != LINK_UP)
		return;
	link_detach(link);
	link->state = LINK_DOWN;
	metrics_add(tunnel->metrics, COUNTER_LINKS_LOST, 1);
	loop_timer_set(tunnel->loop, &link->timer, loop_now(tunnel->loop) + tunnel->hold);
	link->ops->lost(link, reason);
}

int
link_attach(struct link *link, int fd, uint64_t received)
{
	struct tunnel *tunnel = link->tunnel;
	int unsent = KERNEL_UNSENT_MAX;

	if (outbox_rewind(&link->outbox, received) == -1)
		return -1;
	link_detach(link);
	watch_init(&link->watch, fd, link_ready);
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	link->state = LINK_UP;
	link->smooth = 0;
	link->heard = loop_now(tunnel->loop);
	metrics_add(tunnel->metrics, COUNTER_LINKS, 1);
	loop_timer_set(tunnel->loop, &link->timer, link->heard + tunnel->ping);
	link_count_retained(link);
	if (loop_watch(tunnel->loop, &link->watch, POLLIN) == -1) {
		link_lost(link, strerror(errno));
		return 0;
	}
	loop_later(tunnel->loop, &link->flush);
	return 0;
}

/* -- time -- */

static void
link_tick(struct timer *timer)
{
	struct link *link = CONTAINER_OF(timer, struct link, timer);
	struct tunnel *tunnel = link->tunnel;
	int64_t now = loop_now(tunnel->loop), silence = now - link->heard;

	if (link->state == LINK_DOWN) {
		link_end(link, "its link was lost for too long");
	} else if (silence > 2 * tunnel->ping) {
		link_lost(link, "nothing came from it, not even an answer to a ping");
	} else {
		if (silence >= tunnel->ping) {
			link->ping_due = true;
			loop_later(tunnel->loop, &link->flush);
		}
		loop_timer_set(tunnel->loop, timer, now + tunnel->ping / 2);
	}
}

void
link_probe(struct link *link)
{
	struct tunnel *tunnel = link->tunnel;
	int64_t patience = tunnel->ping < PROBE ? tunnel->ping : PROBE;

	if (link->state != LINK_UP)
		return;
	/* As if it had been silent for so long that it has only `patience` left. */
	link->heard = loop_now(tunnel->loop) + patience - 2 * tunnel->ping;
	link->ping_due = true;
	loop_later(tunnel->loop, &link->flush);
	loop_timer_set(tunnel->loop, &link->timer, loop_now(tunnel->loop) + patience + 1);
}

static void
link_ack_late(struct timer *timer)
{
	struct link *link = CONTAINER_OF(timer, struct link, ack_timer);

	link->ack_due = true;
	loop_later(link->tunnel->loop, &link->flush);
}

/* -- sending -- */

static void
control_add(struct link *link, enum frame_type type, uint64_t number)
{
	unsigned char *at = link->control + link->control_size;

	frame_encode(at, type, 0, 8);
	frame_put_number(at + FRAME_HEADER, number, 8);
	link->control_size += FRAME_HEADER + 8;
}

/* Make the frames that are due outside of the sequence, once those before are sent. */
static void
control_compose(struct link *link)
{
	if (link->control_sent < link->control_size)
		return;
	link->control_size = link->control_sent = 0;
	if (link->ack_due) {
		control_add(link, FRAME_ACK, link->received);
		link->unacknowledged = 0;
		loop_timer_cancel(link->tunnel->loop, &link->ack_timer);
	}
	if (link->ping_due)
		control_add(link, FRAME_PING, (uint64_t)loop_now(link->tunnel->loop));
	if (link->pong_due)
		control_add(link, FRAME_PONG, link->pong);
	link->ack_due = link->ping_due = link->pong_due = false;
}

/*
 * Send once: the rest of a frame of the sequence that was begun, then what is outside of it, then
 * the sequence. Returns 1, 0 if there is nothing to send, or -1 with errno.
 */
static int
link_send(struct link *link)
{
	struct iovec vectors[VECTORS];
	struct msghdr message = {.msg_iov = vectors};
	size_t first, control, count = 0, sent;
	ssize_t result;

	control_compose(link);
	control = link->control_size - link->control_sent;
	if (control > 0)
		count = outbox_rest(&link->outbox, vectors);
	first = count > 0 ? vectors[0].iov_len + (count > 1 ? vectors[1].iov_len : 0) : 0;
	if (control > 0)
		vectors[count++] = (struct iovec){
		    .iov_base = link->control + link->control_sent, .iov_len = control};
	if (first == 0)
		count += outbox_vectors(&link->outbox, vectors + count, VECTORS - count);
	if (count == 0)
		return 0;
	message.msg_iovlen = count;
	result = sendmsg(link->watch.fd, &message, MSG_NOSIGNAL);
	if (result == -1)
		return -1;
	sent = (size_t)result;
	if (first > sent)
		first = sent;
	outbox_sent(&link->outbox, first);
	sent -= first;
	if (control > sent)
		control = sent;
	link->control_sent += control;
	outbox_sent(&link->outbox, sent - control);
	link->smooth += (size_t)result;
	return 1;
}

static void
link_flush_task(struct task *task)
{
	struct link *link = CONTAINER_OF(task, struct link, flush);
	short interest = POLLIN;
	int result;

	if (link->state != LINK_UP)
		return;
	while ((result = link_send(link)) == 1)
		;
	if (result == -1 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		link_lost(link, strerror(errno));
		return;
	}
	if (result == -1) {
		interest |= POLLOUT;
		link->smooth = 0;
	}
	if (loop_watch(link->tunnel->loop, &link->watch, interest) == -1)
		link_lost(link, strerror(errno));
	else if (link_room(link) > 0)
		link->ops->room(link);
}

size_t
link_room(const struct link *link)
{
	size_t most = link->smooth >= SMOOTH ? UNSENT_MAX_SMOOTH : UNSENT_MAX;

	if (link->state != LINK_UP || link->outbox.unsent_bytes + FRAME_DATA_MAX > most)
		return 0; /* rather later than in small frames */
	return most - link->outbox.unsent_bytes;
}

static int
link_has_put(struct link *link, int result)
{
	link_count_retained(link);
	if (link->state == LINK_UP)
		loop_later(link->tunnel->loop, &link->flush);
	return result;
}

int
link_put(struct link *link, enum frame_type type, uint64_t stream, const void *payload, size_t size)
{
	if (link->state == LINK_OVER)
		return 0;
	/* Who is given more room has first been told what has come: so it never keeps more than
	 * its streams' windows. */
	if (type == FRAME_WINDOW)
		link->ack_due = true;
	return link_has_put(link, outbox_put(&link->outbox, type, stream, payload, size));
}

int
link_put_data(struct link *link, uint64_t stream, const struct slice *slice)
{
	if (link->state == LINK_OVER)
		return 0;
	return link_has_put(link, outbox_put_data(&link->outbox, stream, slice));
}

void
link_bye(struct link *link, bool abrupt)
{
	struct timeval patience = {.tv_sec = 1};
	int flags;

	if (link->state != LINK_UP)
		return;
	if (abrupt)
		outbox_cut(&link->outbox);
	outbox_put(&link->outbox, FRAME_BYE, 0, NULL, 0);
	flags = fcntl(link->watch.fd, F_GETFL);
	fcntl(link->watch.fd, F_SETFL, flags & ~O_NONBLOCK);
	setsockopt(link->watch.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (link_send(link) == 1)
		;
	shutdown(link->watch.fd, SHUT_WR);
}

/* -- receiving -- */

void
link_violation(struct link *link, const char *what)
{
	metrics_add(link->tunnel->metrics, COUNTER_VIOLATIONS, 1);
	link_end(link, what);
}

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

static void
link_ready(struct watch *watch, short events)
{
	struct link *link = CONTAINER_OF(watch, struct link, watch);

	if (events & POLLOUT)
		loop_later(link->tunnel->loop, &link->flush);
	if (events & (POLLIN | POLLERR | POLLHUP))
		link_receive(link);
}
