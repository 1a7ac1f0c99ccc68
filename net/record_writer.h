/* The recorder's writer thread: takes batches from the queue and writes logs, index, and commands'
 * jobs. */
#ifndef NET_RECORD_WRITER_H
#define NET_RECORD_WRITER_H

#include "net/record_queue.h"
#include "net/recorder.h"

struct record_writer;

/*
 * Open the logroot and the index. `epoch` is the loop time that logs count from. `queue` and `loop`
 * must outlive it; of `config` root, metrics and lost_context. Returns NULL with errno.
 */
struct record_writer *record_writer_new(const struct recorder_config *config,
    struct record_queue *queue, struct loop *loop, int64_t epoch);

/* Start the thread; it ends after record_queue_stop(). Returns 0, or -1 with errno. */
int record_writer_start(struct record_writer *writer);

/* Wait for the thread's end. */
void record_writer_join(struct record_writer *writer);

/* After its end: is every connection in the index, if there is one? */
bool record_writer_index_complete(const struct record_writer *writer);

void record_writer_free(struct record_writer *writer);

#endif
