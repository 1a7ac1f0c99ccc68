/* One record of a log: encoding and decoding of its header, netrecord-log(5). */
#ifndef FORMAT_RECORD_H
#define FORMAT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who acted; also the index of every two-element array that is kept per side. */
enum side { SIDE_CLIENT = 0, SIDE_SERVER = 1 };

enum record_type {
	RECORD_CON,  /* the connection began; always the client's */
	RECORD_DATA, /* that side sent `size` bytes, which follow the header */
	RECORD_HUP,  /* that side ended its stream (FIN) */
	RECORD_ERR   /* that side's connection failed (RST, timeout) */
};

struct record {
	enum side side;
	enum record_type type;
	int64_t
	    time; /* nanoseconds since the recorder started; logs of 2010 may hold negative ones */
	uint64_t size; /* payload bytes; 0 unless RECORD_DATA */
};

/* Room enough for any header that record_encode() writes, its newline included. */
#define RECORD_HEADER_MAX 64

/* The letter that stands for `side` in a log: 'c' or 's'. */
char side_letter(enum side side);

/* The name of `type` in a log: "con", "hup", "err"; "data" for RECORD_DATA. */
const char *record_type_name(enum record_type type);

/*
 * Write the header of `record`, newline included, to `header`; the time is cut to whole
 * microseconds. Returns its length, at most RECORD_HEADER_MAX. It is not NUL-terminated.
 */
size_t record_encode(const struct record *record, char header[RECORD_HEADER_MAX]);

/*
 * Read a header of `length` bytes, its newline not included, into `record`. Accepts what the
 * program of 2010 wrote: a microsecond field of 1000000 or more, "-1.1000000" being 0 s (value =
 * integer seconds + microseconds/1e6, the integer with its own sign).
 * Returns NULL, or a static text that says what is wrong with it; `record` is then unspecified.
 */
const char *record_decode(const char *header, size_t length, struct record *record);

/* Could the `length` bytes at `header`, which hold no newline, be the beginning of a header that is
 * cut short? */
bool record_begins(const char *header, size_t length);

#endif
