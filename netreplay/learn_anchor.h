/* The constant text before a field: enough of it to tell the field from others. */
#ifndef NETREPLAY_LEARN_ANCHOR_H
#define NETREPLAY_LEARN_ANCHOR_H

#include "netreplay/learn_window.h"

/* How many bytes before `begin`, the field's in both streams, make its anchor. They do not reach
 * before `floor`. `*first` is set if the stream begins with them. */
size_t anchor_find(
    const struct learn_window *window, const size_t begin[2], const size_t floor[2], bool *first);

#endif
