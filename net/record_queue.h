/*
 * What the loop hands to the recorder's writer thread: operations, in order, packed into batches.
 *
 * The loop fills a batch without a lock, hands it over, and never touches it again. The writer
 * gives batches back for reuse. Memory is counted when a batch is handed over, and no longer when
 * it is given back.
 */
#ifndef NET_RECORD_QUEUE_H
#define NET_RECORD_QUEUE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/chunk.h"
#include "net/observer.h"
#include "net/thread.h"

struct recording;

enum op_kind {
	OP_OPEN,  /* struct op_open follows */
	OP_DATA,  /* the payload follows */
	OP_SLICE, /* a kept struct slice follows */
	OP_HUP,
	OP_ERR,
	OP_CLOSE /* struct op_close follows; the loop does not know the recording any more */
};

struct op {
	struct recording *recording;
	struct op *next; /* the writer's: the same recording's next operation */
	int64_t time;	 /* loop time */
	uint32_t size;	 /* payload bytes of OP_DATA and OP_SLICE */
	uint16_t behind; /* bytes of the arena that follow the struct */
	uint8_t kind;
	uint8_t side;
};

struct op_open {
	struct address client; /* a path follows behind the struct */
	struct address server;
	bool scripted;
};

struct op_close {
	struct op_open peers;
	int64_t opened;
	int64_t connected; /* 0: never */
	uint64_t bytes[2];
	uint64_t lost;	  /* bytes that never got here */
	uint8_t end_side; /* of the last end record, if end_type is not 0 */
	uint8_t end_type;
	uint8_t reason; /* enum close_reason */
};

#define BATCH_SIZE 65536
#define BATCH_ARENA (BATCH_SIZE - 64)

struct batch {
	STAILQ_ENTRY(batch) next;
	size_t used;	   /* of the arena */
	size_t referenced; /* memory held by the slices in it */
	unsigned controls; /* OP_OPEN and OP_CLOSE in it */
	alignas(16) unsigned char arena[BATCH_ARENA];
};

STAILQ_HEAD(batch_list, batch);
SLIST_HEAD(recording_list, recording);
STAILQ_HEAD(finished_list, recording);

/* How many bytes of the arena an operation with `size` bytes behind it takes. */
static inline size_t
op_room(size_t size)
{
	return (sizeof(struct op) + size + 7) & ~(size_t)7;
}

static inline void *
op_payload(struct op *op)
{
	return op + 1;
}

struct record_queue {
	atomic_size_t held;	  /* memory of all batches handed over and not given back */
	atomic_size_t controls;	  /* OP_OPEN and OP_CLOSE in these */
	atomic_bool drain_wanted; /* the loop wants to be woken when `held` has fallen below half of
				     `bound` */
	atomic_uint progress; /* counts what the writer gets done, to tell a slow disk from one that
				 hangs */
	size_t bound;	      /* set once */
	struct thread_pace pace; /* the writer's; the loop waits for it only after hurrying it */
	pthread_mutex_t mutex;	 /* over all below */
	pthread_cond_t wanted;	 /* something for the writer to do, while it waits */
	pthread_cond_t ended;	 /* the writer has ended */
	struct batch_list batches;
	struct batch_list spare;
	unsigned spare_count;
	struct recording_list failed;  /* for the loop: --on-log-error close */
	struct finished_list finished; /* for the loop to free */
	bool waiting;		       /* the writer waits on `wanted` */
	bool stopping;
	bool done;
};

/* Returns 0, or -1 with errno. */
int record_queue_init(struct record_queue *queue, size_t bound);
void record_queue_release(struct record_queue *queue);

/* An empty batch; NULL with errno. */
struct batch *record_queue_batch(struct record_queue *queue);

/* Hand batches over to the writer; the list is empty afterwards. */
void record_queue_push(struct record_queue *queue, struct batch_list *list);

static inline size_t
record_queue_held(struct record_queue *queue)
{
	return atomic_load(&queue->held);
}

/* Does it hold more than it should; has it drained below half of that? */
bool record_queue_full(struct record_queue *queue);
bool record_queue_drained(struct record_queue *queue);

/*
 * The writer: move at most `most` batches to `list`, waiting for one until `due` (0: without end).
 * Returns false if the queue is empty and record_queue_stop() was called.
 */
bool record_queue_take(
    struct record_queue *queue, struct batch_list *list, unsigned most, int64_t due);

/* The writer: give a batch back, its slices dropped. */
void record_queue_give(struct record_queue *queue, struct batch *batch);

/* The writer: these recordings are for the loop to free; the list is empty afterwards. */
void record_queue_finish(struct record_queue *queue, struct finished_list *list);

/* The loop: free the recordings that the writer has finished. */
void record_queue_free_finished(struct record_queue *queue);

/* Have the writer end when all is taken. */
void record_queue_stop(struct record_queue *queue);

/* The writer: all is done. */
void record_queue_end(struct record_queue *queue);

/* Wait for record_queue_end() until `due`; false if it has not come. */
bool record_queue_ended(struct record_queue *queue, int64_t due);

#endif
