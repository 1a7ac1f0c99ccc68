/* What a comparison has found, as text for people, JSON for programs, TAP (version 13) or JUnit XML
 * for test runners. */
#ifndef FORMAT_REPORT_H
#define FORMAT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "format/align.h"
#include "format/histogram.h"
#include "format/record.h"

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_TAP, REPORT_JUNIT };

/* Returns 0 and sets `format`, or -1 if there is no such name ("text", "json", "tap", "junit"). */
int report_format_parse(const char *name, enum report_format *format);

struct report_config {
	enum report_format format;
	FILE *stream;
	bool colour;
	unsigned
	    show; /* differences shown per connection; the rest is counted. 0: 10, in JSON 100 */
	const char *title; /* "netreplay", "netlog diff": what the report calls the suite; lent */
	const char *names[2]; /* "recorded", "live": what it calls the streams, plain words; lent */
};

enum report_result {
	REPORT_EQUAL,
	REPORT_DIFFERENT,
	REPORT_FAILED, /* could not be played to its end: refused, reset, timed out */
	REPORT_SKIPPED /* not played, not compared */
};

/* One connection, when it is done. */
struct report_connection {
	const char *name; /* of its log; told without its directory */
	const void *key;  /* as told to report_difference() */
	enum report_result result;
	const char *reason; /* one line, why it failed, was skipped, or differs without a difference
			       of bytes; or NULL */
	uint64_t differences;
	uint64_t compared; /* recorded bytes */
	int64_t duration;  /* nanoseconds */
};

/* All of it, at the end. Histograms may be NULL. */
struct report_summary {
	uint64_t connections[4]; /* by enum report_result */
	uint64_t compared, differences;
	const struct histogram *recorded, *live; /* response times */
	const struct histogram
	    *lag; /* how late the replayer itself was; NULL where there is no schedule */
	const struct mask_set *masks;
	const char *fail_if; /* the condition by which the replay failed, or NULL */
	int64_t duration;
};

struct report;

/* Returns NULL with errno. */
struct report *report_new(const struct report_config *config);

/* A difference of the connection `name`, as soon as it is found; several connections, also of one
 * name, may be under way: `key` is another one for each. `side` is whose bytes they are. If memory
 * is short, report_end() says so. */
void report_difference(struct report *report, const void *key, const char *name, enum side side,
    const struct align_difference *difference);

/* Returns -1 with errno if memory is short or the stream could not be written. */
int report_connection(struct report *report, const struct report_connection *connection);

/* Complete the report and flush the stream. Returns -1 with errno if not all of it could be
 * written. */
int report_end(struct report *report, const struct report_summary *summary);
void report_free(struct report *report);

#endif
