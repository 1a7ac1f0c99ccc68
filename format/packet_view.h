/* Bytes of a packet that are looked at from the front: what was captured, and what there was on the
 * wire. Private to packet*.c. */
#ifndef FORMAT_PACKET_VIEW_H
#define FORMAT_PACKET_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet_view {
	const uint8_t *at;
	size_t left; /* captured */
	size_t wire; /* sent; never less than `left` */
};

/* The next `size` bytes, which the view then has behind it; NULL if not all of them were captured.
 */
static inline const uint8_t *
view_take(struct packet_view *view, size_t size)
{
	const uint8_t *at = view->at;

	if (size > view->left)
		return NULL;
	view->at += size;
	view->left -= size;
	view->wire -= size;
	return at;
}

/* What lies behind the first `size` bytes is none of it; there may be fewer captured ones. */
static inline void
view_limit(struct packet_view *view, size_t size)
{
	view->wire = size;
	if (view->left > size)
		view->left = size;
}

static inline uint16_t
view_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t
view_32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#endif
