/*
 * What an import has put together, written by threads of its own, up to as many as there are
 * processors: records into logs, those of one log in the order in which they were handed over, and
 * lines into the index behind all that was handed over before. So the capture is read and taken
 * apart while the system finds room for what was in it.
 */
#ifndef FORMAT_NETLOG_IMPORT_WRITER_H
#define FORMAT_NETLOG_IMPORT_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "format/writer.h"

/* What becomes of the log's descriptor behind a batch. */
enum batch_then { BATCH_KEEP, BATCH_PARK, BATCH_CLOSE };

/* Bytes to be written. */
struct import_batch {
	STAILQ_ENTRY(import_batch) next;
	struct log_writer *log; /* whole records, log_writer_append_encoded(); NULL: index lines */
	enum batch_then then;
	size_t used, room;
	uint8_t bytes[];
};

struct import_writer;

/* To the logs of `root` is appended; it and the index's descriptor stay the caller's, who may go on
 * creating logs. Some `waiting` batches may wait to be written. Returns NULL with errno. */
struct import_writer *import_writer_new(const struct log_root *root, int index, size_t waiting);

/* Hand over a batch, and its log until the batch comes back; waits while too many wait. */
void import_writer_put(struct import_writer *writer, struct import_batch *batch);

/* One that is done with, the caller's again; NULL: none, or not yet. */
struct import_batch *import_writer_take(struct import_writer *writer);

/* Wait until all are done with. */
void import_writer_finish(struct import_writer *writer);

/* What failed first: returns the errno, 0 if nothing did. `*path` is the log then, or NULL for the
 * index. Nothing is written any more, but descriptors are still closed. */
int import_writer_error(const struct import_writer *writer, const char **path);

/* To be called when all batches have come back. NULL is harmless. */
void import_writer_free(struct import_writer *writer);

#endif
