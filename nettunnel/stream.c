#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettunnel/session.h"

#define WINDOW_MAX ((size_t)4 * 1024 * 1024)
#define COPY_MAX (CHUNK_SLAB_SIZE / 8) /* what waits for a slow reader must not pin slabs */
#define DRAIN_POLL                                                                                 \
	(INT64_C(5) * 1000 * 1000) /* the kernel does not tell when its queue is empty             \
				    */

/* Bytes that wait for the socket. */
struct piece {
	STAILQ_ENTRY(piece) next;
	struct slice slice;
};

/* -- the end of a stream -- */

static void
drop_first_piece(struct stream *stream)
{
	struct piece *piece = STAILQ_FIRST(&stream->pending);

	STAILQ_REMOVE_HEAD(&stream->pending, next);
	slice_drop(&piece->slice);
	free(piece);
}

static void
drop_pieces(struct stream *stream)
{
	while (!STAILQ_EMPTY(&stream->pending))
		drop_first_piece(stream);
}

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

static void
stream_close(struct stream *stream, bool reset)
{
	struct loop *loop = stream->tunnel->loop;

	if (stream->state == STREAM_CLOSED)
		return;
	stream->state = STREAM_CLOSED;
	leave_session(stream);
	drop_pieces(stream);
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

/* It cannot go on, for want of memory: ended after the round. */
static void
stream_break(struct stream *stream)
{
	loop_later(stream->tunnel->loop, &stream->task);
}

/* Both directions have ended: close(2) sends nothing that was not sent already. */
static void
stream_close_ended(struct stream *stream)
{
	if (stream->ended && stream->forwarded)
		stream_close(stream, false);
}

/* -- from the session to the socket -- */

/* The other end may send so much more, now that the socket has taken `size` bytes; and more than
 * that, if it takes what comes at once. */
static void
stream_consumed(struct stream *stream, size_t size)
{
	struct tunnel *tunnel = stream->tunnel;
	unsigned char payload[4];
	size_t more = 0;

	stream->consumed += size;
	if (stream->session == NULL || stream->finished || stream->consumed < stream->window / 2)
		return;
	if (STAILQ_EMPTY(&stream->pending) && stream->window < WINDOW_MAX &&
	    tunnel->spare_window >= stream->window)
		more = stream->window;
	tunnel->spare_window -= more;
	stream->window += more;
	frame_put_number(payload, stream->consumed + more, 4);
	stream->granted += stream->consumed + more;
	stream->consumed = 0;
	if (link_put(&stream->session->link, FRAME_WINDOW, stream->id, payload, 4) == -1)
		stream_break(stream);
}

/* Send from pieces; returns how many bytes went: all, if they have nowhere to go any more. */
static size_t
stream_send(struct stream *stream, struct iovec *pieces, size_t count, size_t size)
{
	ssize_t sent;

	if (stream->broken != 0)
		return size;
	sent = stream->end.ops->send_pieces(&stream->end, pieces, count);
	if (sent >= 0)
		return (size_t)sent;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return 0;
	/* What the socket sent before its reset is still there to be received. */
	stream->broken = errno == EPIPE ? ECONNRESET : errno;
	return size;
}

/* All that came is with the socket: pass on the end behind it. */
static void
stream_forward_end(struct stream *stream)
{
	if (!stream->finished || stream->forwarded || !STAILQ_EMPTY(&stream->pending) ||
	    stream->state != STREAM_OPEN)
		return;
	stream->forwarded = true;
	if (!stream->ended)
		stream->end.ops->shutdown(&stream->end);
	stream_close_ended(stream);
}

/* The socket has failed, or our session has: reset it once the kernel has delivered all. */
static void
stream_drain(struct stream *stream)
{
	struct loop *loop = stream->tunnel->loop;
	bool late = loop_now(loop) >= stream->deadline;

	if (!late && stream->broken == 0 &&
	    (!STAILQ_EMPTY(&stream->pending) || stream->end.ops->unsent(&stream->end) > 0))
		loop_timer_set(loop, &stream->timer, loop_now(loop) + DRAIN_POLL);
	else
		stream_close(stream, true);
}

/* So many bytes of what waits are with the socket. */
static void
drop_sent(struct stream *stream, size_t sent)
{
	struct piece *piece;

	while (sent > 0 && (piece = STAILQ_FIRST(&stream->pending)) != NULL) {
		if (sent < piece->slice.size) {
			piece->slice.data += sent;
			piece->slice.size -= sent;
			return;
		}
		sent -= piece->slice.size;
		drop_first_piece(stream);
	}
}

static void
stream_flush(struct stream *stream)
{
	struct iovec pieces[SESSION_BATCH];
	struct piece *piece;
	size_t count = 0, size = 0;

	STAILQ_FOREACH (piece, &stream->pending, next) {
		pieces[count++] = (struct iovec){
		    .iov_base = (void *)(uintptr_t)piece->slice.data, .iov_len = piece->slice.size};
		size += piece->slice.size;
		if (count == SESSION_BATCH)
			break;
	}
	if (count == 0 || stream->state == STREAM_OPENING)
		return;
	size = stream_send(stream, pieces, count, size);
	if (stream->broken != 0) {
		drop_pieces(stream);
		return;
	}
	drop_sent(stream, size);
	if (size > 0)
		stream_consumed(stream, size);
	stream_forward_end(stream);
}

static int
stream_keep(struct stream *stream, const struct slice *slice)
{
	struct piece *piece = malloc(sizeof(*piece));

	if (piece == NULL)
		return -1;
	piece->slice = slice_keep(slice, COPY_MAX);
	if (piece->slice.chunk == NULL) {
		free(piece);
		return -1;
	}
	STAILQ_INSERT_TAIL(&stream->pending, piece, next);
	return 0;
}

/* What is left of lent slices of which `sent` bytes have gone has to wait. */
static void
stream_keep_rest(struct stream *stream, const struct slice *slices, size_t count, size_t sent)
{
	for (size_t i = 0; i < count; i++) {
		struct slice rest = slices[i];

		if (sent >= rest.size) {
			sent -= rest.size;
			continue;
		}
		rest.data += sent;
		rest.size -= sent;
		sent = 0;
		if (stream_keep(stream, &rest) == -1) {
			stream_break(stream);
			return;
		}
	}
}

const char *
stream_receive(struct stream *stream, const struct slice *slices, size_t count)
{
	struct iovec pieces[SESSION_BATCH];
	size_t size = 0, sent = 0;

	for (size_t i = 0; i < count; i++) {
		pieces[i] = (struct iovec){
		    .iov_base = (void *)(uintptr_t)slices[i].data, .iov_len = slices[i].size};
		size += slices[i].size;
	}
	if (size > stream->granted)
		return "it sends more than the window of a stream allows";
	if (stream->finished)
		return "it sends data behind the end of a stream";
	stream->granted -= size;
	stream->bytes[!stream->side] += size;
	metrics_add(stream->tunnel->metrics,
	    stream->side == SIDE_CLIENT ? COUNTER_SERVER_BYTES : COUNTER_CLIENT_BYTES,
	    (int64_t)size);
	if (stream->state == STREAM_OPEN && STAILQ_EMPTY(&stream->pending))
		sent = stream_send(stream, pieces, count, size);
	if (sent < size)
		stream_keep_rest(stream, slices, count, sent);
	if (sent > 0)
		stream_consumed(stream, sent);
	stream_update(stream);
	return NULL;
}

const char *
stream_finish(struct stream *stream)
{
	if (stream->finished)
		return "it ends a stream a second time";
	stream->finished = true;
	stream_forward_end(stream);
	stream_update(stream);
	return NULL;
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
	stream->deadline = loop_now(stream->tunnel->loop) + stream->tunnel->hold;
	stream_drain(stream);
	stream_update(stream);
}

/* -- from the socket to the session -- */

const char *
stream_grow(struct stream *stream, uint64_t size)
{
	if (size == 0 || size > WINDOW_MAX || stream->credit + size > WINDOW_MAX)
		return "it opens a window too far";
	stream->credit += (size_t)size;
	stream_update(stream);
	return NULL;
}

static void
stream_put(struct stream *stream, const struct slice *slice)
{
	struct link *link = &stream->session->link;

	stream->credit -= slice->size;
	stream->bytes[stream->side] += slice->size;
	metrics_add(stream->tunnel->metrics,
	    stream->side == SIDE_CLIENT ? COUNTER_CLIENT_BYTES : COUNTER_SERVER_BYTES,
	    (int64_t)slice->size);
	for (size_t at = 0; at < slice->size; at += FRAME_DATA_MAX) {
		struct slice part = {slice->chunk, slice->data + at, slice->size - at};

		if (part.size > FRAME_DATA_MAX)
			part.size = FRAME_DATA_MAX;
		if (link_put_data(link, stream->id, &part) == -1) {
			stream_break(stream); /* a hole must not be */
			return;
		}
	}
}

void
stream_put_first(struct stream *stream, const void *data, size_t size)
{
	if (link_put(&stream->session->link, FRAME_DATA, stream->id, data, size) == -1)
		stream_break(stream);
	stream->credit -= size;
	stream->bytes[stream->side] += size;
	metrics_add(stream->tunnel->metrics, COUNTER_CLIENT_BYTES, (int64_t)size);
}

/* The socket has sent its FIN. */
static void
stream_ended(struct stream *stream)
{
	if (stream->broken != 0) { /* no end: its reset was told to send() */
		stream_kill(stream, FRAME_FAILED);
		return;
	}
	stream->ended = true;
	if (link_put(&stream->session->link, FRAME_END, stream->id, NULL, 0) == -1)
		stream_break(stream);
	stream_close_ended(stream);
}

/* May something be received now? */
static bool
stream_may_receive(const struct stream *stream)
{
	return stream->state == STREAM_OPEN && !stream->ended && stream->credit > 0 &&
	       stream->session->link.state == LINK_UP;
}

bool
stream_take_turn(struct stream *stream, size_t most)
{
	struct slice slice;
	unsigned char *space;
	size_t size;
	ssize_t got;

	if (!stream_may_receive(stream))
		return false;
	space = chunk_pool_space(stream->tunnel->pool, &size);
	if (space == NULL) {
		stream_kill(stream, FRAME_KILLED);
		return false;
	}
	size = size < most ? size : most;
	size = size < stream->credit ? size : stream->credit;
	got = stream->end.ops->receive(&stream->end, space, size);
	if (got > 0) {
		slice = chunk_pool_slice(stream->tunnel->pool, (size_t)got);
		stream_put(stream, &slice);
		return (size_t)got == size && stream_may_receive(stream);
	}
	if (got == 0)
		stream_ended(stream);
	else if (errno != EAGAIN && errno != EINTR)
		stream_kill(stream, FRAME_FAILED);
	return false;
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

/* The socket has failed, and that is not told where it would be received from. */
static void
stream_error(struct stream *stream, short events)
{
	if (stream->state == STREAM_WAITING || stream->ended)
		stream_kill(stream, FRAME_FAILED);
	else if (events & (POLLERR | POLLHUP))
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
	} else if (events & POLLERR) {
		stream_error(stream, events);
	} else if (events & POLLHUP) {
		stream->error_seen = true;
	}
	if (stream->broken != 0 && stream->ended)
		stream_kill(stream, FRAME_FAILED);
	stream_update(stream);
}

static void
stream_timer(struct timer *timer)
{
	struct stream *stream = CONTAINER_OF(timer, struct stream, timer);

	stream_flush(stream);
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
