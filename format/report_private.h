/* What the parts of a report share: report.c keeps the account, one file each writes a format. */
#ifndef FORMAT_REPORT_PRIVATE_H
#define FORMAT_REPORT_PRIVATE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/tree.h>

#include "format/report.h"

/* A stream that is kept in memory. */
struct report_buffer {
	FILE *stream; /* NULL while it is not needed */
	char *text;
	size_t size;
};

/* A connection that has differed and is not done yet. */
struct report_pending {
	RB_ENTRY(report_pending) entry;
	const void *key;
	uint64_t differences;	      /* so far */
	struct report_buffer details; /* of those shown, where they stand behind the result */
};

/* A difference that is to be shown. */
struct report_found {
	const char *name;
	enum side side;
	uint64_t number; /* among those of the connection, from 1 */
	const struct align_difference *difference;
};

struct report_ops {
	unsigned show;	/* by default */
	bool immediate; /* differences go to the stream at once, not to the connection's details */
	void (*begin)(struct report *report);
	void (*difference)(struct report *report, FILE *stream, const struct report_found *found);
	/* `details` is what `difference` wrote. */
	void (*connection)(struct report *report, const struct report_connection *connection,
	    const char *details, size_t size);
	void (*end)(struct report *report, const struct report_summary *summary);
};

extern const struct report_ops report_text_ops, report_json_ops, report_tap_ops, report_junit_ops;

struct report {
	struct report_config config;
	const struct report_ops *ops;
	RB_HEAD(report_pendings, report_pending) pendings;
	uint64_t told[4];	   /* connections, by enum report_result */
	struct report_buffer held; /* what a format cannot write before the end */
	int error;		   /* the first errno */
};

/* Keep the first error for report_end(). */
void report_fail(struct report *report, int error);

/* Connections told so far. */
uint64_t report_told(const struct report *report);

/* Open it if it is not yet. Returns NULL and keeps the error for report_end() if memory is short.
 */
FILE *report_buffer_open(struct report *report, struct report_buffer *buffer);
/* All that was written to it; "" if nothing was. It can be written no more. */
const char *report_buffer_read(struct report *report, struct report_buffer *buffer);
void report_buffer_release(struct report_buffer *buffer);

/* "equal", "different", ... */
const char *report_result_name(enum report_result result);

/* "1 byte", "2 bytes" */
#define REPORT_COUNT_MAX 64
char *report_count(uint64_t count, const char *noun, char text[REPORT_COUNT_MAX]);

/* The text that stands for a byte: itself if it is printable ASCII, else "\r", "\\", "\x1b". */
#define REPORT_BYTE_MAX 5
size_t report_byte(unsigned char byte, char text[REPORT_BYTE_MAX]);

/* Bytes so that they are printable and can be told from one another. */
void report_put_bytes(FILE *stream, const unsigned char *bytes, size_t size);

/* A name, a reason, or a pattern: control characters and what is no ASCII made visible, backslashes
 * left as they are. */
void report_put_text(FILE *stream, const char *text);

/* "0.000012345" */
void report_put_seconds(FILE *stream, int64_t nanoseconds);

/* What became of a connection: "different: 3 differences in 100 bytes: reason". */
void report_put_outcome(
    struct report *report, FILE *stream, const struct report_connection *connection);

/* "server: recorded 1 byte at byte 1042, live 3 bytes at byte 1042" */
void report_put_place(struct report *report, FILE *stream, const struct report_found *found);

/* All that is told at the end, for people: some lines. */
void report_put_summary(struct report *report, FILE *stream, const struct report_summary *summary);

/* Both sides' bytes around a difference, as text or as a hexdump; lines are indented. */
void report_put_block(FILE *stream, const struct align_difference *difference, bool colour);

#endif
