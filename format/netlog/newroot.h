/* The logroot that merge and redact write: new logs of their own, never over old ones, and an
 * index. */
#ifndef FORMAT_NETLOG_NEWROOT_H
#define FORMAT_NETLOG_NEWROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/index.h"
#include "format/logset.h"
#include "format/netlog/sink.h"

struct newroot;

/* Open it; says why if it cannot. Returns NULL then. */
struct newroot *newroot_open(const char *root, bool gzip);
void newroot_close(struct newroot *newroot);

/* How payload is copied. */
struct payload_copy {
	/* Write a piece that is at `offset` of what `side` sent; returns 0, or -1 with errno. */
	int (*piece)(void *context, struct sink *sink, enum side side, uint64_t offset,
	    const unsigned char *piece, size_t size);
	void *context;
};

/*
 * Copy the whole records of `item`, its parts joined, with `shift` added to their times, to a log
 * of its own, with an index entry if the item has one. It gets the number `wanted` if that is not 0
 * and the root had no logs when it was opened, else the next free one. `copy` may be NULL: payload
 * as it is. Says what is wrong; returns an exit status.
 */
int newroot_copy(struct newroot *newroot, const struct logset_item *item, uint64_t wanted,
    int64_t shift, const struct payload_copy *copy);

#endif
