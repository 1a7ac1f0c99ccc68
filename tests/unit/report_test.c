/* Reports: what each format makes of differences, and of hostile names and bytes. */
#include "format/report.h"

#include "format/json.h"
#include "tests/unit/test.h"

struct sheet {
	struct report *report;
	FILE *stream;
	char *text;
	size_t size;
};

static void
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
static const char *
sheet_end(struct sheet *sheet, const struct report_summary *summary)
{
	EXPECT(report_end(sheet->report, summary) == 0);
	report_free(sheet->report);
	EXPECT(fclose(sheet->stream) == 0);
	EXPECT(strlen(sheet->text) == sheet->size); /* no NUL */
	return sheet->text;
}

static void
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

static void
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

static void
expect_text(const char *text, const char *expected)
{
	if (strcmp(text, expected) != 0)
		fprintf(stderr, "-- expected:\n%s\n-- is:\n%s\n", expected, text);
	EXPECT(strcmp(text, expected) == 0);
}

static void
expect_holds(const char *text, const char *expected)
{
	if (strstr(text, expected) == NULL)
		fprintf(stderr, "-- expected:\n%s\n-- in:\n%s\n", expected, text);
	EXPECT(strstr(text, expected) != NULL);
}

static unsigned
count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

/* -- text -- */

static void
expect_block(uint64_t offset, struct bytes before, struct bytes recorded, struct bytes live,
    struct bytes after, const char *expected)
{
	struct sheet sheet;

	sheet_open(&sheet, REPORT_TEXT, 0, false);
	differ(sheet.report, &sheet, offset, before, recorded, live, after);
	expect_holds(sheet_end(&sheet, &(struct report_summary){0}), expected);
	sheet_close(&sheet);
}

static void
test_text_blocks(void)
{
	expect_block(1042, B("HTTP/1.1 200 OK\r\nServer: nginx/1."), B("18"), B("22.1"),
	    B(" x\r\n\r\nhello"),
	    "log_1: server: recorded 2 bytes at byte 1042, live 4 bytes at byte 1047\n"
	    "    TTP/1.1 200 OK\\r\\n\n"
	    "  - Server: nginx/1.18 x\\r\\n\n"
	    "                    ^^\n"
	    "  + Server: nginx/1.22.1 x\\r\\n\n"
	    "                    ^^^^\n"
	    "    \\r\\n\n"
	    "    hello\n"
	    "\n");
	expect_block(17, B("HTTP/1.1 200 OK\r\n"), B(""), B("X: 1\r\n"), B("Y: 2\r\n"),
	    "log_1: server: recorded 0 bytes at byte 17, live 6 bytes at byte 22\n"
	    "    HTTP/1.1 200 OK\\r\\n\n"
	    "  + X: 1\\r\\n\n"
	    "    ^^^^^^^^\n"
	    "    Y: 2\\r\\n\n"
	    "\n");
	expect_block(8, B("$5\r\nab\tc"), B("\\e"), B(""), B("f\r\n"),
	    "    $5\\r\\n\n"
	    "  - ab\\tc\\\\ef\\r\\n\n"
	    "         ^^^\n"
	    "  + ab\\tcf\\r\\n\n"
	    "         ^\n"
	    "\n");
	expect_block(5, B("+PONG"), B("\r\n"), B("\n"), B("+PONG\r\n"),
	    "at byte 5, live 1 byte at byte 10\n"
	    "  - +PONG\\r\\n\n"
	    "         ^^^^\n"
	    "  + +PONG\\n\n"
	    "         ^^\n"
	    "    +PONG\\r\\n\n"
	    "\n");
}

static void
test_text_at_the_end(void)
{
	expect_block(6, B("+PONG\n"), B("abc"), B(""), B(""),
	    "    +PONG\\n\n"
	    "  - abc\n"
	    "    ^^^\n"
	    "  + \n"
	    "    ^\n"
	    "\n");
	expect_block(4, B("abcd"), B(""), B("e"), B(""),
	    "  - abcd\n"
	    "        ^\n"
	    "  + abcde\n"
	    "        ^\n"
	    "\n");
	expect_block(0, B(""), B(""), B("e"), B(""),
	    "  - \n"
	    "    ^\n"
	    "  + e\n"
	    "    ^\n"
	    "\n");
}

static void
test_text_folds(void)
{
	char many[600];
	struct sheet sheet;
	const char *text;

	memset(many, 'x', sizeof(many));
	sheet_open(&sheet, REPORT_TEXT, 0, false);
	differ(sheet.report, &sheet, 9, B("a"), B("b"), (struct bytes){many, sizeof(many)},
	    B("after"));
	text = sheet_end(&sheet, &(struct report_summary){0});
	expect_holds(
	    text, "recorded 1 byte at byte 9, live 600 bytes at byte 14\n  - abafter\n     ^\n");
	expect_holds(text, "^\n  + xxx");
	expect_holds(text, "x\n    ^^^^");
	expect_holds(text, "  + (344 bytes more)\n");
	EXPECT(count_of(text, "after") == 1); /* it is not behind what is shown of the other */
	sheet_close(&sheet);
}

static void
test_text_hex(void)
{
	expect_block(0x1111f, B("\0\1\2\3\4\5\6\7\x10\x11 hello \x80 world \x81\x82"), B(""),
	    B("\0\0\0\2\3"), B("abc\0\0\0\xff\xfe"),
	    "    00011100              00 01 02 03  04 05 06 07 10 11 20 68  |    .......... h|\n"
	    "  - 00011110  65 6c 6c 6f 20 80 20 77  6f 72 6c 64 20 81 82 61  |ello . world ..a|\n"
	    "                                                            ^                   ^\n"
	    "    00011120  62 63 00 00 00 ff fe                              |bc.....         |\n"
	    "    00011110  07 10 11 20 68 65 6c 6c  6f 20 80 20 77 6f 72 6c  |... hello . worl|\n"
	    "  + 00011120  64 20 81 82 00 00 00 02  03 61 62 63 00 00 00 ff  |d .......abc....|\n"
	    "                          ^^ ^^ ^^ ^^  ^^                            ^^^^^\n"
	    "    00011130  fe                                                |.               |\n"
	    "\n");
	expect_block(2, B("\0\0"), B("\1\2"), B(""), B(""),
	    "  - 00000000  00 00 01 02                                       |....            |\n"
	    "                    ^^ ^^                                          ^^\n"
	    "  + 00000000                 00 00                              |     ..         |\n"
	    "                                   ^                                    ^\n");
}

static void
test_text_colour(void)
{
	struct sheet sheet;
	const char *text;

	sheet_open(&sheet, REPORT_TEXT, 0, true);
	differ(sheet.report, &sheet, 1, B("a"), B("b"), B("\x1b"), B("cdefghijklmnop"));
	text = sheet_end(&sheet, &(struct report_summary){0});
	expect_holds(text, "\033[0;31m  - a\033[0;31;7mb\033[0;31mcdefghijklmnop\033[0m\n"
			   "\033[0;32m  + a\033[0;32;7m\\x1b\033[0;32mcdefghijklmnop\033[0m\n");
	EXPECT(strchr(text, '^') == NULL);
	sheet_close(&sheet);
}

static void
test_text_connections(void)
{
	struct sheet sheet;
	const char *text;
	int one, other;
	struct report_connection connection = {.name = "log_1",
	    .key = &one,
	    .result = REPORT_DIFFERENT,
	    .differences = 3,
	    .compared = 100,
	    .reason = "the server \x1b is still open"};

	sheet_open(&sheet, REPORT_TEXT, 2, false);
	for (uint64_t i = 0; i < 3; i++) {
		differ(sheet.report, &one, 1000 + i, B("a"), B("b"), B("c"), B("d"));
		differ(sheet.report, &other, 2000 + i, B("a"), B("b"), B("c"), B("d"));
	}
	EXPECT(report_connection(sheet.report, &connection) == 0);
	connection = (struct report_connection){.name = "in/a/equal_1", .key = &other};
	EXPECT(report_connection(sheet.report, &connection) == 0);
	connection.reason = "but odd";
	EXPECT(report_connection(sheet.report, &connection) == 0);
	connection.result = REPORT_FAILED;
	EXPECT(report_connection(sheet.report, &connection) == 0);
	connection = (struct report_connection){.name = "a\nb\\", .result = REPORT_SKIPPED};
	EXPECT(report_connection(sheet.report, &connection) == 0);
	text = sheet_end(&sheet, &(struct report_summary){0});
	EXPECT(count_of(text, "recorded 1 byte at byte 100") == 2);
	EXPECT(count_of(text, "recorded 1 byte at byte 200") == 2);
	expect_holds(text,
	    "\nlog_1: different: 3 differences in 100 bytes (the first 2 are shown): "
	    "the server \\x1b is still open\n"
	    "equal_1: equal: but odd\n"
	    "equal_1: failed: but odd\n"
	    "a\\nb\\: skipped\n"
	    "0 connections");
	sheet_close(&sheet);
}

/* -- the summary -- */

static struct histogram *
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

static void
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

static void
summary_release(struct summary *summary)
{
	histogram_free(summary->recorded);
	histogram_free(summary->live);
	histogram_free(summary->lag);
	mask_set_release(&summary->masks);
}

static void
test_text_summary(void)
{
	struct summary summary;
	struct sheet sheet;

	summary_init(&summary);
	sheet_open(&sheet, REPORT_TEXT, 0, false);
	expect_text(sheet_end(&sheet, &summary.summary),
	    "10 connections: 1 equal, 2 different, 3 failed, 4 skipped\n"
	    "12365 bytes compared, 1 difference, 2.10 s\n"
	    "response times      recorded          live\n"
	    "  p50                1.00 ms       2.00 ms  2.00x\n"
	    "  p90                1.00 ms       2.00 ms  2.00x\n"
	    "  p99                1.00 ms       2.00 ms  2.00x\n"
	    "  max                1.00 ms       2.00 ms  2.00x\n"
	    "behind schedule: p50 50 us, p99 50 us, max 50 us\n"
	    "masked 30 bytes (2.5%) in 1 place: Date: [^\\r]*\n"
	    "warning: mask that matched nothing: \"\\xff]]>\n"
	    "failed, as told by --fail-if: p99>1.5x\n");
	sheet_close(&sheet);
	sheet_open(&sheet, REPORT_TEXT, 0, false);
	expect_text(sheet_end(&sheet, &(struct report_summary){.connections = {1}}),
	    "1 connection: 1 equal, 0 different, 0 failed, 0 skipped\n"
	    "0 bytes compared, 0 differences, 0 ns\n");
	sheet_close(&sheet);
	summary_release(&summary);
}

/* -- all formats -- */

static const char evil[] = "a # TODO \\# x\nnot ok 3\x1b[2J]]><testcase><&\"'\xc3\xa9\xff\xc2\x9b";

/* Two connections of one name at the same time, and one of each other result. */
static void
tell_all(struct report *report)
{
	int one, other;
	struct report_connection connection = {.name = "log_1",
	    .key = &one,
	    .result = REPORT_DIFFERENT,
	    .differences = 1,
	    .compared = 10,
	    .duration = 1500000000};

	differ(report, &one, 1042, B("\"]]>\1\xff\n"), B("\x1b\""), B("<\0>"), B("\r\n&"));
	differ(report, &other, 7777, B("a"), B("b"), B("c"), B("d"));
	differ(report, &other, 8888, B("a"), B("b"), B("c"), B("d"));
	EXPECT(report_connection(report, &connection) == 0);
	connection.key = &other;
	connection.differences = 2;
	EXPECT(report_connection(report, &connection) == 0);
	connection = (struct report_connection){.name = evil, .compared = 5};
	EXPECT(report_connection(report, &connection) == 0);
	connection.result = REPORT_FAILED;
	connection.reason = "connect: <refused>\n";
	EXPECT(report_connection(report, &connection) == 0);
	connection.result = REPORT_SKIPPED;
	connection.reason = "no client \x1b asked";
	EXPECT(report_connection(report, &connection) == 0);
}

static const char *
told_as(struct sheet *sheet, enum report_format format, const struct report_summary *summary)
{
	sheet_open(sheet, format, 0, false);
	tell_all(sheet->report);
	return sheet_end(sheet, summary);
}

static void
test_tap(void)
{
	struct sheet sheet;
	struct summary summary;
	const char *text = told_as(&sheet, REPORT_TAP, &(struct report_summary){0});

	EXPECT(strncmp(text, "TAP version 13\nnot ok 1 - log_1\n", 32) == 0);
	expect_holds(text, "not ok 1 - log_1\n"
			   "# different: 1 difference in 10 bytes\n"
			   "# server: recorded 2 bytes at byte 1042, live 3 bytes at byte 1047\n"
			   "#   - \"\\x1b\"\"\n"
			   "#   + \"<\\x00>\"\n"
			   "not ok 2 - log_1\n"
			   "# different: 2 differences in 10 bytes\n"
			   "# server: recorded 1 byte at byte 7777, live 1 byte at byte 7782\n");
	expect_holds(text, "\nok 3 - a \\# TODO \\\\\\# x\\nnot ok 3\\x1b[2J]]><testcase><&\"'"
			   "\\xc3\\xa9\\xff\\xc2\\x9b\n"
			   "not ok 4 - a \\#");
	expect_holds(text, "\n# failed: connect: <refused>\\n\nok 5 - a \\#");
	expect_holds(text, "\\x9b # SKIP no client \\x1b asked\n# 0 connections");
	EXPECT(strcmp(text + strlen(text) - 6, "\n1..5\n") == 0);
	sheet_close(&sheet);

	summary_init(&summary);
	sheet_open(&sheet, REPORT_TAP, 0, false);
	text = sheet_end(&sheet, &summary.summary);
	expect_holds(text, "TAP version 13\nnot ok 1 - response times\n# 10 connections");
	expect_holds(text, "# failed, as told by --fail-if: p99>1.5x\n1..1\n");
	sheet_close(&sheet);
	summary_release(&summary);
}

static void
test_junit(void)
{
	struct sheet sheet;
	struct summary summary;
	const char *text;

	summary_init(&summary);
	text = told_as(&sheet, REPORT_JUNIT, &summary.summary);
	expect_holds(text,
	    "<testsuite name=\"suite &lt;&amp;&quot;\\x01&gt;\" tests=\"6\" failures=\"3\" "
	    "errors=\"1\" skipped=\"1\" time=\"2.100000000\">\n");
	EXPECT(count_of(text, "<testcase ") == 6 && count_of(text, "<failure ") == 3);
	EXPECT(count_of(text, "<error ") == 1 && count_of(text, "<skipped ") == 1);
	expect_holds(text, "name=\"log_1\" time=\"1.500000000\"><failure message=\"different: 1 "
			   "difference in 10 bytes\" type=\"different\">server: recorded 2 bytes");
	expect_holds(text, "name=\"a # TODO \\# x\\nnot ok 3\\x1b[2J]]&gt;&lt;testcase&gt;&lt;&amp;"
			   "&quot;'\\xc3\\xa9\\xff\\xc2\\x9b\" time=\"0.000000000\"/>");
	expect_holds(text, "<error message=\"failed: connect: &lt;refused&gt;\\n\"");
	expect_holds(text, "<property name=\"live p50\" value=\"0.00");
	expect_holds(text, "name=\"response times\"><failure");
	expect_holds(text, "nothing: &quot;\\xff]]&gt;\n");
	sheet_close(&sheet);
	summary_release(&summary);
}

/* How many members an object has; -1 if it is none. */
static int
members(const char *text, size_t size)
{
	struct json_scanner scanner;
	struct json_value key, value;
	int status, count = 0;

	json_scanner_init(&scanner, text, size);
	while ((status = json_scanner_next(&scanner, &key, &value)) == 1)
		count++;
	return status == 0 ? count : -1;
}

static void
test_json(void)
{
	struct sheet sheet;
	struct summary summary;
	const char *text;

	summary_init(&summary);
	text = told_as(&sheet, REPORT_JSON, &summary.summary);
	EXPECT(members(text, strlen(text)) == 4);
	expect_holds(text,
	    "{\"side\":\"s\",\"recorded\":{\"offset\":1042,\"size\":2,\"base64\":\"GyI=\","
	    "\"text\":\"\\\\x1b\\\"\",\"before\":\"\\\"]]>\\\\x01\\\\xff\\\\n\","
	    "\"after\":\"\\\\r\\\\n&\"},");
	expect_holds(text, "\"live\":{\"offset\":1047,\"size\":3,\"base64\":\"PAA+\"");
	expect_holds(text, "\"offset\":7777");
	expect_holds(text,
	    "{\"name\":\"log_1\",\"result\":\"different\",\"reason\":null,\"compared\":10,"
	    "\"differences\":2,\"duration\":1.500000000,\"details\":[\n"
	    "  {\"side\":\"s\",\"recorded\":{\"offset\":7777,");
	expect_holds(text, "\"result\":\"equal\",\"reason\":null,\"compared\":5,\"differences\":0,"
			   "\"duration\":0.000000000,\"details\":[]}");
	expect_holds(text, "{\"name\":\"a # TODO \\\\# x\\u000anot ok 3\\u001b[2J");
	expect_holds(text, "\xc3\xa9\\udcff\\u009b\"");
	expect_holds(text, "\"reason\":\"connect: <refused>\\u000a\"");
	expect_holds(text,
	    "{\"connections\":{\"equal\":1,\"different\":2,\"failed\":3,\"skipped\":4},"
	    "\"compared\":12365,\"differences\":1,\"duration\":2.100000000,\n");
	expect_holds(text, "{\"count\":100,\"p50\":0.00");
	expect_holds(text, "\"bytes\":30,\"share\":0.025000}");
	expect_holds(text, "\"fail_if\":\"p99>1.5x\"}}\n");
	sheet_close(&sheet);

	sheet_open(&sheet, REPORT_JSON, 0, false);
	text = sheet_end(&sheet, &(struct report_summary){0});
	EXPECT(members(text, strlen(text)) == 4);
	expect_holds(text, "\"lag\":null");
	expect_holds(text, "\"fail_if\":null");
	sheet_close(&sheet);
	summary_release(&summary);
}

/* Whatever bytes differ, however many, at whatever place: only printable ASCII is told. */
static void
test_any_bytes(void)
{
	char bytes[400];
	struct sheet sheet;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (unsigned format = REPORT_TEXT; format <= REPORT_JUNIT; format++) {
		sheet_open(&sheet, (enum report_format)format, 100000, false);
		for (size_t i = 0; i < 4000; i++) {
			struct bytes before = {bytes + i % 19, i % 33};
			struct bytes one = {bytes + i % 300, i % 37 == 0 ? i % 100 : i % 4};
			struct bytes other = {bytes + i % 70, i % 41 == 0 ? i % 330 : i % 3};
			struct bytes after = {bytes + i % 256, i % 31};
			differ(sheet.report, &sheet, 32 + i, before, one, other, after);
		}
		EXPECT(report_connection(sheet.report, &(struct report_connection){.name = "log_1",
							   .key = &sheet,
							   .result = REPORT_DIFFERENT,
							   .differences = 4000}) == 0);
		sheet_end(&sheet, &(struct report_summary){0});
		for (size_t i = 0; i < sheet.size; i++)
			EXPECT(sheet.text[i] == '\n' ||
			       (sheet.text[i] >= ' ' && sheet.text[i] < 0x7f));
		EXPECT(format != REPORT_JSON || members(sheet.text, sheet.size) == 4);
		sheet_close(&sheet);
	}
}

/* -- failures -- */

static void
expect_full(enum report_format format, int connections)
{
	struct report_config config = {.format = format,
	    .title = "suite",
	    .names = {"recorded", "live"},
	    .stream = fopen("/dev/full", "w")};
	struct report_connection connection = {.name = "log_1", .result = REPORT_FAILED};
	struct report *report;

	EXPECT(config.stream != NULL);
	report = report_new(&config);
	EXPECT(report != NULL);
	for (int i = 0; i < connections; i++)
		report_connection(report, &connection);
	errno = 0;
	EXPECT(report_end(report, &(struct report_summary){0}) == -1);
#ifndef __SANITIZE_THREAD__ /* its fflush(3) leaves another errno */
	EXPECT(errno == ENOSPC);
#endif
	report_free(report);
	fclose(config.stream);
}

static void
test_full_disk(void)
{
	for (unsigned format = REPORT_TEXT; format <= REPORT_JUNIT; format++) {
		expect_full((enum report_format)format, 0); /* noticed by the flush only */
		expect_full((enum report_format)format, 2000);
	}
}

static void
test_never_ended(void)
{
	struct sheet sheet;

	for (unsigned format = REPORT_TEXT; format <= REPORT_JUNIT; format++) {
		sheet_open(&sheet, (enum report_format)format, 0, false);
		differ(sheet.report, &sheet, 1, B("a"), B("b"), B("c"), B("d"));
		report_connection(sheet.report, &(struct report_connection){.name = "log_2"});
		report_free(sheet.report);
		fclose(sheet.stream);
		sheet_close(&sheet);
	}
	report_free(NULL);
}

static void
test_formats(void)
{
	enum report_format format;

	EXPECT(report_format_parse("text", &format) == 0 && format == REPORT_TEXT);
	EXPECT(report_format_parse("json", &format) == 0 && format == REPORT_JSON);
	EXPECT(report_format_parse("tap", &format) == 0 && format == REPORT_TAP);
	EXPECT(report_format_parse("junit", &format) == 0 && format == REPORT_JUNIT);
	EXPECT(report_format_parse("xml", &format) == -1);
	EXPECT(report_format_parse("", &format) == -1);
}

int
main(void)
{
	test_formats();
	test_text_blocks();
	test_text_at_the_end();
	test_text_folds();
	test_text_hex();
	test_text_colour();
	test_text_connections();
	test_text_summary();
	test_tap();
	test_junit();
	test_json();
	test_any_bytes();
	test_full_disk();
	test_never_ended();
	puts("ok report_test");
	return 0;
}
