/* Appends to the index beside the logs. What cannot be written is kept, within bounds, and tried
 * again. */
#ifndef NET_RECORD_INDEX_H
#define NET_RECORD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/index.h"
#include "format/writer.h"

struct record_index {
	int fd;
	const char *root; /* what messages call it */
	char *lines;	  /* not yet written, each whole */
	size_t used;
	size_t size;
	int64_t retry;	   /* when to try again, by thread_clock(); 0: nothing has failed */
	off_t known;	   /* the file up to here holds no news of other recorders */
	bool midline;	   /* the file ends inside a line that is not ours to take back */
	uint64_t overflow; /* lines for which there was no room */
	bool lacks;	   /* lines, for good */
};

/* `name` is the logroot as the user wrote it, and must outlive the index. Returns 0, or -1 with
 * errno. */
int record_index_open(struct record_index *index, const struct log_root *root, const char *name);

/*
 * See whether other recorders on this root have written lines, and pass over the numbers that they
 * use: with --keep the files that tell of them may be gone while their later parts are written.
 */
void record_index_look(struct record_index *index, struct log_root *root);

void record_index_close(struct record_index *index);

/* Add a line for record_index_flush(), which is called here, `now` by thread_clock(), where there
 * is no room for one more. */
void record_index_add(struct record_index *index, const struct index_entry *entry, int64_t now);

/* Write all lines that wait with one write(2), unless it failed a short while ago and `force` is
 * not set. */
void record_index_flush(struct record_index *index, int64_t now, bool force);

#endif
