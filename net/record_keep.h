/* --keep: deletes the oldest closed parts when all parts of this run together grow beyond a total.
 */
#ifndef NET_RECORD_KEEP_H
#define NET_RECORD_KEEP_H

#include <sys/queue.h>

#include "format/writer.h"
#include "net/runner.h"

struct kept_part {
	STAILQ_ENTRY(kept_part) next;
	struct log_part part;
};

/* Parts that are neither counted nor deleted: those of earlier runs. */
struct record_keep {
	struct log_root *root;
	uint64_t limit;			/* 0: keep all */
	uint64_t finished;		/* bytes of finished parts, whether listed yet or not */
	uint64_t current;		/* bytes of parts being written */
	STAILQ_HEAD(, kept_part) parts; /* that may be deleted, the oldest first */
};

void record_keep_init(struct record_keep *keep, struct log_root *root, uint64_t limit);
void record_keep_release(struct record_keep *keep);

/* A part is finished, and counted. */
void record_keep_count(struct record_keep *keep, const struct log_part *part);

/* Its command has ended, if there is one: it may be deleted. */
void record_keep_add(struct record_keep *keep, const struct log_part *part);

/* Delete what is too much. */
void record_keep_enforce(struct record_keep *keep);

#endif
