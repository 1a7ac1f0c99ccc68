#include <errno.h>
#include <string.h>

#include "nettunnel/stream_private.h"

#define DRAIN_PAUSE_FIRST (5 * TUNNEL_SECOND / 1000)
#define DRAIN_PAUSE_MOST (TUNNEL_SECOND / 2)

/* -- the end of a stream -- */

static void
give_window_back(struct stream *stream)
{
	if (stream->window > FRAME_WINDOW_FIRST)
		stream->tunnel->spare_window += stream->window - FRAME_WINDOW_FIRST;
	stream->window = 0;
}

static void
leave_session(struct stream *stream)
{
	if (stream->session != NULL)
		session_remove(stream->session, stream);
	stream->session = NULL;
	give_window_back(stream);
}

void
stream_close(struct stream *stream, bool reset)
{
	struct loop *loop = stream->tunnel->loop;

	if (stream->state == STREAM_CLOSED)
		return;
	stream->state = STREAM_CLOSED;
	leave_session(stream);
	stream_drop_pieces(stream);
	loop_timer_cancel(loop, &stream->timer);
	loop_unwatch(loop, &stream->end.watch);
	if (stream->end.watch.fd != -1)
		stream->end.ops->close(&stream->end, reset);
	loop_later(loop, &stream->task);
}

void
stream_kill(struct stream *stream, enum frame_reason reason)
{
	unsigned char payload = (unsigned char)reason;

	if (stream->state == STREAM_CLOSED)
		return;
	if (stream->session != NULL)
		link_put(&stream->session->link, FRAME_RESET, stream->id, &payload, 1);
	if (reason == FRAME_KILLED)
		metrics_add(stream->tunnel->metrics, COUNTER_KILLED, 1);
	else if (reason == FRAME_FAILED)
		metrics_add(stream->tunnel->metrics, COUNTER_FAILED, 1);
	stream_close(stream, true);
}

static void
stream_task(struct task *task)
{
	struct stream *stream = CONTAINER_OF(task, struct stream, task);

	if (stream->state == STREAM_CLOSED)
		stream->gone(stream);
	else
		stream_kill(stream, FRAME_KILLED);
}

void
stream_dismiss(struct stream *stream)
{
	stream_close(stream, false);
}

void
stream_break(struct stream *stream)
{
	loop_later(stream->tunnel->loop, &stream->task);
}

void
stream_close_ended(struct stream *stream)
{
	if (stream->ended && stream->forwarded)
		stream_close(stream, false);
}

void
stream_drain(struct stream *stream)
{
	struct loop *loop = stream->tunnel->loop;
	int64_t now = loop_now(loop);

	if (now < stream->deadline && stream->broken == 0 &&
	    (!STAILQ_EMPTY(&stream->pending) || stream->end.ops->unsent(&stream->end) > 0)) {
		/* The kernel does not tell when its queue is empty. */
		loop_timer_set(loop, &stream->timer, now + stream->pause);
		if (stream->pause < DRAIN_PAUSE_MOST)
			stream->pause *= 2;
	} else {
		stream_close(stream, true);
	}
}

void
stream_fail(struct stream *stream)
{
	if (stream->state == STREAM_CLOSED || stream->state == STREAM_DRAINING)
		return;
	leave_session(stream);
	metrics_add(stream->tunnel->metrics, COUNTER_FAILED, 1);
	if (stream->end.watch.fd == -1) {
		stream_close(stream, true);
		return;
	}
	stream->state = STREAM_DRAINING;
	stream->pause = DRAIN_PAUSE_FIRST;
	stream->deadline = loop_now(stream->tunnel->loop) + stream->tunnel->hold;
	stream_drain(stream);
	stream_update(stream);
}

/* -- readiness -- */

static short
stream_interest(const struct stream *stream)
{
	short interest = 0;

	if (stream->state == STREAM_CLOSED || stream->end.watch.fd == -1)
		return 0;
	if (!STAILQ_EMPTY(&stream->pending) && stream->broken == 0)
		interest |= POLLOUT;
	if (stream->state == STREAM_DRAINING)
		return interest;
	if (stream_may_receive(stream) && !stream->has_turn)
		interest |= POLLIN;
	if (interest == 0 && !stream->error_seen && stream->broken == 0)
		interest = POLLERR;
	return interest;
}

void
stream_update(struct stream *stream)
{
	if (loop_watch(stream->tunnel->loop, &stream->end.watch, stream_interest(stream)) == -1)
		stream_break(stream);
}

/* ERR or HUP, while nothing can be received that would tell more. */
static void
stream_error(struct stream *stream, short events)
{
	if ((events & POLLERR) && (stream->state == STREAM_WAITING || stream->ended))
		stream_kill(stream, FRAME_FAILED);
	else
		stream->error_seen = true;
}

static void
stream_ready(struct watch *watch, short events)
{
	struct stream *stream = CONTAINER_OF(watch, struct stream, end.watch);

	if (events & (POLLOUT | POLLERR | POLLHUP))
		stream_flush(stream);
	if (stream->state == STREAM_DRAINING) {
		stream_drain(stream);
	} else if (stream_may_receive(stream) && !stream->has_turn) {
		if (events & (POLLIN | POLLERR | POLLHUP))
			session_want_turn(stream->session, stream);
	} else if (events & (POLLERR | POLLHUP)) {
		stream_error(stream, events);
	}
	if (stream->broken != 0 && stream->ended)
		stream_kill(stream, FRAME_FAILED);
	stream_update(stream);
}

static void
stream_timer(struct timer *timer)
{
	struct stream *stream = CONTAINER_OF(timer, struct stream, timer);

	stream_drain(stream);
	stream_update(stream);
}

/* -- life -- */

void
stream_init(struct stream *stream, struct tunnel *tunnel, enum side side,
    void (*gone)(struct stream *stream))
{
	memset(stream, 0, sizeof(*stream));
	stream->tunnel = tunnel;
	stream->side = side;
	stream->gone = gone;
	stream->task.run = stream_task;
	stream->end.ops = &end_socket_ops;
	STAILQ_INIT(&stream->pending);
	timer_init(&stream->timer, stream_timer);
	watch_init(&stream->end.watch, -1, stream_ready);
}

void
stream_set_socket(struct stream *stream, int fd)
{
	stream->end.watch.fd = fd;
	stream_update(stream);
}

void
stream_join(struct stream *stream, struct session *session, uint64_t id, bool opening)
{
	stream->session = session;
	stream->id = id;
	stream->state = opening ? STREAM_OPENING : STREAM_OPEN;
	stream->credit = stream->window = stream->granted = FRAME_WINDOW_FIRST;
	stream->consumed = 0;
	session_add(session, stream);
	if (stream->ended && link_put(&session->link, FRAME_END, id, NULL, 0) == -1)
		stream_break(stream);
	stream_update(stream);
}

void
stream_opened(struct stream *stream, int fd)
{
	stream->state = STREAM_OPEN;
	stream->end.watch.fd = fd;
	stream_flush(stream);
	stream_forward_end(stream);
	stream_update(stream);
}

bool
stream_is_untouched(const struct stream *stream)
{
	return stream->state == STREAM_OPEN && !stream->finished && stream->broken == 0 &&
	       stream->bytes[SIDE_CLIENT] == 0 && stream->bytes[SIDE_SERVER] == 0;
}

void
stream_wait(struct stream *stream)
{
	leave_session(stream);
	stream->state = STREAM_WAITING;
	stream_update(stream);
}
