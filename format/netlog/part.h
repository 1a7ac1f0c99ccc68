/* The parts of a split log: which of them an offset of the joined log lies in. */
#ifndef FORMAT_NETLOG_PART_H
#define FORMAT_NETLOG_PART_H

#include <stddef.h>
#include <stdint.h>

#include "format/logset.h"

struct part_place {
	size_t part;	 /* index into item->parts */
	uint64_t offset; /* in that part, as it reads uncompressed */
};

/* Find where `offset` lies, if it is in the part `last`, where the log ends, or before it; what is
 * at that end belongs to it. Returns 0, or -1 with errno. */
int part_find(
    const struct logset_item *item, size_t last, uint64_t offset, struct part_place *place);

/*
 * The message of a reader about the item with the part's name and offset in place of the log's,
 * where it was split; `last` is reader_part(). Good until the next call.
 */
const char *part_message(const struct logset_item *item, size_t last, const char *message);

#endif
