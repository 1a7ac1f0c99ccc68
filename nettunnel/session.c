#include <string.h>

#include "nettunnel/session.h"

static int
stream_compare(const struct stream *a, const struct stream *b)
{
	return (a->id > b->id) - (a->id < b->id);
}

RB_GENERATE(stream_tree, stream, node, stream_compare)

/* -- streams -- */

void
session_add(struct session *session, struct stream *stream)
{
	RB_INSERT(stream_tree, &session->streams, stream);
	session->count++;
}

void
session_remove(struct session *session, struct stream *stream)
{
	RB_REMOVE(stream_tree, &session->streams, stream);
	session->count--;
	if (stream->has_turn)
		TAILQ_REMOVE(&session->turns, stream, turn);
	stream->has_turn = false;
	if (session->batch_stream == stream)
		session->batch_stream = NULL;
}

struct stream *
session_first(struct session *session)
{
	return RB_MIN(stream_tree, &session->streams);
}

static struct stream *
session_find(struct session *session, uint64_t id)
{
	struct stream key = {.id = id};

	return RB_FIND(stream_tree, &session->streams, &key);
}

void
session_serve(struct session *session, struct stream *stream, const char *text)
{
	uint64_t id = ++session->last_id;

	link_put(&session->link, FRAME_OPEN, id, text, strlen(text));
	stream_join(stream, session, id, false);
}

/* -- turns -- */

/* Let streams put what their sockets sent, as long as there is room. */
static void
session_take_turns(struct timer *timer)
{
	struct session *session = CONTAINER_OF(timer, struct session, turn_timer);
	struct stream *stream;
	size_t room, share = link_share(&session->link);

	while ((room = link_room(&session->link)) > 0 &&
	       (stream = TAILQ_FIRST(&session->turns)) != NULL) {
		TAILQ_REMOVE(&session->turns, stream, turn);
		stream->has_turn = false;
		if (!TAILQ_EMPTY(&session->turns) && room > share)
			room = share;
		if (stream_take_turn(stream, room)) {
			stream->has_turn = true;
			TAILQ_INSERT_TAIL(&session->turns, stream, turn);
		}
		stream_update(stream);
	}
}

void
session_want_turn(struct session *session, struct stream *stream)
{
	size_t room = link_room(&session->link);

	if (stream->has_turn)
		return;
	if (room > 0 && TAILQ_EMPTY(&session->turns)) {
		stream_take_turn(stream, room);
		return;
	}
	stream->has_turn = true;
	TAILQ_INSERT_TAIL(&session->turns, stream, turn);
}

/* -- frames -- */

static const char *
session_deliver(struct session *session)
{
	struct stream *stream = session->batch_stream;
	size_t count = session->batch_count;

	session->batch_stream = NULL;
	session->batch_count = 0;
	return stream != NULL ? stream_receive(stream, session->batch, count) : NULL;
}

static const char *
session_data(struct session *session, struct stream *stream, const struct slice *payload)
{
	const char *wrong = NULL;

	if (session->batch_stream != stream || session->batch_count == SESSION_BATCH)
		wrong = session_deliver(session);
	if (wrong != NULL || stream->session != session)
		return wrong; /* or the stream has failed meanwhile */
	session->batch_stream = stream;
	session->batch[session->batch_count++] = *payload;
	return NULL;
}

static const char *
session_open(struct session *session, const struct frame *frame)
{
	char text[FRAME_TEXT_MAX + 1];

	if (session->ops->open == NULL)
		return "it opens a stream";
	if (frame->stream <= session->last_id)
		return "it opens a stream a second time";
	session->last_id = frame->stream;
	memcpy(text, frame->payload, frame->size);
	text[frame->size] = '\0';
	session->ops->open(session, frame->stream, text);
	return NULL;
}

/* About a stream that is there. */
static const char *
session_stream_frame(struct session *session, struct stream *stream, const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_WINDOW:
		return stream_grow(stream, frame->number);
	case FRAME_END:
		return stream_finish(stream);
	case FRAME_RESET:
		if (frame->number == FRAME_REFUSED)
			metrics_add(session->link.tunnel->metrics, COUNTER_REFUSED, 1);
		stream_fail(stream);
		return NULL;
	default:
		return "a frame at the wrong time";
	}
}

static const char *
session_frame(struct link *link, const struct frame *frame, const struct slice *payload)
{
	struct session *session = CONTAINER_OF(link, struct session, link);
	struct stream *stream;
	const char *wrong;

	if (frame->type == FRAME_DATA) {
		if (session->batch_stream != NULL && session->batch_stream->id == frame->stream)
			return session_data(session, session->batch_stream, payload);
		stream = session_find(session, frame->stream);
		if (stream != NULL)
			return session_data(session, stream, payload);
	}
	wrong = session_deliver(session);
	if (wrong != NULL)
		return wrong;
	if (frame->type == FRAME_OPEN)
		return session_open(session, frame);
	if (frame->type == FRAME_DRAIN) {
		if (session->ops->drain == NULL)
			return "it wants no more streams, but opens them";
		session->ops->drain(session);
		return NULL;
	}
	if (frame->stream > session->last_id)
		return "a frame of a stream that was never opened";
	stream = session_find(session, frame->stream);
	/* Of one that has ended here, what was under way still comes. */
	return stream != NULL ? session_stream_frame(session, stream, frame) : NULL;
}

static void
session_parsed(struct link *link)
{
	struct session *session = CONTAINER_OF(link, struct session, link);
	const char *wrong = session_deliver(session);

	if (wrong != NULL)
		link_violation(link, wrong);
}

/* -- the link -- */

/* In the next round, so that those who send much do not keep the loop from all others. */
static void
session_room(struct link *link)
{
	struct session *session = CONTAINER_OF(link, struct session, link);
	struct loop *loop = link->tunnel->loop;

	if (!TAILQ_EMPTY(&session->turns))
		loop_timer_set(loop, &session->turn_timer, loop_now(loop));
}

static void
session_lost(struct link *link, const char *reason)
{
	struct session *session = CONTAINER_OF(link, struct session, link);

	session->ops->lost(session, reason);
}

static void
session_over(struct link *link, const char *reason)
{
	struct session *session = CONTAINER_OF(link, struct session, link);

	session_deliver(session);
	session->ops->over(session, reason);
}

static const struct link_ops session_link_ops = {
    .frame = session_frame,
    .parsed = session_parsed,
    .room = session_room,
    .lost = session_lost,
    .over = session_over,
};

void
session_init(struct session *session, struct tunnel *tunnel, const struct session_ops *ops)
{
	memset(session, 0, sizeof(*session));
	session->ops = ops;
	RB_INIT(&session->streams);
	TAILQ_INIT(&session->turns);
	timer_init(&session->turn_timer, session_take_turns);
	link_init(&session->link, tunnel, &session_link_ops);
}

void
session_release(struct session *session)
{
	loop_timer_cancel(session->link.tunnel->loop, &session->turn_timer);
	link_release(&session->link);
}

int
session_attach(struct session *session, int fd, uint64_t received)
{
	struct stream *stream, *next;

	if (link_attach(&session->link, fd, received) == -1)
		return -1;
	RB_FOREACH_SAFE (stream, stream_tree, &session->streams, next) {
		stream_update(stream);
	}
	return 0;
}
