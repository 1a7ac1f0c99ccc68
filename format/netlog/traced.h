/* The connections of a set of logs as packets, in the order of time: what `netlog pcap` writes. */
#ifndef FORMAT_NETLOG_TRACED_H
#define FORMAT_NETLOG_TRACED_H

#include "format/segment.h"
#include "format/timeline.h"

struct traced_config {
	struct capture_writer *writer;
	struct segment_peer peers[2]; /* instead of what the index says, as far as it is set */
	unsigned mss;		      /* 0: the default */
};

struct traced;

/* `set`, `timeline` and the writer must outlive it. Returns NULL with errno. */
struct traced *traced_new(
    const struct logset *set, struct timeline *timeline, const struct traced_config *config);

/*
 * Write the record that timeline_next() has told. What no TCP connection can do (data behind its
 * end) is left out, and said on stderr once a log. Returns 0, or -1 with errno if the writer
 * failed.
 */
int traced_record(struct traced *traced, const struct timeline_event *event);

/* After the last record: write what is still to come. Returns 0, or -1 with errno. */
int traced_finish(struct traced *traced);

/* How many records were left out. */
size_t traced_left_out(const struct traced *traced);

/* What the log is called in the capture: its file's name. */
const char *traced_name(const struct traced *traced, size_t item);

void traced_free(struct traced *traced);

#endif
