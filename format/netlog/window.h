/* The last bytes of a stream that still grows, searched for a pattern as soon as they come. */
#ifndef FORMAT_NETLOG_WINDOW_H
#define FORMAT_NETLOG_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "format/netlog/matches.h"

#define WINDOW_MARKS 64 /* matches remembered for highlighting; older ones are forgotten */

struct window {
	unsigned char *bytes; /* NULL until the first come */
	size_t size;
	uint64_t base; /* offset of bytes[0] in the stream */
	uint64_t next; /* where the next match may begin */
	struct match_range marks[WINDOW_MARKS];
	size_t mark_count;
	uint64_t first_new; /* see window_feed() */
};

/*
 * Add bytes. A match counts as soon as it is there, even if more bytes could make it longer.
 * `first_new` is lowered to where the first match found begins. Returns 0, or -1 with errno.
 */
int window_feed(
    struct window *window, struct pattern *pattern, const unsigned char *data, size_t size);
void window_release(struct window *window);

/* The first remembered match that ends behind `offset`, or NULL. */
const struct match_range *window_mark(const struct window *window, uint64_t offset);

#endif
