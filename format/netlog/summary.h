/* One log passed over, its payload not read: what list, check, stat, merge and redact want to know
 * of it. */
#ifndef FORMAT_NETLOG_SUMMARY_H
#define FORMAT_NETLOG_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "format/logset.h"

struct summary {
	enum reader_status status; /* how it ended; never READER_RECORD */
	int error;		   /* reader_error() */
	uint64_t records;	   /* whole ones */
	uint64_t whole;		   /* offset behind the last whole record */
	size_t part;		   /* reader_part() */
	uint64_t bytes[2];	   /* payload of whole records, by side */
	int64_t begin, end;	   /* times of the first and the last record, if there are any */
	char last_end[8];	   /* "c hup", "s err": the last end record; "" if there is none */
	char message[600];	   /* of the reader, if status is no READER_END */
};

/*
 * Read a log to its end and have `whole` called for each whole record, in their order; of a damaged
 * log the record that is cut is none. Returns how the log ended, never READER_RECORD.
 */
enum reader_status summary_pass(struct reader *reader,
    void (*whole)(void *context, const struct record *record), void *context);

/* Returns 0, or -1 with errno if the log could not be opened. */
int summary_read(struct summary *summary, const struct logset_item *item);

#endif
