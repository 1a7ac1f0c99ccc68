/* One line of what a report shows of a stream, the bytes that differ marked: in colour, or by ^ in
 * a line below. */
#ifndef FORMAT_REPORT_LINE_H
#define FORMAT_REPORT_LINE_H

#include <stdbool.h>

#include "format/report_private.h"

#define REPORT_MARKS_MAX 128 /* columns that can be marked */
#define REPORT_NO_BYTE SIZE_MAX

/* One side. What differs is at [begin, end) of its bytes. */
struct report_view {
	unsigned char data[2 * ALIGN_CONTEXT + ALIGN_SHOW];
	size_t size, begin, end;
	uint64_t offset;  /* of data[0] in its stream */
	uint64_t missing; /* bytes of the difference that are not there */
	char sign;
	const char *colour; /* its number in escape sequences; NULL: none */
};

struct report_line {
	FILE *stream;
	const struct report_view *view;
	bool own; /* of this side only */
	bool lit;
	size_t column;
	char marks[REPORT_MARKS_MAX];
};

/* `own`: of this side only, with its sign; else it is what both have in common. */
void report_line_begin(
    struct report_line *line, FILE *stream, const struct report_view *view, bool own);

/* Columns that stand for the byte `at` of the view (its size: what is missing behind it), or
 * REPORT_NO_BYTE. */
void report_line_put(struct report_line *line, size_t at, const char *text, size_t length);
void report_line_end(struct report_line *line);

#endif
