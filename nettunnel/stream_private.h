/* What stream.c (its life), stream_take.c (from its socket) and stream_give.c (to it) know of a
 * stream. Private to them. */
#ifndef NETTUNNEL_STREAM_PRIVATE_H
#define NETTUNNEL_STREAM_PRIVATE_H

#include "nettunnel/session.h"

#define WINDOW_MAX ((size_t)4 * 1024 * 1024)

/* stream.c */

/* Release what it has, and itself after the round. Harmless on a closed one. */
void stream_close(struct stream *stream, bool reset);

/* It cannot go on, for want of memory: killed after the round. */
void stream_break(struct stream *stream);

/* Close it if both directions have ended. */
void stream_close_ended(struct stream *stream);

/* STREAM_DRAINING: reset the socket once the kernel has delivered all that came before. */
void stream_drain(struct stream *stream);

/* stream_take.c */

/* May something be received from the socket now? */
bool stream_may_receive(const struct stream *stream);

/* stream_give.c */

/* Send what waits, and what follows from it. */
void stream_flush(struct stream *stream);

/* All that came is with the socket, and the other end has ended its stream: pass that on. */
void stream_forward_end(struct stream *stream);

/* Give up what waits. */
void stream_drop_pieces(struct stream *stream);

#endif
