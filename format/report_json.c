/* The report for programs: one JSON object. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/base64.h"
#include "format/json.h"
#include "format/report_private.h"

/* A string, or null. */
static void
put_string(struct report *report, FILE *stream, const char *text)
{
	size_t size = text != NULL ? 6 * strlen(text) + 3 : 0;
	char *json;

	if (text == NULL) {
		fputs("null", stream);
		return;
	}
	json = malloc(size);
	if (json == NULL) {
		report_fail(report, ENOMEM);
		return;
	}
	json_string_encode(text, json, size);
	for (const unsigned char *at = (unsigned char *)json; *at != '\0'; at++) {
		/* U+0080 to U+009F, which command terminals */
		if (*at == 0xc2 && at[1] < 0xa0)
			fprintf(stream, "\\u00%02x", *++at);
		else
			putc(*at, stream);
	}
	free(json);
}

/* Bytes as a string that people can read. */
static void
put_visible(FILE *stream, const char *member, const unsigned char *bytes, size_t size)
{
	char text[REPORT_BYTE_MAX];

	fprintf(stream, ",\"%s\":\"", member);
	for (size_t i = 0; i < size; i++) {
		report_byte(bytes[i], text);
		for (const char *at = text; *at != '\0'; at++)
			fprintf(stream, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
	}
	putc('"', stream);
}

static void
put_side(FILE *stream, const struct align_difference *difference, enum align_stream i)
{
	struct base64 state = {.count = 0};

	fprintf(stream, "{\"offset\":%llu,\"size\":%llu,\"base64\":\"",
	    (unsigned long long)difference->offset[i], (unsigned long long)difference->size[i]);
	base64_put(&state, difference->bytes[i], difference->shown[i], stream);
	base64_finish(&state, stream);
	putc('"', stream);
	put_visible(stream, "text", difference->bytes[i], difference->shown[i]);
	put_visible(stream, "before", difference->before[i], difference->before_size[i]);
	put_visible(stream, "after", difference->after[i], difference->after_size[i]);
	putc('}', stream);
}

static void
json_begin(struct report *report)
{
	FILE *stream = report->config.stream;

	fputs("{\"title\":", stream);
	put_string(report, stream, report->config.title);
	fputs(",\"names\":[", stream);
	put_string(report, stream, report->config.names[0]);
	putc(',', stream);
	put_string(report, stream, report->config.names[1]);
	fputs("],\n\"connections\":[", stream);
}

static void
json_difference(struct report *report, FILE *stream, const struct report_found *found)
{
	(void)report;
	fprintf(stream, "%s\n  {\"side\":\"%c\",\"recorded\":", found->number > 1 ? "," : "",
	    side_letter(found->side));
	put_side(stream, found->difference, ALIGN_RECORDED);
	fputs(",\n   \"live\":", stream);
	put_side(stream, found->difference, ALIGN_LIVE);
	putc('}', stream);
}

static void
json_connection(struct report *report, const struct report_connection *connection,
    const char *details, size_t size)
{
	FILE *stream = report->config.stream;

	fprintf(stream, "%s\n {\"name\":", report_told(report) > 0 ? "," : "");
	put_string(report, stream, connection->name);
	fprintf(stream, ",\"result\":\"%s\",\"reason\":", report_result_name(connection->result));
	put_string(report, stream, connection->reason);
	fprintf(stream, ",\"compared\":%llu,\"differences\":%llu,\"duration\":",
	    (unsigned long long)connection->compared, (unsigned long long)connection->differences);
	report_put_seconds(stream, connection->duration);
	fputs(",\"details\":[", stream);
	fwrite(details, 1, size, stream);
	fputs("]}", stream);
}

/* -- the summary -- */

static void
put_histogram(FILE *stream, const struct histogram *histogram)
{
	static const double percents[] = {50, 90, 99};

	if (histogram == NULL) {
		fputs("null", stream);
		return;
	}
	fprintf(stream, "{\"count\":%llu", (unsigned long long)histogram_count(histogram));
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		fprintf(stream, ",\"p%.0f\":", percents[i]);
		report_put_seconds(stream, histogram_percentile(histogram, percents[i]));
	}
	fputs(",\"max\":", stream);
	report_put_seconds(stream, histogram_max(histogram));
	fputs(",\"mean\":", stream);
	report_put_seconds(stream, histogram_mean(histogram));
	putc('}', stream);
}

static void
put_masks(struct report *report, FILE *stream, const struct mask_set *masks)
{
	fputs(",\n \"masks\":[", stream);
	for (size_t i = 0; masks != NULL && i < masks->count; i++) {
		const struct mask *mask = &masks->masks[i];
		double searched = masks->searched > 0 ? (double)masks->searched : 1;

		fprintf(stream, "%s\n  {\"pattern\":", i > 0 ? "," : "");
		put_string(report, stream, pattern_text(mask->pattern));
		fprintf(stream, ",\"matches\":%llu,\"bytes\":%llu,\"share\":%.6f}",
		    (unsigned long long)mask->matches, (unsigned long long)mask->bytes,
		    (double)mask->bytes / searched);
	}
	putc(']', stream);
}

static void
json_end(struct report *report, const struct report_summary *summary)
{
	FILE *stream = report->config.stream;

	fputs("],\n\"summary\":{\"connections\":{", stream);
	for (unsigned i = 0; i < 4; i++)
		fprintf(stream, "%s\"%s\":%llu", i > 0 ? "," : "",
		    report_result_name((enum report_result)i),
		    (unsigned long long)summary->connections[i]);
	fprintf(stream, "},\"compared\":%llu,\"differences\":%llu,\"duration\":",
	    (unsigned long long)summary->compared, (unsigned long long)summary->differences);
	report_put_seconds(stream, summary->duration);
	fputs(",\n \"response_times\":{\"recorded\":", stream);
	put_histogram(stream, summary->recorded);
	fputs(",\"live\":", stream);
	put_histogram(stream, summary->live);
	fputs("},\n \"lag\":", stream);
	put_histogram(stream, summary->lag);
	put_masks(report, stream, summary->masks);
	fputs(",\n \"fail_if\":", stream);
	put_string(report, stream, summary->fail_if);
	fputs("}}\n", stream);
}

const struct report_ops report_json_ops = {
    .show = 100,
    .begin = json_begin,
    .difference = json_difference,
    .connection = json_connection,
    .end = json_end,
};
