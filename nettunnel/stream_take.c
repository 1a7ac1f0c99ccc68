/* From a stream's socket to its session. */
#include <errno.h>

#include "nettunnel/stream_private.h"

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

bool
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
