/* Where a live capture goes: a bounded queue, and the thread that writes what is in it. */
#ifndef NET_LIVECAPTURE_OUTPUT_H
#define NET_LIVECAPTURE_OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/byte_queue.h"

struct livecapture_output {
	struct byte_queue queue;
	const char *path; /* "-": standard output; lent */
	const char *name; /* what messages call it */
	pthread_t thread;
	bool started;	    /* the thread is there, the queue too */
	bool fifo;	    /* the thread opens it, and may wait for its reader */
	int fd;		    /* the thread's, once that runs */
	atomic_bool broken; /* it has failed: nothing more is written */
};

/* Open it and start the thread. Returns 0, or -1 after telling the user why. */
int livecapture_output_start(
    struct livecapture_output *output, const char *path, size_t queue_size);

/* Has it failed? That was told. */
static inline bool
livecapture_output_broken(struct livecapture_output *output)
{
	return atomic_load_explicit(&output->broken, memory_order_relaxed);
}

/* Write out what is queued and end the thread. Returns false, and says so, if the reader does not
 * read: the thread then goes on using the output. */
bool livecapture_output_finish(struct livecapture_output *output);

#endif
