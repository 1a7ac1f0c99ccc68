/* Reads a log record by record, in memory that does not depend on the size of log or record. */
#ifndef FORMAT_READER_H
#define FORMAT_READER_H

#include <stdint.h>
#include <sys/types.h>

#include "format/record.h"
#include "format/source.h"

enum reader_status {
	READER_RECORD = 1, /* a record was read */
	READER_END = 0,	   /* the log ended, between two records */
	READER_CUT = -1,   /* the log ended inside a record */
	READER_BAD = -2,   /* this is no record */
	READER_FAILED = -3 /* the source failed; errno is set */
};

struct reader;

/*
 * A reader over `source`, which it owns from now on (also when this fails). `name` is what messages
 * call the log; it is copied. Returns NULL with errno.
 */
struct reader *reader_new(struct source *source, const char *name);

/* Release the reader and its source; NULL is harmless. */
void reader_free(struct reader *reader);

/*
 * Go to the next record; payload of the one before that was not fetched is passed over (and
 * READER_CUT told if it is not all there). After a status <= 0 every further call returns the same.
 */
enum reader_status reader_next(struct reader *reader, struct record *record);

/*
 * Fetch the next piece of the current record's payload: `*piece` points into the reader until its
 * next call. Returns the piece's size, 0 when all was fetched, -1 if it is cut or the source failed
 * (reader_next() then tells which).
 */
ssize_t reader_data(struct reader *reader, const unsigned char **piece);

/*
 * Look again after READER_END or READER_CUT: the log may have grown (source_follow()). The record
 * that was cut, header or payload, goes on where it stopped. No effect after READER_BAD and
 * READER_FAILED.
 */
void reader_retry(struct reader *reader);

/* Have the log end in front of the first record that begins at the offset `end` or behind it. */
void reader_end_at(struct reader *reader, uint64_t end);

/* Byte offset of the current record's first byte, in the log as it reads uncompressed. */
uint64_t reader_offset(const struct reader *reader);

/* Byte offset behind the last record known to be whole: what `netlog check --repair` keeps. */
uint64_t reader_whole(const struct reader *reader);

/* Of several files in a row, the one that was read last or could not be opened, from 0: what
 * stopped the reader lies in that one or before it. */
size_t reader_part(const struct reader *reader);

/* After READER_FAILED: why, as an errno (EILSEQ: damaged gzip data). 0 else. */
int reader_error(const struct reader *reader);

/* The name given to reader_new(). */
const char *reader_name(const struct reader *reader);

/*
 * What went wrong, as one line without control characters, such as
 * "root_1: byte 8192: cut short: 12 of 40 bytes of data are there". Valid until the next call; ""
 * if nothing did.
 */
const char *reader_message(struct reader *reader);

#endif
