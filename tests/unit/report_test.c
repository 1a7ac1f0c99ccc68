/* Reports for programs, and what all formats make of hostile names and bytes, and of a full disk.
 */
#include "format/json.h"
#include "tests/unit/report_fixture.h"

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
	test_tap();
	test_junit();
	test_json();
	test_any_bytes();
	test_full_disk();
	test_never_ended();
	puts("ok report_test");
	return 0;
}
