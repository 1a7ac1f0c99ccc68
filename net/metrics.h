/* Counters of a process, and the file that shows them in Prometheus text format. */
#ifndef NET_METRICS_H
#define NET_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum counter {
	COUNTER_ACCEPTED,	 /* client connections accepted */
	COUNTER_OPEN,		 /* of these, open now (a gauge) */
	COUNTER_REFUSED,	 /* servers that never accepted */
	COUNTER_FAILED,		 /* connections that ended by an error */
	COUNTER_KILLED,		 /* connections that this process ended */
	COUNTER_CLIENT_BYTES,	 /* received from clients */
	COUNTER_SERVER_BYTES,	 /* received from servers */
	COUNTER_RECORDED_BYTES,	 /* payload written to logs */
	COUNTER_LOST_BYTES,	 /* payload that passed and was not recorded */
	COUNTER_LOG_FAILURES,	 /* logs that ended before their connection */
	COUNTER_LOG_QUEUE,	 /* memory held by the log queue now (a gauge) */
	COUNTER_SCRIPT_FAILURES, /* connections that their script has failed */
	COUNTER_PAUSED_ACCEPTS,	 /* times that accepting paused for want of descriptors */
	COUNTER_CAPTURE_DROPPED, /* connections that a live capture ended, its reader being slow */
	COUNTER_PACKETS,	 /* taken from a live capture or capture file */
	COUNTER_PACKETS_DROPPED, /* of a live capture, by the kernel */
	COUNTER_GAPS,		 /* captured connections that ended because bytes are missing */
	COUNTER_LINKS,		 /* tunnel links that are up (a gauge) */
	COUNTER_LINKS_LOST,	 /* tunnel links whose connection was lost */
	COUNTER_LINKS_RESUMED,	 /* of these, continued on a new connection */
	COUNTER_UNAUTHENTICATED, /* connections that did not prove to know the key */
	COUNTER_DENIED,		 /* tunnel clients without a valid token */
	COUNTER_VIOLATIONS,	 /* tunnel links ended since their peer broke the protocol */
	COUNTER_RETAINED, /* payload sent and not yet acknowledged by tunnel peers (a gauge) */
	COUNTER_COUNT
};

/* Which counters a command has. */
enum metrics_section {
	METRICS_LOGS = 1,
	METRICS_TUNNEL = 2,
	METRICS_CAPTURE = 4,
	METRICS_SCRIPT = 8,
	METRICS_SNIFFER = 16
};

struct metrics_about {
	const char *name; /* "bytes_total" */
	const char *type; /* "counter" or "gauge" */
	const char *help; /* one lower-case line */
};

/*
 * Counters of which there are several sets told apart by labels, as one for each observer of
 * netmirror. Embedded in its owner, which outlives the metrics file. All groups of a process have
 * the same `about`.
 */
struct metrics_group {
	const struct metrics_about *about;
	size_t count;
	_Atomic uint64_t *counters; /* `count` of them */
	const char *title;	    /* for people */
	const char *labels;	    /* `name="value",...`, quoted as Prometheus wants it */
	struct metrics_group *_Atomic next;
};

/* Written by any thread with metrics_add(), read by any. */
struct metrics {
	unsigned sections; /* shown beside those that all have; enum metrics_section */
	_Atomic uint64_t counters[COUNTER_COUNT];
	struct metrics_group *_Atomic groups;
};

/* Tell of `group` too, from now on. To be called from one thread only. */
void metrics_add_group(struct metrics *metrics, struct metrics_group *group);

static inline void
metrics_add(struct metrics *metrics, enum counter counter, int64_t amount)
{
	atomic_fetch_add_explicit(
	    &metrics->counters[counter], (uint64_t)amount, memory_order_relaxed);
}

static inline uint64_t
metrics_get(struct metrics *metrics, enum counter counter)
{
	return atomic_load_explicit(&metrics->counters[counter], memory_order_relaxed);
}

/* One notice per counter, for people (USR1). */
void metrics_tell(struct metrics *metrics);

/* All of it in Prometheus text format, names beginning with `prefix`. */
void metrics_write(struct metrics *metrics, FILE *stream, const char *prefix);

struct metrics_file;

/*
 * Start a thread of its own that replaces `path` atomically (rename(2)) every few seconds, and at
 * once after metrics_file_touch(), so that a slow disk delays neither traffic nor logs. `prefix`
 * begins every metric's name ("netrecord"). Returns NULL with errno.
 */
struct metrics_file *metrics_file_start(
    const char *path, const char *prefix, struct metrics *metrics);
void metrics_file_touch(struct metrics_file *file);
/* Write a last time and end the thread; does not wait for a file system that hangs longer than a
 * second. NULL is harmless. */
void metrics_file_stop(struct metrics_file *file);

#endif
