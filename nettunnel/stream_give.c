/* From a stream's session to its socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettunnel/stream_private.h"

/* Bytes that wait for the socket: copies, so that they pin no slab, however small they came. */
struct piece {
	STAILQ_ENTRY(piece) next;
	size_t begin, end, capacity;
	unsigned char bytes[];
};

/* -- what waits -- */

static void
drop_first_piece(struct stream *stream)
{
	struct piece *piece = STAILQ_FIRST(&stream->pending);

	STAILQ_REMOVE_HEAD(&stream->pending, next);
	stream->waiting -= piece->end - piece->begin;
	free(piece);
}

void
stream_drop_pieces(struct stream *stream)
{
	while (!STAILQ_EMPTY(&stream->pending))
		drop_first_piece(stream);
}

/* So many bytes of what waits are with the socket. */
static void
drop_sent(struct stream *stream, size_t sent)
{
	struct piece *piece;

	while (sent > 0 && (piece = STAILQ_FIRST(&stream->pending)) != NULL) {
		size_t size = piece->end - piece->begin;

		if (sent < size) {
			piece->begin += sent;
			stream->waiting -= sent;
			return;
		}
		sent -= size;
		drop_first_piece(stream);
	}
}

/* A piece with room for `size` bytes at least: more, the more waits already, so that many small
 * frames do not make many pieces. Returns NULL with errno. */
static struct piece *
add_piece(struct stream *stream, size_t size)
{
	size_t usual = stream->waiting < FRAME_DATA_MAX ? stream->waiting : FRAME_DATA_MAX;
	struct piece *piece;

	if (size < usual)
		size = usual;
	piece = malloc(sizeof(*piece) + size);
	if (piece == NULL)
		return NULL;
	piece->begin = piece->end = 0;
	piece->capacity = size;
	STAILQ_INSERT_TAIL(&stream->pending, piece, next);
	stream->newest = piece;
	return piece;
}

static int
stream_keep(struct stream *stream, const unsigned char *data, size_t size)
{
	struct piece *piece = STAILQ_EMPTY(&stream->pending) ? NULL : stream->newest;

	while (size > 0) {
		size_t room = piece != NULL ? piece->capacity - piece->end : 0;
		size_t part = size < room ? size : room;

		if (room == 0) {
			piece = add_piece(stream, size);
			if (piece == NULL)
				return -1;
			continue;
		}
		memcpy(piece->bytes + piece->end, data, part);
		piece->end += part;
		stream->waiting += part;
		data += part;
		size -= part;
	}
	return 0;
}

/* What is left of lent slices of which `sent` bytes have gone has to wait. */
static void
stream_keep_rest(struct stream *stream, const struct slice *slices, size_t count, size_t sent)
{
	for (size_t i = 0; i < count; i++) {
		size_t skip = sent < slices[i].size ? sent : slices[i].size;

		sent -= skip;
		if (stream_keep(stream, slices[i].data + skip, slices[i].size - skip) == -1) {
			stream_break(stream);
			return;
		}
	}
}

/* -- what goes -- */

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

void
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

void
stream_flush(struct stream *stream)
{
	struct iovec pieces[SESSION_BATCH];
	struct piece *piece;
	size_t count = 0, size = 0;

	STAILQ_FOREACH (piece, &stream->pending, next) {
		pieces[count].iov_base = piece->bytes + piece->begin;
		pieces[count].iov_len = piece->end - piece->begin;
		size += pieces[count].iov_len;
		if (++count == SESSION_BATCH)
			break;
	}
	if (count == 0 || stream->state == STREAM_OPENING)
		return;
	size = stream_send(stream, pieces, count, size);
	if (stream->broken != 0) {
		stream_drop_pieces(stream);
		return;
	}
	drop_sent(stream, size);
	if (size > 0)
		stream_consumed(stream, size);
	stream_forward_end(stream);
}

/* -- what comes -- */

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
