/* What the tests of reports share: a report into memory, texts compared, and a summary to tell. */
#ifndef TESTS_UNIT_REPORT_FIXTURE_H
#define TESTS_UNIT_REPORT_FIXTURE_H

#include "format/report.h"
#include "tests/unit/test.h"

struct sheet {
	struct report *report;
	FILE *stream;
	char *text;
	size_t size;
};

static inline void
sheet_open(struct sheet *sheet, enum report_format format, unsigned show, bool colour)
{
	struct report_config config = {.format = format,
	    .colour = colour,
	    .show = show,
	    .title = "suite <&\"\x01>",
	    .names = {"recorded", "live"}};

	*sheet = (struct sheet){.text = NULL};
	sheet->stream = config.stream = open_memstream(&sheet->text, &sheet->size);
	EXPECT(sheet->stream != NULL);
	sheet->report = report_new(&config);
	EXPECT(sheet->report != NULL);
}

/* Complete it; the text is to be freed by sheet_close(). */
static inline const char *
sheet_end(struct sheet *sheet, const struct report_summary *summary)
{
	EXPECT(report_end(sheet->report, summary) == 0);
	report_free(sheet->report);
	EXPECT(fclose(sheet->stream) == 0);
	EXPECT(strlen(sheet->text) == sheet->size); /* no NUL */
	return sheet->text;
}

static inline void
sheet_close(struct sheet *sheet)
{
	free(sheet->text);
}

/* A stretch of bytes that may hold NULs. */
struct bytes {
	const char *data;
	size_t size;
};

#define B(text) ((struct bytes){text, sizeof(text) - 1})

static inline void
differ(struct report *report, const void *key, uint64_t offset, struct bytes before,
    struct bytes recorded, struct bytes live, struct bytes after)
{
	const unsigned char *sides[2] = {
	    (const unsigned char *)recorded.data, (const unsigned char *)live.data};
	struct align_difference difference = {.offset = {offset, offset + 5},
	    .size = {recorded.size, live.size},
	    .bytes = {sides[0], sides[1]}};

	for (int i = 0; i < 2; i++) {
		difference.shown[i] =
		    difference.size[i] < ALIGN_SHOW ? difference.size[i] : ALIGN_SHOW;
		difference.before[i] = (const unsigned char *)before.data;
		difference.before_size[i] = before.size;
		difference.after[i] = (const unsigned char *)after.data;
		difference.after_size[i] = after.size;
	}
	report_difference(report, key, "in/log_1", SIDE_SERVER, &difference);
}

static inline void
expect_text(const char *text, const char *expected)
{
	if (strcmp(text, expected) != 0)
		fprintf(stderr, "-- expected:\n%s\n-- is:\n%s\n", expected, text);
	EXPECT(strcmp(text, expected) == 0);
}

static inline void
expect_holds(const char *text, const char *expected)
{
	if (strstr(text, expected) == NULL)
		fprintf(stderr, "-- expected:\n%s\n-- in:\n%s\n", expected, text);
	EXPECT(strstr(text, expected) != NULL);
}

static inline unsigned
count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

/* -- the summary -- */

static inline struct histogram *
times_of(int64_t nanoseconds)
{
	struct histogram *histogram = histogram_new();

	EXPECT(histogram != NULL);
	for (int i = 0; i < 100; i++)
		histogram_add(histogram, nanoseconds);
	return histogram;
}

struct summary {
	struct report_summary summary;
	struct histogram *recorded, *live, *lag;
	struct mask_set masks;
};

static inline void
summary_init(struct summary *summary)
{
	char error[256];

	*summary = (struct summary){
	    .recorded = times_of(1000000), .live = times_of(2000000), .lag = times_of(50000)};
	mask_set_init(&summary->masks);
	EXPECT(mask_set_add(&summary->masks, "Date: [^\\r]*", error, sizeof(error)) == 0);
	EXPECT(mask_set_add(&summary->masks, "\"\xff]]>", error, sizeof(error)) == 0);
	summary->masks.masks[0].matches = 1;
	summary->masks.masks[0].bytes = 30;
	summary->masks.searched = 1200;
	summary->summary = (struct report_summary){.connections = {1, 2, 3, 4},
	    .compared = 12365,
	    .differences = 1,
	    .recorded = summary->recorded,
	    .live = summary->live,
	    .lag = summary->lag,
	    .masks = &summary->masks,
	    .fail_if = "p99>1.5x",
	    .duration = 2100000000};
}

static inline void
summary_release(struct summary *summary)
{
	histogram_free(summary->recorded);
	histogram_free(summary->live);
	histogram_free(summary->lag);
	mask_set_release(&summary->masks);
}

#endif
