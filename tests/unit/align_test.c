/* Two streams compared as they come: which differences are told, whatever the pieces, and how far
 * it is known to be. */
#include "tests/unit/align_fixture.h"

/* "3:1/1 20:0/5": offset in the recorded stream, sizes. */
static void
expect_told(const char *const *patterns, const char *recorded, size_t recorded_size,
    const char *live, size_t live_size, const char *expected)
{
	static const size_t pieces[] = {0, 1, 2, 7, 100, 100000};
	static struct run run;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		char text[1024] = "";
		run_streams(&run, patterns, recorded, recorded_size, live, live_size, pieces[i]);
		for (size_t k = 0; k < run.count; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			    "%s%llu:%llu/%llu", k > 0 ? " " : "",
			    (unsigned long long)run.told[k].offset[0],
			    (unsigned long long)run.told[k].size[0],
			    (unsigned long long)run.told[k].size[1]);
		if (strcmp(text, expected) != 0)
			fprintf(stderr,
			    "\"%.100s\" \"%.100s\" in pieces of %zu: is %s, should be %s\n",
			    recorded, live, pieces[i], text, expected);
		EXPECT(strcmp(text, expected) == 0);
		run_finish(&run);
	}
}
#define TOLD(patterns, recorded, live, expected)                                                   \
	expect_told(patterns, recorded, sizeof(recorded) - 1, live, sizeof(live) - 1, expected)

static void
test_small(void)
{
	TOLD(NULL, "", "", "");
	TOLD(NULL, "abc", "abc", "");
	TOLD(NULL, "abc", "abd", "2:1/1");
	TOLD(NULL, "abc", "xbc", "0:1/1");
	TOLD(NULL, "abc", "axc", "1:1/1");
	TOLD(NULL, "abc", "", "0:3/0");
	TOLD(NULL, "", "abc", "0:0/3");
	TOLD(NULL, "abc", "abcde", "3:0/2");
	TOLD(NULL, "abcde", "abc", "3:2/0");
	TOLD(NULL, "+OK\r\n", "-ERR no\r\n", "0:3/7");
	TOLD(NULL, "the quick brown fox jumps over the lazy dog",
	    "the quick brown cat jumps over the lazy dog", "16:3/3");
	TOLD(NULL, "the quick brown fox jumps over the lazy dog",
	    "the quick fox jumps over the lazy dog", "10:6/0");
	/* two bytes with enough equal ones between them are two differences */
	TOLD(NULL, "0123456789abcdefghijklmnopqrstuvwxyz", "01234x67890bcdefghijklmnopqrstuvwxyz",
	    "5:1/1 10:1/1");
}

static void
test_masks(void)
{
	static const char *const digits[] = {"[0-9]+", NULL};
	static const char *const date[] = {"Date: .*\\r\\n", "id=[a-z0-9]+;", NULL};
	static const char *const greedy[] = {"id=.*;", NULL};
	static const char *const binary[] = {"K\\x00\\x00\\x00\\x0c(.|\\n){8}", NULL};
	static const char *const whole[] = {"^a+$", NULL};

	TOLD(digits, "a 12 b", "a 345 b", "");
	TOLD(digits, "a 12 b", "a 129 b", "");
	TOLD(digits, "a 129 b", "a 12 b", "");
	TOLD(digits, "a 12", "a 345", "");
	TOLD(digits, "12", "345", "");
	TOLD(digits, "a 12 b", "a x b", "2:2/1");
	TOLD(digits, "a b c", "a 7 c", "2:1/1");
	TOLD(digits, "1 2 3 4 5 6 7", "11 22 33 44 55 66 7", "");
	TOLD(digits, "1 2 3 4 5 6 7 end", "11 22 3x 44 55 66 7 end", "5:0/1");
	TOLD(date, "HTTP/1.1 200 OK\r\nDate: Mon, 1\r\nid=abc;\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nDate: Tuesday\r\nid=x;\r\n\r\nhello", "");
	TOLD(date, "HTTP/1.1 200 OK\r\nDate: Mon, 1\r\nid=abc;\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nDate: Tuesday\r\nid=x;\r\n\r\njello", "42:1/1");
	/* a match right behind a difference does not become part of it */
	TOLD(date, "HTTP/1.1 200 OK\r\nDate: Mon, 1\r\n", "HTTP/1.1 404 OK\r\nDate: Tue, 12\r\n",
	    "9:3/3");
	TOLD(greedy, "id=77; path=/; \r\nrest", "id=5; path=/; \r\nrest", "");
	TOLD(greedy, "id=77; path=/\r\nrest", "id=5; path=/; \r\nrest", "7:6/0");
	TOLD(binary,
	    "K\0\0\0\x0c"
	    "12345678Z\0\0\0\5I",
	    "K\0\0\0\x0c"
	    "\n\n345678Z\0\0\0\5I",
	    "");
	TOLD(binary,
	    "K\0\0\0\x0c"
	    "12345678Z\0\0\0\5I",
	    "K\0\0\0\x0d"
	    "12345678Z\0\0\0\5I",
	    "4:1/1");
	TOLD(whole, "aaa", "aaaaa", "");
	TOLD(whole, "aaa", "aaab", "3:0/1");
}
static void
feed(struct run *run, enum align_stream stream, const char *text)
{
	EXPECT(align_feed(run->align, stream, text, strlen(text)) == 0);
}
static void
test_reached(void)
{
	static struct run run;
	struct align *align;

	run_begin(&run, NULL, false);
	align = run.align;
	EXPECT(align_reached(align, 5) == 0);
	feed(&run, ALIGN_LIVE, "+O");
	EXPECT(align_wanted(align) == 2);
	feed(&run, ALIGN_RECORDED, "+OK\r\n+OK\r\nVALUE 12 and so on\r\nEND\r\n");
	EXPECT(align_wanted(align) == 0);
	EXPECT(align_reached(align, 5) == 2);
	feed(&run, ALIGN_LIVE, "K\r\n");
	EXPECT(align_reached(align, 5) == 5);
	EXPECT(align_reached(align, 10) == 5);
	/* another answer, which ends as the recorded one does */
	feed(&run, ALIGN_LIVE, "+NO");
	EXPECT(align_reached(align, 10) < 10);
	feed(&run, ALIGN_LIVE, "\r\n");
	EXPECT(align_reached(align, 10) >= 10);
	/* what has come before does not count for the next one, alike as it is */
	EXPECT(align_reached(align, 35) < 35);
	feed(&run, ALIGN_LIVE, "VALUE 13 and so on\r\nEND");
	EXPECT(align_reached(align, 35) < 35);
	feed(&run, ALIGN_LIVE, "\r\n");
	EXPECT(align_reached(align, 35) == 35);
	EXPECT(align_end(align, ALIGN_LIVE) == 0);
	EXPECT(align_end(align, ALIGN_RECORDED) == 0);
	EXPECT(run.count == 2);
	EXPECT(run.told[0].offset[0] == 6 && run.told[0].size[0] == 2);
	EXPECT(run.told[1].offset[0] == 17 && run.told[1].size[0] == 1);
	EXPECT(align_compared(align, ALIGN_RECORDED) == 35);
	run_finish(&run);
}

/* A mask's match may be the last thing in an answer, where nothing tells that it has ended. */
static void
test_reached_masked(void)
{
	static const char *const patterns[] = {"id=[0-9]+", NULL};
	static struct run run;

	run_begin(&run, patterns, false);
	feed(&run, ALIGN_RECORDED, "id=1234ok id=55");
	feed(&run, ALIGN_LIVE, "id=");
	EXPECT(align_reached(run.align, 7) == 3);
	feed(&run, ALIGN_LIVE, "98");
	EXPECT(align_reached(run.align, 7) < 7);
	EXPECT(run.masked == 0);
	align_settle(run.align);
	EXPECT(run.masked == 1 && strcmp(run.masked_text[1], "id=98") == 0);
	feed(&run, ALIGN_LIVE, "76");
	EXPECT(align_reached(run.align, 7) == 7);
	EXPECT(run.masked == 2 && strcmp(run.masked_text[1], "id=9876") == 0);
	EXPECT(align_reached(run.align, 7) == 7 && run.masked == 2);
	feed(&run, ALIGN_LIVE, "ok id=55");
	EXPECT(align_reached(run.align, 15) == 15);
	EXPECT(run.masked == 2 && strcmp(run.masked_text[0], "id=1234") == 0);
	EXPECT(run.count == 0);
	run_finish(&run);

	/* shorter, and alike so far as it goes */
	run_begin(&run, patterns, false);
	feed(&run, ALIGN_RECORDED, "id=1234");
	feed(&run, ALIGN_LIVE, "id=12");
	EXPECT(align_reached(run.align, 7) == 5);
	align_settle(run.align);
	EXPECT(run.masked == 1 && strcmp(run.masked_text[1], "id=12") == 0);
	EXPECT(align_end(run.align, ALIGN_RECORDED) == 0);
	EXPECT(align_end(run.align, ALIGN_LIVE) == 0);
	EXPECT(run.count == 0 && run.masked == 1);
	run_finish(&run);
}

/* Thousands are under way at once: where both are alike, next to nothing is held. */
static void
test_memory(void)
{
	static const char *const patterns[] = {"id=[0-9]+", "<(.|\\n)*>", NULL};
	static unsigned char bytes[50000];
	static struct run run;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)('a' + pick(20));
	for (int masks = 0; masks < 2; masks++) {
		run_begin(&run, masks ? patterns : NULL, false);
		for (size_t i = 0; i < 200; i++) {
			size_t size = 1 + pick(sizeof(bytes));
			EXPECT(align_feed(run.align, ALIGN_RECORDED, bytes, size) == 0);
			EXPECT(align_feed(run.align, ALIGN_LIVE, bytes, size) == 0);
		}
		for (int i = 0; i < 2; i++)
			EXPECT(run.align->streams[i].capacity <= (masks ? 8192 : 512));
		run_finish(&run);
	}
}

static void
test_sizes_only(void)
{
	static struct run run;

	run_begin(&run, NULL, true);
	feed(&run, ALIGN_RECORDED, "abcdef");
	feed(&run, ALIGN_LIVE, "xyz");
	EXPECT(align_reached(run.align, 6) == 3);
	feed(&run, ALIGN_LIVE, "uvwX");
	EXPECT(align_reached(run.align, 6) == 6);
	EXPECT(align_end(run.align, ALIGN_RECORDED) == 0);
	EXPECT(align_end(run.align, ALIGN_LIVE) == 0);
	EXPECT(run.count == 1 && run.told[0].offset[0] == 6);
	EXPECT(run.told[0].size[0] == 0 && run.told[0].size[1] == 1);
	run_finish(&run);
}

/* A recording that was cut: what the peer goes on with is no difference, and not kept. */
static void
test_open_end(void)
{
	static const char flood[65536];
	struct run run;

	for (int different = 0; different < 2; different++) {
		run_begin(&run, NULL, false);
		align_open_end(run.align);
		EXPECT(align_feed(run.align, ALIGN_RECORDED, "so far", 6) == 0);
		EXPECT(align_end(run.align, ALIGN_RECORDED) == 0);
		EXPECT(align_feed(run.align, ALIGN_LIVE, different ? "so fat" : "so far", 6) == 0);
		for (int i = 0; i < 100; i++)
			EXPECT(align_feed(run.align, ALIGN_LIVE, flood, sizeof(flood)) == 0);
		EXPECT(run.align->streams[ALIGN_LIVE].capacity <= 4 * sizeof(flood));
		EXPECT(align_end(run.align, ALIGN_LIVE) == 0);
		EXPECT(run.count == (size_t)different);
		EXPECT(!different || run.told[0].offset[0] == 5);
		EXPECT(align_compared(run.align, ALIGN_RECORDED) == 6);
		run_finish(&run);
	}
}
int
main(void)
{
	test_small();
	test_masks();
	test_reached();
	test_reached_masked();
	test_memory();
	test_sizes_only();
	test_open_end();
	return 0;
}
