/* One connection's recording, as the loop's side of the recorder and its writer thread share it. */
#ifndef NET_RECORDING_H
#define NET_RECORDING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "format/writer.h"
#include "net/observer.h"
#include "net/record_queue.h"

struct recorder;

/*
 * The loop makes it, and forgets it when it has queued OP_CLOSE. When the writer has come to that
 * it gives it back to be freed, for the loop is not to wait for memory that a resting thread has
 * locked; if it is then still in the list of failed ones (record_queue.failed), that is how.
 */
struct recording {
	/* the loop's */
	struct observer observer; /* first: an observer's pointer is its recording's */
	struct recorder *recorder;
	const struct conn_info *info;
	TAILQ_ENTRY(recording) blocked; /* while `is_blocked` */
	uint64_t queued;		/* payload bytes that the writer was given */
	uint64_t lost;			/* payload bytes that it was not given */
	bool is_blocked;
	bool ended;    /* for good: what passes is counted as lost */
	bool unlogged; /* the writer does not know it */
	bool closed;   /* OP_CLOSE is queued; read under the queue's mutex by nobody but the loop */
	uint8_t end_side; /* of the last hup or err */
	uint8_t end_type;
	/* written by the loop before the writer knows it */
	int64_t wall; /* what to add to its loop times for the wall clock */
	/* written by the writer, read by the loop */
	_Atomic bool failed;	 /* its log has ended before it; what is still queued is lost */
	_Atomic uint64_t number; /* of its log; 0: not yet */
	/* under the queue's mutex */
	SLIST_ENTRY(recording) next_failed; /* while `is_reported` */
	bool is_reported;
	bool finished; /* the writer is done with it */
	/* the writer's */
	bool is_created;
	bool is_recent;
	struct op *first; /* operations of this round; NULL: none */
	struct op **last;
	STAILQ_ENTRY(recording) dirty; /* while `first` is set; at the end among the finished */
	TAILQ_ENTRY(recording) recent; /* while `is_recent`: its descriptor is open */
	int64_t touched;
	uint64_t dropped; /* payload bytes that were queued but not written */
	struct log_writer log;
};

#endif
