/* What record_writer.c and recording.c know of the writer thread. Private to them. */
#ifndef NET_RECORD_WRITER_STATE_H
#define NET_RECORD_WRITER_STATE_H

#include "net/notice.h"
#include "net/record_index.h"
#include "net/record_keep.h"
#include "net/record_writer.h"
#include "net/recording.h"
#include "net/runner.h"

#define ENTRIES_MAX 1024 /* records given to one append */

STAILQ_HEAD(dirty_list, recording);
TAILQ_HEAD(recent_list, recording);

/* Belongs to the thread once that is started; `queue`, `loop` and `metrics` are shared. */
struct record_writer {
	struct record_queue *queue;
	struct loop *loop;
	struct metrics *metrics;
	void (*lost)(void *context);
	void *lost_context;
	pthread_t thread;
	int64_t epoch;
	int64_t exec_grace; /* how long the end waits for commands */
	int64_t stall;
	bool close_on_error;
	char run[INDEX_RUN_MAX];
	struct log_root *root;
	int gzip_level; /* wanted */
	int level;	/* in use */
	struct record_index index;
	struct record_keep keep;
	struct runner *runner; /* NULL: no command */
	struct dirty_list dirty;
	struct finished_list finished;
	struct recent_list
	    recent; /* logs with an open descriptor, the one longest untouched first */
	unsigned open_count;
	unsigned open_max;
	int64_t now;	/* when the round began */
	int64_t looked; /* the round in which the index was last looked at */
	const struct log_writer *writing;
	struct notice_ration ration;
	struct log_entry entries[ENTRIES_MAX];
};

/* Write all that the round has for one recording: recording->first and what follows. May free it.
 */
void recording_write(struct record_writer *writer, struct recording *recording);

/* Close the descriptors of logs that were not touched since `before`. */
void writer_park_idle(struct record_writer *writer, int64_t before);

#endif
