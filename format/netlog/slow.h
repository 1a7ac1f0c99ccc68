/* The turns of a log whose response took long, found by a reader of its own that runs ahead. */
#ifndef FORMAT_NETLOG_SLOW_H
#define FORMAT_NETLOG_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "format/logset.h"

struct slow;

/* Turns of `item` whose response took at least `least` nanoseconds. Returns NULL with errno. */
struct slow *slow_new(const struct logset_item *item, int64_t least);
void slow_free(struct slow *slow);

/* Does the log's record `number`, counted from 0 and never going back, belong to such a turn? */
bool slow_holds(struct slow *slow, uint64_t number);

#endif
