/* One observer of one proxy, as the user named it: where it is, and what became of the connections
 * to it. */
#ifndef NETMIRROR_TARGET_H
#define NETMIRROR_TARGET_H

#include "net/address.h"
#include "net/metrics.h"

enum target_counter {
	TARGET_CONNECTED,    /* connections that it accepted */
	TARGET_OPEN,	     /* of these, open now (a gauge) */
	TARGET_REFUSED,	     /* connections that it did not accept */
	TARGET_DROPPED,	     /* connections ended because their queue was full */
	TARGET_FAILED,	     /* connections that it ended before the client did */
	TARGET_BYTES,	     /* bytes sent */
	TARGET_LOST_BYTES,   /* bytes of clients that it was not sent */
	TARGET_ANSWER_BYTES, /* bytes received from it */
	TARGET_QUEUED,	     /* memory held by its queues (a gauge) */
	TARGET_LAG, /* microseconds that the oldest byte in its queues has waited (a gauge) */
	TARGET_COUNTERS
};

/* What is counted of an observer; it lives as long as the process, also when a new configuration
 * does without the observer. */
struct tally {
	struct metrics_group group;
	_Atomic uint64_t counters[TARGET_COUNTERS];
	uint64_t refused; /* connections in a row that were not accepted */
	char *name;	  /* the observer's, as written */
	char *labels, *title;
	struct tally *next;
};

struct target {
	struct tally *tally; /* lent */
	struct address_list addresses;
};

/* All tallies of a process. */
struct tally_set {
	struct metrics *metrics;
	struct tally *first;
};

/* The tally of the observer `name` of the proxy `proxy`, as the two were written: the one there
 * was, or a new one. Returns NULL with errno ENOMEM. */
struct tally *tally_get(struct tally_set *set, const char *proxy, const char *name);

/* Tell the user what observers were not sent. */
void tally_set_tell(const struct tally_set *set);

/* After the metrics file has ended. */
void tally_set_release(struct tally_set *set);

static inline void
tally_add(struct tally *tally, enum target_counter counter, int64_t amount)
{
	atomic_fetch_add_explicit(
	    &tally->counters[counter], (uint64_t)amount, memory_order_relaxed);
}

static inline uint64_t
tally_value(struct tally *tally, enum target_counter counter)
{
	return atomic_load_explicit(&tally->counters[counter], memory_order_relaxed);
}

static inline void
tally_put(struct tally *tally, enum target_counter counter, uint64_t value)
{
	atomic_store_explicit(&tally->counters[counter], value, memory_order_relaxed);
}

#endif
