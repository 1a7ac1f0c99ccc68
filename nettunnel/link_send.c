#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "nettunnel/link_private.h"

/*
 * Beyond this no data is put: a small request waits behind so much. More of it makes fewer, larger
 * steps, and does no harm where the connection has long taken all at once.
 */
#define UNSENT_MAX ((size_t)64 * 1024)
#define UNSENT_MAX_SMOOTH ((size_t)512 * 1024)
#define SMOOTH ((size_t)1024 * 1024)
#define VECTORS 128 /* as many as UNSENT_MAX_SMOOTH takes */

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

void
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
link_share(const struct link *link)
{
	return link->smooth >= SMOOTH ? UNSENT_MAX_SMOOTH / 4 : UNSENT_MAX / 4;
}

size_t
link_room(const struct link *link)
{
	size_t most = 4 * link_share(link);

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
	struct timeval patience = {.tv_sec = abrupt ? 0 : 1, .tv_usec = abrupt ? 200000 : 0};
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
