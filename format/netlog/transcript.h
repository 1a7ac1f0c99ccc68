/* Records written for people to stdout: a header line each, then the payload, safe on any terminal.
 */
#ifndef FORMAT_NETLOG_TRANSCRIPT_H
#define FORMAT_NETLOG_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "format/logset.h"

#define TRANSCRIPT_HEX_WIDTH 16

struct transcript {
	bool hex;    /* payload as a hexdump */
	bool colour; /* write SGR sequences */
	bool wall;   /* wall clock in the header lines, where it is known */
	int column;  /* width of the connection column; 0: none */
	/* the rest is private */
	bool lit;		   /* a highlight has begun on the terminal */
	bool in_line;		   /* something of the current line is written */
	unsigned long long offset; /* in the payload */
	unsigned char row[TRANSCRIPT_HEX_WIDTH];
	bool row_lit[TRANSCRIPT_HEX_WIDTH];
	size_t row_count;
};

/* What a header line tells. */
struct transcript_line {
	const struct logset_item *item;
	const char *column; /* the connection's name, printable */
	const struct record *record;
	int64_t response; /* nanoseconds since the request, -1: this is no answer */
};

/* Write the header line of a record; payload may follow, in pieces, then transcript_end(). */
void transcript_begin(struct transcript *transcript, const struct transcript_line *line);
void transcript_data(
    struct transcript *transcript, const unsigned char *data, size_t size, bool lit);
void transcript_end(struct transcript *transcript);

#endif
