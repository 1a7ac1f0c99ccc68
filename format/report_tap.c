/* The report as TAP, version 13. */
#include <string.h>

#include "format/report_private.h"

#define SHOWN 40 /* bytes of a difference in a diagnostic */

/* A description, of which no part can pass for a directive or another line. */
static void
put_description(FILE *stream, const char *text)
{
	char visible[REPORT_BYTE_MAX];

	for (; *text != '\0'; text++) {
		report_byte((unsigned char)*text, visible);
		fprintf(stream, *text == '#' ? "\\%s" : "%s", visible);
	}
}

static void
tap_begin(struct report *report)
{
	fputs("TAP version 13\n", report->config.stream);
}

static void
tap_difference(struct report *report, FILE *stream, const struct report_found *found)
{
	const struct align_difference *difference = found->difference;

	fputs("# ", stream);
	report_put_place(report, stream, found);
	putc('\n', stream);
	for (int i = 0; i < 2; i++) {
		size_t shown = difference->shown[i] < SHOWN ? difference->shown[i] : SHOWN;
		fprintf(stream, "#   %c \"", i == ALIGN_RECORDED ? '-' : '+');
		report_put_bytes(stream, difference->bytes[i], shown);
		fprintf(stream, "\"%s\n", difference->size[i] > shown ? "..." : "");
	}
}

static void
tap_connection(struct report *report, const struct report_connection *connection,
    const char *details, size_t size)
{
	FILE *stream = report->config.stream;
	bool good = connection->result == REPORT_EQUAL || connection->result == REPORT_SKIPPED;

	fprintf(stream, "%s %llu - ", good ? "ok" : "not ok",
	    (unsigned long long)report_told(report) + 1);
	put_description(stream, connection->name);
	if (connection->result == REPORT_SKIPPED) {
		fputs(" # SKIP ", stream);
		report_put_text(stream, connection->reason != NULL ? connection->reason : "");
		putc('\n', stream);
		return;
	}
	putc('\n', stream);
	if (!good || connection->reason != NULL) {
		fputs("# ", stream);
		report_put_outcome(report, stream, connection);
		putc('\n', stream);
	}
	fwrite(details, 1, size, stream);
}

static void
put_summary(struct report *report, const struct report_summary *summary)
{
	struct report_buffer text = {0};
	FILE *stream = report->config.stream;
	const char *line, *end;

	if (report_buffer_open(report, &text) == NULL)
		return;
	report_put_summary(report, text.stream, summary);
	line = report_buffer_read(report, &text);
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
		fprintf(stream, "# %.*s\n", (int)(end - line), line);
	report_buffer_release(&text);
}

static void
tap_end(struct report *report, const struct report_summary *summary)
{
	FILE *stream = report->config.stream;
	uint64_t count = report_told(report);

	if (summary->fail_if != NULL)
		fprintf(stream, "not ok %llu - response times\n", (unsigned long long)++count);
	put_summary(report, summary);
	fprintf(stream, "1..%llu%s\n", (unsigned long long)count,
	    count == 0 ? " # SKIP no connections" : "");
}

const struct report_ops report_tap_ops = {
    .show = 10,
    .begin = tap_begin,
    .difference = tap_difference,
    .connection = tap_connection,
    .end = tap_end,
};
