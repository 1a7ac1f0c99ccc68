#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettunnel/link_private.h"

/* What the kernel holds and has not sent yet: a small request waits behind so much. */
#define KERNEL_UNSENT_MAX (64 * 1024)
#define PROBE (5 * TUNNEL_SECOND)

/* -- the end -- */

void
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

void
link_violation(struct link *link, const char *what)
{
	metrics_add(link->tunnel->metrics, COUNTER_VIOLATIONS, 1);
	link_end(link, what);
}

void
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

/* -- life -- */

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
