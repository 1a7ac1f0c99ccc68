/* The parts of a split log: which of them an offset of the joined log lies in. */
#ifndef FORMAT_NETLOG_PART_H
#define FORMAT_NETLOG_PART_H

#include <stddef.h>
#include <stdint.h>

#include "format/logset.h"

struct part_place {
	size_t part;	 /* index into item->parts */
	uint64_t offset; /* in that part, as it reads uncompressed */
	uint64_t left;	 /* bytes of that part from there on */
};

/* Find where `offset` lies; what is at the end of the log belongs to the last part. Returns 0, or
 * -1 with errno. */
int part_find(const struct logset_item *item, uint64_t offset, struct part_place *place);

/*
 * A reader's message about the item with the part's name and offset in place of the log's, where it
 * was split. Good until the next call.
 */
const char *part_message(const struct logset_item *item, const char *message);

#endif
