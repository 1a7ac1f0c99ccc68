#include "netreplay/leg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket.h"

#define CONNECT_TIMEOUT (INT64_C(30) * 1000 * 1000 * 1000)

static struct loop *
leg_loop(const struct leg *leg)
{
	return session_play(leg->session)->loop;
}

/* Size 0: their end. */
static int
leg_feed_live(struct leg *leg, const unsigned char *data, size_t size)
{
	if (normal_take(&leg->normal, ALIGN_LIVE, &data, &size) == -1)
		return -1;
	if (size == 0)
		return 0;
	if (leg->cross != NULL && align_feed(leg->cross, leg->cross_stream, data, size) == -1)
		return -1;
	return align_feed(leg->align, ALIGN_LIVE, data, size);
}

static void
leg_receive(struct leg *leg)
{
	struct chunk_pool *pool = session_play(leg->session)->pool;
	int64_t now = loop_now(leg_loop(leg)), since;
	struct slice slice;
	unsigned char *space;
	size_t size;
	ssize_t got;

	space = chunk_pool_space(pool, &size);
	if (space == NULL) {
		session_out_of_memory(leg->session);
		return;
	}
	got = leg->end.ops->receive(&leg->end, space, size);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		leg->ended = true;
		leg->error = got == -1 ? errno : leg->broken;
		session_ended(leg->session, leg);
		return;
	}
	slice = chunk_pool_slice(pool, (size_t)got);
	since = leg->last_sent > leg->last_received ? leg->last_sent : leg->last_received;
	if (since > 0 && now - since > leg->longest_silence)
		leg->longest_silence = now - since;
	if (leg->unanswered)
		histogram_add(leg->responses, now - leg->last_sent);
	leg->unanswered = false;
	leg->received += slice.size;
	leg->last_received = now;
	if (leg_feed_live(leg, slice.data, slice.size) == -1)
		session_fail_script(leg->session, leg);
	else
		session_received(leg->session, leg, &slice);
}

/* The server is gone: receiving will tell, unless it has told of an end already. */
static void
leg_break(struct leg *leg, int error)
{
	leg->broken = error;
	if (leg->ended && leg->error == 0)
		leg->error = error;
}

/* Send what waits, and our FIN behind it. */
static void
leg_flush(struct leg *leg)
{
	ssize_t sent = leg->end.ops->send(
	    &leg->end, leg->unsent + leg->unsent_at, leg->unsent_size - leg->unsent_at);

	if (sent == -1 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return;
	if (sent == -1) {
		leg_break(leg, errno);
		leg->unsent_at = leg->unsent_size;
	} else {
		leg->unsent_at += (size_t)sent;
	}
	leg->last_sent = loop_now(leg_loop(leg));
	if (leg->unsent_at < leg->unsent_size)
		return;
	free(leg->unsent);
	leg->unsent = NULL;
	if (leg->finish_pending)
		leg->end.ops->shutdown(&leg->end);
	leg->finish_pending = false;
	session_sent(leg->session);
}

static void
leg_ready(struct watch *watch, short events)
{
	struct leg *leg = CONTAINER_OF(watch, struct leg, end.watch);

	if ((events & (POLLOUT | POLLERR | POLLHUP)) && leg->unsent != NULL)
		leg_flush(leg);
	if ((events & (POLLIN | POLLERR | POLLHUP)) && leg->end.watch.fd != -1 && !leg->ended &&
	    !leg->held_back)
		leg_receive(leg);
	leg_update(leg);
}

void
leg_update(struct leg *leg)
{
	short interest = 0;

	if (leg->end.watch.fd == -1)
		return;
	if (!leg->ended && !leg->held_back)
		interest |= POLLIN;
	if (leg->unsent != NULL)
		interest |= POLLOUT;
	if (loop_watch(leg_loop(leg), &leg->end.watch, interest) == -1)
		session_out_of_memory(leg->session);
}

static void
leg_connected(void *context, int fd, int error, const struct address *server)
{
	struct leg *leg = context;

	leg->connector = NULL;
	if (fd == -1) {
		session_refused(leg->session, error, server);
		return;
	}
	leg->end.watch.fd = fd;
	leg->connected = loop_refresh(leg_loop(leg));
	leg->server = *server;
	leg_update(leg);
	session_connected(leg->session);
}

int
leg_init(struct leg *leg, struct session *session, const struct logset_item *item,
    const struct align_config *config)
{
	memset(leg, 0, sizeof(*leg));
	leg->session = session;
	leg->end.ops = &end_socket_ops;
	watch_init(&leg->end.watch, -1, leg_ready);
	leg->align = align_new(config);
	leg->answers = answers_open(item);
	return leg->align != NULL && leg->answers != NULL ? 0 : -1;
}

void
leg_connect(struct leg *leg, const struct address_list *targets)
{
	leg->connector =
	    connector_start(leg_loop(leg), targets, CONNECT_TIMEOUT, false, leg_connected, leg);
}

int
leg_send(struct leg *leg, const void *data, size_t size)
{
	ssize_t sent = leg->end.ops->send(&leg->end, data, size);

	leg->last_sent = loop_now(leg_loop(leg));
	leg->received_at_cause = leg->received;
	leg->unanswered = true;
	if (sent == -1 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		leg_break(leg, errno);
		return 0;
	}
	if (sent == -1)
		sent = 0;
	if ((size_t)sent == size)
		return 0;
	leg->unsent_size = size - (size_t)sent;
	leg->unsent_at = 0;
	leg->unsent = malloc(leg->unsent_size);
	if (leg->unsent == NULL)
		return -1;
	memcpy(leg->unsent, (const char *)data + sent, leg->unsent_size);
	leg_update(leg);
	return 0;
}

void
leg_finish(struct leg *leg, bool is_cause)
{
	if (is_cause)
		leg->received_at_cause = leg->received;
	if (leg->unsent != NULL)
		leg->finish_pending = true;
	else if (leg->end.watch.fd != -1)
		leg->end.ops->shutdown(&leg->end);
}

bool
leg_idle(const struct leg *leg)
{
	return leg->unsent == NULL;
}

static int
leg_feed_recorded(struct leg *leg, const unsigned char *piece, size_t size)
{
	if (normal_take(&leg->normal, ALIGN_RECORDED, &piece, &size) == -1 ||
	    (size > 0 && align_feed(leg->align, ALIGN_RECORDED, piece, size) == -1))
		return -1;
	return leg->counter != NULL && size > 0 ? mask_counter_feed(leg->counter, piece, size) : 0;
}

int
leg_feed(struct leg *leg)
{
	const unsigned char *piece;
	ssize_t size;

	while (!leg->answers_ended && align_wanted(leg->align) > 0) {
		size = answers_next(leg->answers, &piece);
		if (size == -1)
			return -1;
		if (size == 0) {
			leg->answers_ended = true;
			if (leg_feed_recorded(leg, NULL, 0) == -1)
				return -1;
			if (answers_end(leg->answers) == ANSWERS_OPEN)
				align_open_end(leg->align);
			if (leg->counter != NULL && mask_counter_end(leg->counter) == -1)
				return -1;
			return align_end(leg->align, ALIGN_RECORDED);
		}
		if (leg_feed_recorded(leg, piece, (size_t)size) == -1)
			return -1;
	}
	return 0;
}

int
leg_feed_end(struct leg *leg)
{
	if (leg_feed_live(leg, NULL, 0) == -1 || align_end(leg->align, ALIGN_LIVE) == -1)
		return -1;
	if (leg->cross != NULL && align_end(leg->cross, leg->cross_stream) == -1)
		return -1;
	return leg_feed(leg);
}

const char *
leg_message(const struct leg *leg)
{
	return leg->normal.reason != NULL ? leg->normal.reason : answers_message(leg->answers);
}

uint64_t
leg_place(const struct leg *leg, uint64_t cause)
{
	return normal_place(&leg->normal, cause);
}

void
leg_close(struct leg *leg, bool reset)
{
	connector_cancel(leg->connector);
	leg->connector = NULL;
	loop_unwatch(leg_loop(leg), &leg->end.watch);
	if (leg->end.watch.fd != -1)
		leg->end.ops->close(&leg->end, reset);
}

void
leg_release(struct leg *leg)
{
	align_free(leg->align);
	mask_counter_free(leg->counter);
	answers_free(leg->answers);
	normal_release(&leg->normal);
	free(leg->unsent);
}
