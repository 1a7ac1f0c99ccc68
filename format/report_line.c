#include "format/report_line.h"

#include <string.h>

#define INDENT "    "
#define SGR "\033[0;%sm"
#define SGR_LIT "\033[0;%s;7m"
#define SGR_RESET "\033[0m"

/* Is the byte there marked? Where bytes are only missing, the one behind them is. */
static bool
view_marks(const struct report_view *view, size_t at)
{
	return at >= view->begin && (at < view->end || at == view->begin);
}

void
report_line_begin(struct report_line *line, FILE *stream, const struct report_view *view, bool own)
{
	*line = (struct report_line){.stream = stream, .view = view, .own = own};
	memset(line->marks, ' ', sizeof(line->marks));
	if (!own) {
		fputs(INDENT, stream);
		return;
	}
	if (view->colour != NULL)
		fprintf(stream, SGR, view->colour);
	fprintf(stream, "  %c ", view->sign);
}

void
report_line_put(struct report_line *line, size_t at, const char *text, size_t length)
{
	const struct report_view *view = line->view;
	bool mark = line->own && at != REPORT_NO_BYTE && view_marks(view, at);
	size_t width = view->begin < view->end ? length : 1;
	bool lit = mark && view->begin < view->end;

	if (mark && line->column + width <= REPORT_MARKS_MAX)
		memset(line->marks + line->column, '^', width);
	if (line->own && view->colour != NULL && lit != line->lit) {
		fprintf(line->stream, lit ? SGR_LIT : SGR, view->colour);
		line->lit = lit;
	}
	fwrite(text, 1, length, line->stream);
	line->column += length;
}

void
report_line_end(struct report_line *line)
{
	const struct report_view *view = line->view;
	size_t width = REPORT_MARKS_MAX;

	if (line->own && view->colour != NULL)
		fputs(SGR_RESET, line->stream);
	putc('\n', line->stream);
	while (width > 0 && line->marks[width - 1] == ' ')
		width--;
	/* Colour shows what differs, but not where nothing is. */
	if (width > 0 && (view->colour == NULL || view->begin == view->end))
		fprintf(line->stream, INDENT "%.*s\n", (int)width, line->marks);
}
