/* Pieces: the hunks of a difference put together to what varies as a whole, such as a word, a
 * number, a time. */
#ifndef NETREPLAY_LEARN_PIECE_H
#define NETREPLAY_LEARN_PIECE_H

#include "netreplay/learn_known.h"
#include "netreplay/learn_window.h"

struct piece {
	struct hunk extent;
	const struct known *known; /* what it is, or NULL */
	bool binary;
	size_t next; /* the first hunk behind it */
};

/* The piece that begins with the hunk `index` of `count`; it does not reach before `floor`. */
struct piece piece_find(const struct learn_window *window, const struct hunk *hunks, size_t count,
    size_t index, const size_t floor[2]);

/* Are all bytes of the hunk so? */
bool hunk_all(
    const struct learn_window *window, const struct hunk *hunk, bool (*is)(unsigned char byte));

#endif
