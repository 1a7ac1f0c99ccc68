/* The report for people. */
#include "format/report_private.h"
#include "format/units.h"

static void
text_difference(struct report *report, FILE *stream, const struct report_found *found)
{
	report_put_text(stream, found->name);
	fputs(": ", stream);
	report_put_place(report, stream, found);
	putc('\n', stream);
	report_put_block(stream, found->difference, report->config.colour);
	putc('\n', stream);
}

static void
text_connection(struct report *report, const struct report_connection *connection,
    const char *details, size_t size)
{
	FILE *stream = report->config.stream;

	(void)details;
	(void)size;
	if (connection->result == REPORT_EQUAL && connection->reason == NULL)
		return;
	report_put_text(stream, connection->name);
	fputs(": ", stream);
	report_put_outcome(report, stream, connection);
	putc('\n', stream);
}

/* -- the summary -- */

static void
put_counts(FILE *stream, const struct report_summary *summary)
{
	const uint64_t *count = summary->connections;
	char connections[REPORT_COUNT_MAX], bytes[REPORT_COUNT_MAX], differences[REPORT_COUNT_MAX];
	char time[UNITS_TEXT_MAX];

	fprintf(stream, "%s: %llu equal, %llu different, %llu failed, %llu skipped\n",
	    report_count(count[0] + count[1] + count[2] + count[3], "connection", connections),
	    (unsigned long long)count[REPORT_EQUAL], (unsigned long long)count[REPORT_DIFFERENT],
	    (unsigned long long)count[REPORT_FAILED], (unsigned long long)count[REPORT_SKIPPED]);
	fprintf(stream, "%s compared, %s, %s\n", report_count(summary->compared, "byte", bytes),
	    report_count(summary->differences, "difference", differences),
	    units_format_time(summary->duration, time));
}

static const struct row {
	const char *name;
	double percent;
} rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int64_t
row_value(const struct row *row, const struct histogram *histogram)
{
	if (row->percent >= 100)
		return histogram_max(histogram);
	return histogram_percentile(histogram, row->percent);
}

static void
put_times(struct report *report, FILE *stream, const struct report_summary *summary)
{
	char recorded[UNITS_TEXT_MAX], live[UNITS_TEXT_MAX];

	if (summary->recorded == NULL || summary->live == NULL ||
	    histogram_count(summary->live) == 0)
		return;
	fprintf(stream, "response times  %12s  %12s\n", report->config.names[0],
	    report->config.names[1]);
	for (size_t i = 0; i < ROWS; i++) {
		int64_t one = row_value(&rows[i], summary->recorded);
		int64_t other = row_value(&rows[i], summary->live);
		fprintf(stream, "  %-12s  %12s  %12s", rows[i].name,
		    histogram_count(summary->recorded) > 0 ? units_format_time(one, recorded) : "-",
		    units_format_time(other, live));
		if (one > 0)
			fprintf(stream, "  %.2fx", (double)other / (double)one);
		putc('\n', stream);
	}
}

static void
put_lag(FILE *stream, const struct histogram *lag)
{
	char time[UNITS_TEXT_MAX];

	if (lag == NULL || histogram_count(lag) == 0)
		return;
	fputs("behind schedule", stream);
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].percent != 90)
			fprintf(stream, "%s %s %s", i > 0 ? "," : ":", rows[i].name,
			    units_format_time(row_value(&rows[i], lag), time));
	putc('\n', stream);
}

static void
put_masks(FILE *stream, const struct mask_set *masks)
{
	char places[REPORT_COUNT_MAX], bytes[REPORT_COUNT_MAX];

	for (size_t i = 0; masks != NULL && i < masks->count; i++) {
		const struct mask *mask = &masks->masks[i];
		double searched = masks->searched > 0 ? (double)masks->searched : 1;

		if (mask->matches == 0) {
			fputs("warning: mask that matched nothing: ", stream);
		} else {
			fprintf(stream,
			    "masked %s (%.3g%%) in %s: ", report_count(mask->bytes, "byte", bytes),
			    100 * (double)mask->bytes / searched,
			    report_count(mask->matches, "place", places));
		}
		report_put_text(stream, pattern_text(mask->pattern));
		putc('\n', stream);
	}
}

void
report_put_summary(struct report *report, FILE *stream, const struct report_summary *summary)
{
	put_counts(stream, summary);
	put_times(report, stream, summary);
	put_lag(stream, summary->lag);
	put_masks(stream, summary->masks);
	if (summary->fail_if == NULL)
		return;
	fputs("failed, as told by --fail-if: ", stream);
	report_put_text(stream, summary->fail_if);
	putc('\n', stream);
}

static void
text_end(struct report *report, const struct report_summary *summary)
{
	report_put_summary(report, report->config.stream, summary);
}

const struct report_ops report_text_ops = {
    .show = 10,
    .immediate = true,
    .difference = text_difference,
    .connection = text_connection,
    .end = text_end,
};
