/* The index beside the logs, <root>_index.jsonl: one JSON object (RFC 8259) a line,
 * netrecord-log(5). */
#ifndef FORMAT_INDEX_H
#define FORMAT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/record.h"

#define INDEX_RUN_MAX 40      /* a run's id, NUL included */
#define INDEX_ADDRESS_MAX 128 /* "[v6%scope]:port" or "unix:/path", NUL included */
#define INDEX_END_MAX 16

/* One connection, as far as it is known; an open entry has `closed` false. */
struct index_entry {
	uint64_t n;
	char log[256];		 /* base name of the log's first part, as "root_7" or "root_7.gz" */
	char run[INDEX_RUN_MAX]; /* id of the recorder's run */
	int64_t start;		 /* wall clock at `con`: nanoseconds since the epoch; 0: unknown */
	int64_t time;		 /* timestamp of `con` in the log: nanoseconds */
	char client[INDEX_ADDRESS_MAX]; /* "" if unknown */
	char server[INDEX_ADDRESS_MAX];
	bool scripted;
	bool midway;		 /* imported: the capture began after the connection had */
	bool closed;		 /* what follows is known only then */
	int64_t duration;	 /* nanoseconds */
	int64_t connect;	 /* nanoseconds until the server accepted; -1: it never did */
	uint64_t bytes[2];	 /* by enum side: what passed */
	char end[INDEX_END_MAX]; /* "c hup", "s err", ..., "refused", "killed" */
	uint64_t lost;		 /* bytes that passed and could not be recorded */
	uint64_t gap_size;   /* imported: bytes the capture misses, where the log ends; 0: none */
	uint64_t gap_offset; /* behind so many bytes of `gap_side` */
	enum side gap_side;
};

/*
 * Write `entry` as one line with its newline: an open event, or a close event (which repeats the
 * fields of the open event) if entry->closed. Returns its length, or 0 if `size` is too small (4096
 * never is).
 */
size_t index_encode(const struct index_entry *entry, char *line, size_t size);

/* Read one line, without its newline, into `entry` (all of it set). Unknown members are passed
 * over. Returns 0, or -1 if it is no index line. */
int index_decode(const char *line, size_t length, struct index_entry *entry);

struct index; /* an index file read into memory: one entry a connection, the close event's where
		 there is one */

/* Read <root>_index.jsonl. A missing file gives an empty index; lines that are damaged (the last
 * one after a crash) are counted and passed over. Returns NULL with errno. */
struct index *index_load(const char *root);
void index_free(struct index *index);

/* The entry of the log with that number (the latest if several runs used it), or NULL. */
const struct index_entry *index_find(const struct index *index, uint64_t n);

/* All entries, in order of `n`; `*count` is set. Owned by the index. */
const struct index_entry *index_entries(const struct index *index, size_t *count);

/* How many lines could not be understood. */
size_t index_damaged(const struct index *index);

/* "2026-11-21T03:02:01.123456Z" (RFC 3339, UTC, microseconds) of nanoseconds since the epoch, and
 * back (any offset is understood); the latter returns -1 if it is no such time. */
#define INDEX_TIME_MAX 40
void index_time_format(int64_t epoch, char text[INDEX_TIME_MAX]);
int index_time_parse(const char *text, int64_t *epoch);

#endif
