/* Both sides' bytes around a difference. */
#include <string.h>

#include "format/report_line.h"

#define FOLD 72	       /* columns, after which a line of text is continued on the next one */
#define ROW 16	       /* bytes of a hexdump's line */
#define BINARY_SHARE 8 /* more than one byte in so many is no text: a hexdump */

static size_t
at_most(size_t size, size_t most)
{
	return size < most ? size : most;
}

static void
view_add(struct report_view *view, const unsigned char *bytes, size_t size)
{
	if (size > 0)
		memcpy(view->data + view->size, bytes, size);
	view->size += size;
}

static void
view_init(struct report_view *view, const struct align_difference *difference, enum align_stream i,
    bool colour)
{
	size_t before = at_most(difference->before_size[i], ALIGN_CONTEXT);
	size_t shown = at_most(difference->shown[i], ALIGN_SHOW);

	*view = (struct report_view){.begin = before,
	    .end = before + shown,
	    .offset = difference->offset[i] - before,
	    .missing = difference->size[i] - shown,
	    .sign = i == ALIGN_RECORDED ? '-' : '+'};
	if (colour)
		view->colour = i == ALIGN_RECORDED ? "31" : "32";
	view_add(view, difference->before[i] + difference->before_size[i] - before, before);
	view_add(view, difference->bytes[i], shown);
	if (view->missing == 0)
		view_add(
		    view, difference->after[i], at_most(difference->after_size[i], ALIGN_CONTEXT));
}

/* How many of the bytes make no text. */
static size_t
view_binary(const struct report_view *view)
{
	size_t count = 0;

	for (size_t i = 0; i < view->size; i++) {
		unsigned char byte = view->data[i];
		count +=
		    byte != '\t' && byte != '\r' && byte != '\n' && (byte < ' ' || byte >= 0x7f);
	}
	return count;
}

/* -- as text -- */

/* One line of [from, until), up to its newline or the fold. Returns where the next one begins. */
static size_t
text_line(FILE *stream, const struct report_view *view, bool own, size_t from, size_t until)
{
	struct report_line line;
	char text[REPORT_BYTE_MAX];
	bool newline = false;

	report_line_begin(&line, stream, view, own);
	while (from < until && !newline && line.column < FOLD) {
		report_line_put(&line, from, text, report_byte(view->data[from], text));
		newline = view->data[from++] == '\n';
	}
	if (from == view->size && !newline)
		report_line_put(&line, from, "", 0); /* what is missing at the end is marked, too */
	report_line_end(&line);
	return from;
}

static void
text_lines(FILE *stream, const struct report_view *view, bool own, size_t from, size_t until)
{
	while (from < until)
		from = text_line(stream, view, own, from, until);
}

static size_t
line_start(const struct report_view *view)
{
	size_t at = view->begin;

	while (at > 0 && view->data[at - 1] != '\n')
		at--;
	return at;
}

/* Does a line end where the difference does, so that what follows need not be told as its? */
static bool
ends_line(const struct report_view *view)
{
	if (view->missing > 0)
		return false;
	return view->begin == view->end ? line_start(view) == view->begin
					: view->data[view->end - 1] == '\n';
}

/* Where the line ends in which the difference ends. */
static size_t
line_finish(const struct report_view *view)
{
	size_t at = view->end;

	while (at < view->size && view->data[at] != '\n')
		at++;
	return at < view->size ? at + 1 : at;
}

static void
put_missing(FILE *stream, const struct report_view *view)
{
	char text[REPORT_COUNT_MAX];

	if (view->missing > 0)
		fprintf(stream, "  %c (%s more)\n", view->sign,
		    report_count(view->missing, "byte", text));
}

/* One side's own lines; `until` is where they end. */
static void
text_side(FILE *stream, const struct report_view *view, size_t until)
{
	size_t from = line_start(view);

	if (from == until && view->missing == 0 && view->begin < view->size)
		return; /* nothing is there, and what follows is told for both */
	if (from == until && view->missing == 0)
		text_line(stream, view, true, from, until);
	text_lines(stream, view, true, from, until);
	put_missing(stream, view);
}

static void
put_text(FILE *stream, const struct report_view views[2])
{
	const struct report_view *one = &views[0], *other = &views[1];
	bool lines = ends_line(one) && ends_line(other);
	size_t first = lines ? one->end : line_finish(one);
	size_t second = lines ? other->end : line_finish(other);
	size_t lead = line_start(one), tail = 0;

	if (lead == line_start(other) && memcmp(one->data, other->data, lead) == 0)
		text_lines(stream, one, false, 0, lead);
	text_side(stream, one, first);
	text_side(stream, other, second);
	while (first + tail < one->size && second + tail < other->size &&
	       one->data[first + tail] == other->data[second + tail])
		tail++;
	text_lines(stream, one, false, first, first + tail);
}

/* -- as a hexdump -- */

static uint64_t
row_of(uint64_t offset)
{
	return offset - offset % ROW;
}

/* The row that begins at `row` of the stream. */
static void
hex_row(FILE *stream, const struct report_view *view, uint64_t row, bool own)
{
	struct report_line line;
	char text[32];

	report_line_begin(&line, stream, view, own);
	report_line_put(&line, REPORT_NO_BYTE, text,
	    (size_t)snprintf(text, sizeof(text), "%08llx", (unsigned long long)row));
	for (unsigned i = 0; i < ROW; i++) {
		size_t at =
		    row + i < view->offset ? REPORT_NO_BYTE : (size_t)(row + i - view->offset);
		report_line_put(&line, REPORT_NO_BYTE, "  ", i % (ROW / 2) == 0 ? 2 : 1);
		if (at < view->size)
			snprintf(text, sizeof(text), "%02x", view->data[at]);
		report_line_put(&line, at, at < view->size ? text : "  ", 2);
	}
	report_line_put(&line, REPORT_NO_BYTE, "  |", 3);
	for (unsigned i = 0; i < ROW; i++) {
		size_t at =
		    row + i < view->offset ? REPORT_NO_BYTE : (size_t)(row + i - view->offset);
		unsigned char byte = at < view->size ? view->data[at] : ' ';
		text[0] = byte >= ' ' && byte < 0x7f ? (char)byte : '.';
		report_line_put(&line, at, text, 1);
	}
	report_line_put(&line, REPORT_NO_BYTE, "|", 1);
	report_line_end(&line);
}

/* The rows that differ, and one before and one behind them. */
static void
put_hex(FILE *stream, const struct report_view *view)
{
	uint64_t begin = view->offset + view->begin, end = view->offset + view->end;
	uint64_t first = row_of(begin), last = row_of(end > begin ? end - 1 : end);
	uint64_t row = row_of(view->offset), until = view->offset + view->size;

	if (first > row + ROW)
		row = first - ROW;
	for (; row <= last || (row <= last + ROW && row < until); row += ROW)
		hex_row(stream, view, row, row >= first && row <= last);
	put_missing(stream, view);
}

void
report_put_block(FILE *stream, const struct align_difference *difference, bool colour)
{
	struct report_view views[2];
	size_t binary, size;

	view_init(&views[0], difference, ALIGN_RECORDED, colour);
	view_init(&views[1], difference, ALIGN_LIVE, colour);
	binary = view_binary(&views[0]) + view_binary(&views[1]);
	size = views[0].size + views[1].size;
	if (binary * BINARY_SHARE <= size) {
		put_text(stream, views);
		return;
	}
	put_hex(stream, &views[0]);
	put_hex(stream, &views[1]);
}
