/*
 * The frames of a link's sequence that were sent, or wait to be, and that the other end has not
 * acknowledged: kept, so that they can be sent again on another connection.
 *
 * Frames are numbered from 1 in the order in which they were put. How much is kept is bounded by
 * the windows of the streams they belong to.
 */
#ifndef NETTUNNEL_OUTBOX_H
#define NETTUNNEL_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "net/chunk.h"
#include "nettunnel/frame.h"

struct outbox_frame;
STAILQ_HEAD(outbox_frames, outbox_frame);

struct outbox {
	struct outbox_frames frames;
	struct outbox_frame *unsent; /* the first that is not sent whole; NULL: all are */
	size_t partial;		     /* bytes of it that are sent */
	size_t unsent_bytes;	     /* of frames that are not sent whole */
	size_t retained;	     /* bytes of payload kept */
	uint64_t put, sent, acked;   /* numbers of the last frame that was put, sent whole,
					acknowledged */
};

void outbox_init(struct outbox *outbox);
void outbox_release(struct outbox *outbox);

/* Add a frame; its small payload is copied. Returns -1 with errno ENOMEM. */
int outbox_put(
    struct outbox *outbox, enum frame_type type, uint64_t stream, const void *payload, size_t size);

/* Add DATA; `slice` is lent, and kept. Returns -1 with errno ENOMEM. */
int outbox_put_data(struct outbox *outbox, uint64_t stream, const struct slice *slice);

/* Describe what is to be sent next, at most `most` vectors; returns how many. */
size_t outbox_vectors(const struct outbox *outbox, struct iovec *vectors, size_t most);

/* The rest of a frame that is sent in part, if there is one: it must come before any other byte. */
size_t outbox_rest(const struct outbox *outbox, struct iovec vectors[2]);

/* So many bytes of these have been sent. */
void outbox_sent(struct outbox *outbox, size_t size);

/* The other end has all frames up to that number. Returns -1 if it cannot have. */
int outbox_ack(struct outbox *outbox, uint64_t number);

/* A new connection to an end that has all frames up to that number: send what follows anew. Returns
 * -1 if it cannot have them, or must have more. */
int outbox_rewind(struct outbox *outbox, uint64_t number);

/* Drop what is not sent, but the rest of a frame that is sent in part. */
void outbox_cut(struct outbox *outbox);

#endif
