/*
 * The observer that writes logs. The loop's side of it encodes what passes into batches; a writer
 * thread writes them through format/writer in order: data, close, index entry, then the -x command.
 * Nothing here blocks the loop.
 */
#ifndef NET_RECORDER_H
#define NET_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"
#include "net/metrics.h"
#include "net/observer.h"

struct recorder;

struct recorder_config {
	const char *root;     /* logroot; "" is refused */
	int gzip_level;	      /* 0: plain */
	uint64_t rotate_size; /* --rotate; 0: off */
	uint64_t keep_size;   /* --keep; 0: keep all */
	const char *exec;     /* -x: command run for each finished part; NULL: none */
	int64_t exec_grace;   /* how long recorder_finish() waits for these, nanoseconds */
	int64_t stall;	      /* --log-stall, nanoseconds */
	bool no_index;
	bool close_on_error; /* --on-log-error close */
	size_t queue_size;   /* bound of memory held by the queue; 0: the default, 64M */
	struct metrics *metrics;
	/* Called from any thread when bytes were lost, so that the metrics file is written at once;
	 * may be NULL. */
	void (*lost)(void *context);
	void *lost_context;
};

/*
 * Open the logroot and start the writer thread; signals must be blocked already (loop_signal()) and
 * privileges dropped. The recorder's time 0 is now. Returns NULL after telling the user why.
 */
struct recorder *recorder_new(struct loop *loop, const struct recorder_config *config);

/*
 * Have the connection of `tap` recorded. Returns 0, or -1 with errno (it is then not recorded, and
 * counted so).
 */
int recorder_attach(struct recorder *recorder, struct tap *tap);

/*
 * Write out all that is queued, close every log, run what -x still has to run, end the thread. All
 * relays must be closed before. Returns 0; -1 with errno ETIMEDOUT if the logs' file system hangs
 * longer than the stall time (the caller then exits without waiting: call _exit(2)).
 */
int recorder_finish(struct recorder *recorder);

/* After that: is all that has passed in the logs, and every connection in the index? What is
 * missing has been told. */
bool recorder_complete(const struct recorder *recorder);

void recorder_free(struct recorder *recorder);

#endif
