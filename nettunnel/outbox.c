#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettunnel/outbox.h"

struct outbox_frame {
	STAILQ_ENTRY(outbox_frame) next;
	struct slice payload; /* of DATA, else chunk is NULL */
	size_t size;	      /* of the header, with the small payload of others */
	unsigned char header[];
};

void
outbox_init(struct outbox *outbox)
{
	memset(outbox, 0, sizeof(*outbox));
	STAILQ_INIT(&outbox->frames);
}

static size_t
frame_size(const struct outbox_frame *frame)
{
	return frame->size + frame->payload.size;
}

static void
remove_first(struct outbox *outbox)
{
	struct outbox_frame *frame = STAILQ_FIRST(&outbox->frames);

	STAILQ_REMOVE_HEAD(&outbox->frames, next);
	outbox->retained -= frame->payload.size;
	slice_drop(&frame->payload);
	free(frame);
}

void
outbox_release(struct outbox *outbox)
{
	while (!STAILQ_EMPTY(&outbox->frames))
		remove_first(outbox);
	outbox->unsent = NULL;
	outbox->unsent_bytes = outbox->partial = 0;
}

static void
append(struct outbox *outbox, struct outbox_frame *frame)
{
	STAILQ_INSERT_TAIL(&outbox->frames, frame, next);
	if (outbox->unsent == NULL)
		outbox->unsent = frame;
	outbox->unsent_bytes += frame_size(frame);
	outbox->retained += frame->payload.size;
	outbox->put++;
}

static struct outbox_frame *
frame_new(size_t extra)
{
	struct outbox_frame *frame = malloc(sizeof(*frame) + FRAME_HEADER + extra);

	if (frame == NULL)
		return NULL;
	memset(&frame->payload, 0, sizeof(frame->payload));
	frame->size = FRAME_HEADER + extra;
	return frame;
}

int
outbox_put(
    struct outbox *outbox, enum frame_type type, uint64_t stream, const void *payload, size_t size)
{
	struct outbox_frame *frame = frame_new(size);

	if (frame == NULL)
		return -1;
	frame_encode(frame->header, type, stream, size);
	if (size > 0)
		memcpy(frame->header + FRAME_HEADER, payload, size);
	append(outbox, frame);
	return 0;
}

int
outbox_put_data(struct outbox *outbox, uint64_t stream, const struct slice *slice)
{
	struct outbox_frame *frame = frame_new(0);

	if (frame == NULL)
		return -1;
	frame->payload = slice_keep(slice, CHUNK_COPY_MAX);
	if (frame->payload.chunk == NULL) {
		free(frame);
		errno = ENOMEM;
		return -1;
	}
	frame_encode(frame->header, FRAME_DATA, stream, slice->size);
	append(outbox, frame);
	return 0;
}

/* What is left of a frame of which `skip` bytes are sent: one or two vectors. */
static size_t
frame_vectors(struct outbox_frame *frame, size_t skip, struct iovec vectors[2])
{
	size_t count = 0;

	if (skip < frame->size) {
		vectors[count++] =
		    (struct iovec){.iov_base = frame->header + skip, .iov_len = frame->size - skip};
		skip = 0;
	} else {
		skip -= frame->size;
	}
	if (frame->payload.size > skip)
		vectors[count++] =
		    (struct iovec){.iov_base = (void *)(uintptr_t)(frame->payload.data + skip),
			.iov_len = frame->payload.size - skip};
	return count;
}

size_t
outbox_vectors(const struct outbox *outbox, struct iovec *vectors, size_t most)
{
	struct outbox_frame *frame;
	size_t count = 0, skip = outbox->partial;

	for (frame = outbox->unsent; frame != NULL && count + 2 <= most;
	     frame = STAILQ_NEXT(frame, next)) {
		count += frame_vectors(frame, skip, vectors + count);
		skip = 0;
	}
	return count;
}

size_t
outbox_rest(const struct outbox *outbox, struct iovec vectors[2])
{
	return outbox->partial > 0 ? frame_vectors(outbox->unsent, outbox->partial, vectors) : 0;
}

void
outbox_sent(struct outbox *outbox, size_t size)
{
	while (size > 0) {
		size_t left = frame_size(outbox->unsent) - outbox->partial;

		if (size < left) {
			outbox->partial += size;
			return;
		}
		size -= left;
		outbox->unsent_bytes -= frame_size(outbox->unsent);
		outbox->unsent = STAILQ_NEXT(outbox->unsent, next);
		outbox->partial = 0;
		outbox->sent++;
	}
}

int
outbox_ack(struct outbox *outbox, uint64_t number)
{
	if (number > outbox->sent)
		return -1;
	for (; outbox->acked < number; outbox->acked++)
		remove_first(outbox);
	return 0;
}

int
outbox_rewind(struct outbox *outbox, uint64_t number)
{
	struct outbox_frame *frame;

	if (number < outbox->acked || outbox_ack(outbox, number) == -1)
		return -1;
	outbox->sent = number;
	outbox->partial = 0;
	outbox->unsent = STAILQ_FIRST(&outbox->frames);
	outbox->unsent_bytes = 0;
	STAILQ_FOREACH (frame, &outbox->frames, next) {
		outbox->unsent_bytes += frame_size(frame);
	}
	return 0;
}

void
outbox_cut(struct outbox *outbox)
{
	struct outbox_frame *frame, *next;

	if (outbox->unsent == NULL)
		return;
	frame = outbox->partial > 0 ? STAILQ_NEXT(outbox->unsent, next) : outbox->unsent;
	for (; frame != NULL; frame = next) {
		next = STAILQ_NEXT(frame, next);
		if (frame == outbox->unsent)
			outbox->unsent = NULL;
		STAILQ_REMOVE(&outbox->frames, frame, outbox_frame, next);
		outbox->unsent_bytes -= frame_size(frame);
		outbox->retained -= frame->payload.size;
		outbox->put--;
		slice_drop(&frame->payload);
		free(frame);
	}
}
