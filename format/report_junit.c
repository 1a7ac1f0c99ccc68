/* The report as JUnit XML. */
#include <string.h>

#include "format/report_private.h"

/* ASCII text as XML, in an attribute or between tags. XML 1.0 has no control characters at all; as
 * what is given is made visible already, there are none here but newlines. */
static void
put_xml(FILE *stream, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		switch (text[i]) {
		case '&':
			fputs("&amp;", stream);
			break;
		case '<':
			fputs("&lt;", stream);
			break;
		case '>':
			fputs("&gt;", stream);
			break;
		case '"':
			fputs("&quot;", stream);
			break;
		default:
			putc(text[i], stream);
		}
	}
}

/* Any text, control characters made visible. */
static void
put_visible(FILE *stream, const char *text)
{
	char visible[REPORT_BYTE_MAX];

	for (; *text != '\0'; text++) {
		size_t length = report_byte((unsigned char)*text, visible);
		put_xml(stream, visible, *text == '\\' ? 1 : length);
	}
}

static void
junit_difference(struct report *report, FILE *stream, const struct report_found *found)
{
	report_put_place(report, stream, found);
	putc('\n', stream);
	report_put_block(stream, found->difference, false);
	putc('\n', stream);
}

static void
put_outcome(struct report *report, FILE *stream, const struct report_connection *connection)
{
	struct report_buffer line = {0};

	if (report_buffer_open(report, &line) != NULL) {
		report_put_outcome(report, line.stream, connection);
		report_buffer_read(report, &line);
		put_xml(stream, line.text, line.size);
	}
	report_buffer_release(&line);
}

static void
junit_connection(struct report *report, const struct report_connection *connection,
    const char *details, size_t size)
{
	static const char *const tags[] = {[REPORT_DIFFERENT] = "failure",
	    [REPORT_FAILED] = "error",
	    [REPORT_SKIPPED] = "skipped"};
	const char *tag = tags[connection->result];
	FILE *stream = report_buffer_open(report, &report->held);

	if (stream == NULL)
		return;
	fputs("<testcase classname=\"", stream);
	put_visible(stream, report->config.title);
	fputs("\" name=\"", stream);
	put_visible(stream, connection->name);
	fputs("\" time=\"", stream);
	report_put_seconds(stream, connection->duration);
	if (tag == NULL) {
		fputs("\"/>\n", stream);
		return;
	}
	fprintf(stream, "\"><%s message=\"", tag);
	put_outcome(report, stream, connection);
	if (connection->result != REPORT_SKIPPED)
		fprintf(stream, "\" type=\"%s", report_result_name(connection->result));
	fputs("\">", stream);
	put_xml(stream, details, size);
	fprintf(stream, "</%s></testcase>\n", tag);
}

/* -- the head, which counts what stands behind it -- */

static void
put_property(FILE *stream, const char *name, uint64_t value)
{
	fprintf(
	    stream, "<property name=\"%s\" value=\"%llu\"/>\n", name, (unsigned long long)value);
}

static void
put_times(FILE *stream, const char *name, const struct histogram *histogram)
{
	static const double percents[] = {50, 90, 99};

	if (histogram == NULL || histogram_count(histogram) == 0)
		return;
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		fputs("<property name=\"", stream);
		put_visible(stream, name);
		fprintf(stream, " p%.0f\" value=\"", percents[i]);
		report_put_seconds(stream, histogram_percentile(histogram, percents[i]));
		fputs("\"/>\n", stream);
	}
	fputs("<property name=\"", stream);
	put_visible(stream, name);
	fputs(" max\" value=\"", stream);
	report_put_seconds(stream, histogram_max(histogram));
	fputs("\"/>\n", stream);
}

static void
put_head(struct report *report, const struct report_summary *summary)
{
	FILE *stream = report->config.stream;
	const uint64_t *told = report->told;
	unsigned slow = summary->fail_if != NULL;

	fputs(
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"", stream);
	put_visible(stream, report->config.title);
	fprintf(stream, "\" tests=\"%llu\" failures=\"%llu\" errors=\"%llu\" skipped=\"%llu\"",
	    (unsigned long long)report_told(report) + slow,
	    (unsigned long long)told[REPORT_DIFFERENT] + slow,
	    (unsigned long long)told[REPORT_FAILED], (unsigned long long)told[REPORT_SKIPPED]);
	fputs(" time=\"", stream);
	report_put_seconds(stream, summary->duration);
	fputs("\">\n<properties>\n", stream);
	put_property(stream, "compared", summary->compared);
	put_property(stream, "differences", summary->differences);
	put_times(stream, report->config.names[0], summary->recorded);
	put_times(stream, report->config.names[1], summary->live);
	put_times(stream, "lag", summary->lag);
	fputs("</properties>\n", stream);
}

static void
put_summary(struct report *report, const struct report_summary *summary)
{
	struct report_buffer text = {0};
	FILE *stream = report->config.stream;

	if (report_buffer_open(report, &text) == NULL)
		return;
	report_put_summary(report, text.stream, summary);
	report_buffer_read(report, &text);
	fputs("<system-out>", stream);
	put_xml(stream, text.text, text.size);
	fputs("</system-out>\n", stream);
	report_buffer_release(&text);
}

static void
junit_end(struct report *report, const struct report_summary *summary)
{
	FILE *stream = report->config.stream;
	const char *cases = report_buffer_read(report, &report->held);

	put_head(report, summary);
	fwrite(cases, 1, report->held.size, stream);
	if (summary->fail_if != NULL) {
		fputs("<testcase classname=\"", stream);
		put_visible(stream, report->config.title);
		fputs("\" name=\"response times\"><failure type=\"--fail-if\" message=\"", stream);
		put_visible(stream, summary->fail_if);
		fputs("\"/></testcase>\n", stream);
	}
	put_summary(report, summary);
	fputs("</testsuite>\n</testsuites>\n", stream);
}

const struct report_ops report_junit_ops = {
    .show = 10,
    .difference = junit_difference,
    .connection = junit_connection,
    .end = junit_end,
};
