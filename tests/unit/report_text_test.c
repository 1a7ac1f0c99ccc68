/* Reports as text, for people. */
#include "tests/unit/report_fixture.h"

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

int
main(void)
{
	test_text_blocks();
	test_text_at_the_end();
	test_text_folds();
	test_text_hex();
	test_text_colour();
	test_text_connections();
	test_text_summary();
	puts("ok report_text_test");
	return 0;
}
