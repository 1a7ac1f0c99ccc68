/* What recorder.c and recording.c know of the recorder, the loop's side of it. Private to them. */
#ifndef NET_RECORDER_STATE_H
#define NET_RECORDER_STATE_H

#include "net/notice.h"
#include "net/recorder.h"
#include "net/recording.h"

#define HAND_OVER_REFERENCED                                                                       \
	(256 * 1024) /* payload kept by reference that makes a batch worth a wake-up */

TAILQ_HEAD(blocked_list, recording);

/* Belongs to the loop's thread, but for `queue`. */
struct recorder {
	struct loop *loop;
	struct record_queue queue;
	struct record_writer *writer;
	struct metrics *metrics;
	void (*lost)(void *context);
	void *lost_context;
	char *root;
	int64_t wall; /* what to add to a loop time for the wall clock */
	int64_t stall;
	bool close_on_error;
	bool started;		  /* the writer's thread is there */
	struct batch *batch;	  /* being filled; NULL: none yet */
	struct batch_list filled; /* full, and not handed over yet */
	unsigned filled_count;
	int64_t drained;	  /* when the queue was last seen empty */
	size_t referenced;	  /* memory held by slices in these and `batch` */
	struct timer hand_over;	  /* set when the batch got its first operation */
	struct timer look_after;  /* set while the writer may have something to do */
	struct timer stall_timer; /* set while `blocking` */
	struct timer summary;	  /* set while `unlogged` or the ration has something to tell */
	bool blocking;		  /* the queue is full: relays are told not to receive */
	bool shedding;		  /* and has been for too long: recordings end instead */
	struct blocked_list blocked;
	size_t open; /* recordings that are not closed */
	struct notice_ration ration;
	uint64_t unlogged;     /* connections since the last summary that got no log */
	struct metrics unused; /* if the owner counts nothing */
};

/*
 * Room for one operation with `size` bytes behind it, in the batch that recorder->batch is then;
 * NULL if there is no memory. The batch is handed over when it is full or some milliseconds old.
 */
struct op *recorder_op(struct recorder *recorder, struct recording *recording, enum op_kind kind,
    int64_t time, size_t size);

/* The operation that recorder_op() made last opens or closes a log: many of these are handed over
 * sooner. */
void recorder_count_control(struct recorder *recorder);

/* Hand all batches over now. */
void recorder_push(struct recorder *recorder);

/* The last connection has ended: hand over what there is as soon as that cannot become many
 * wake-ups. */
void recorder_hand_over_last(struct recorder *recorder);

/* Has the queue been full for too long, and is it still? Then recordings end. */
bool recorder_sheds(struct recorder *recorder);

/* What to add to the loop time of a connection that begins now for the wall clock, which may have
 * been set, or have gone on while the machine slept, since the last one began. */
int64_t recorder_wall(struct recorder *recorder);

/* Have what `unlogged` and the ration withheld told within a second. */
void recorder_set_summary(struct recorder *recorder);

#endif
