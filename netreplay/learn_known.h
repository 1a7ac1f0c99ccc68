/* Fields that are known to vary as a whole although few of their bytes may have: times, ids. */
#ifndef NETREPLAY_LEARN_KNOWN_H
#define NETREPLAY_LEARN_KNOWN_H

#include "netreplay/learn_window.h"

struct known {
	const char *letters; /* as shape_add_known() takes them */
	size_t size;
	bool anchored; /* says enough by itself: needs no constant text before it */
};

/* The known field that covers `hunk` and begins at or after `floor`, its place in `extent`; NULL:
 * there is none. */
const struct known *known_find(const struct learn_window *window, const struct hunk *hunk,
    const size_t floor[2], struct hunk *extent);

#endif
