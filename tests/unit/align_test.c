/* Two streams compared as they come: which differences are told, whatever the pieces, and how far
 * it is known to be. */
#include "format/align_private.h"

#include "tests/unit/test.h"

#define TOLD_MAX 4096

struct told {
	uint64_t offset[2], size[2];
};

struct run {
	struct align *align;
	struct mask_set masks;
	struct told told[TOLD_MAX];
	size_t count;
	size_t masked;
	struct align_masked last_masked;
	char masked_text[2][64];
};

static uint64_t seed = 1;

static size_t
pick(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 16) % below;
}

static void
differ(void *context, const struct align_difference *difference)
{
	struct run *run = context;
	struct told *told = &run->told[run->count++];

	EXPECT(run->count < TOLD_MAX);
	for (int i = 0; i < 2; i++) {
		told->offset[i] = difference->offset[i];
		told->size[i] = difference->size[i];
		EXPECT(difference->shown[i] ==
		       (told->size[i] < ALIGN_SHOW ? told->size[i] : ALIGN_SHOW));
		EXPECT(difference->before_size[i] ==
		       (told->offset[i] < ALIGN_CONTEXT ? told->offset[i] : ALIGN_CONTEXT));
	}
}

static void
masked(void *context, const struct align_masked *match)
{
	struct run *run = context;

	run->masked++;
	run->last_masked = *match;
	for (int i = 0; i < 2; i++)
		snprintf(run->masked_text[i], sizeof(run->masked_text[i]), "%.*s",
		    (int)match->size[i], (const char *)match->bytes[i]);
}

static void
run_begin(struct run *run, const char *const *patterns, bool sizes_only)
{
	struct align_config config = {&run->masks, differ, masked, run, .sizes_only = sizes_only};
	char error[256];

	run->count = run->masked = 0;
	mask_set_init(&run->masks);
	for (; patterns != NULL && *patterns != NULL; patterns++)
		EXPECT(mask_set_add(&run->masks, *patterns, error, sizeof(error)) == 0);
	run->align = align_new(&config);
	EXPECT(run->align != NULL);
}

static void
run_finish(struct run *run)
{
	EXPECT(align_differences(run->align) == run->count);
	align_free(run->align);
	run->align = NULL;
	mask_set_release(&run->masks);
}

/* Compare in pieces: 0: recorded first and all at once; else live bytes in pieces of up to that
 * size, recorded ones as they are wanted. */
static void
run_streams(struct run *run, const char *const *patterns, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size, size_t piece)
{
	const unsigned char *bytes[2] = {recorded, live};
	size_t at[2] = {0, 0};
	bool ended = false;

	run_begin(run, patterns, false);
	if (piece == 0) {
		EXPECT(align_feed(run->align, ALIGN_RECORDED, recorded, recorded_size) == 0);
		EXPECT(align_end(run->align, ALIGN_RECORDED) == 0);
		EXPECT(align_feed(run->align, ALIGN_LIVE, live, live_size) == 0);
		EXPECT(align_end(run->align, ALIGN_LIVE) == 0);
		return;
	}
	for (;;) {
		size_t wanted;
		while (!ended && (wanted = align_wanted(run->align)) > 0) {
			size_t size = wanted < piece ? wanted : piece;
			if (size > recorded_size - at[0])
				size = recorded_size - at[0];
			EXPECT(align_feed(run->align, ALIGN_RECORDED, bytes[0] + at[0], size) == 0);
			at[0] += size;
			if (at[0] == recorded_size) {
				EXPECT(align_end(run->align, ALIGN_RECORDED) == 0);
				ended = true;
			}
		}
		if (at[1] > live_size)
			break;
		if (at[1] == live_size) {
			EXPECT(align_end(run->align, ALIGN_LIVE) == 0);
			at[1]++;
			continue;
		}
		size_t size = 1 + pick(piece);
		if (size > live_size - at[1])
			size = live_size - at[1];
		EXPECT(align_feed(run->align, ALIGN_LIVE, bytes[1] + at[1], size) == 0);
		at[1] += size;
	}
	if (!ended)
		EXPECT(align_end(run->align, ALIGN_RECORDED) == 0);
}

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

/* Random bytes, zeros, both in turns, lines that repeat. */
static unsigned char
sample_byte(int kind, size_t i)
{
	if (kind == 3)
		return (unsigned char)"abcdef\r\n"[i % 8];
	if (kind == 1 || (kind == 2 && i % 100 < 60))
		return 0;
	return (unsigned char)pick(256);
}

/* Flip, insert and delete in every place, where it is easy and where it is not. */
static void
test_every_place(void)
{
	static struct run run;
	enum { SIZE = 200 };
	unsigned char recorded[SIZE], live[SIZE + 5];

	for (int kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < SIZE; i++)
			recorded[i] = sample_byte(kind, i);
		for (size_t at = 0; at < SIZE; at++) {
			for (size_t piece = 0; piece < 40; piece += 13) {
				memcpy(live, recorded, SIZE);
				live[at] ^= 0x01;
				run_streams(&run, NULL, recorded, SIZE, live, SIZE, piece);
				EXPECT(run.count == 1 && run.told[0].offset[0] == at);
				EXPECT(run.told[0].size[0] == 1 && run.told[0].size[1] == 1);
				run_finish(&run);
			}
			memcpy(live, recorded, at);
			memcpy(live + at, "\x80<!>\x81", 5);
			memcpy(live + at + 5, recorded + at, SIZE - at);
			run_streams(&run, NULL, recorded, SIZE, live, SIZE + 5, 50);
			EXPECT(run.count == 1);
			EXPECT(run.told[0].size[0] == 0 && run.told[0].size[1] == 5);
			run_finish(&run);
			run_streams(&run, NULL, live, SIZE + 5, recorded, SIZE, 50);
			EXPECT(run.count == 1);
			EXPECT(run.told[0].size[0] == 5 && run.told[0].size[1] == 0);
			run_finish(&run);
		}
	}
}

/* What is told, put in the place of the recorded bytes, must give the live ones. */
static void
expect_reconstructs(const struct run *run, const unsigned char *recorded, size_t recorded_size,
    const unsigned char *live, size_t live_size)
{
	uint64_t at[2] = {0, 0};

	for (size_t i = 0; i <= run->count; i++) {
		const struct told *told = &run->told[i];
		uint64_t offset[2] = {recorded_size, live_size};
		if (i < run->count) {
			offset[0] = told->offset[0];
			offset[1] = told->offset[1];
			EXPECT(told->size[0] + told->size[1] > 0);
		}
		EXPECT(offset[0] >= at[0] && offset[0] - at[0] == offset[1] - at[1]);
		EXPECT(memcmp(recorded + at[0], live + at[1], offset[0] - at[0]) == 0);
		if (i == run->count)
			break;
		at[0] = offset[0] + told->size[0];
		at[1] = offset[1] + told->size[1];
		EXPECT(at[0] <= recorded_size && at[1] <= live_size);
	}
}

/* Edit a copy of `recorded` at random, edits at least `apart` bytes apart; returns its size. */
static size_t
edit(const unsigned char *recorded, size_t size, unsigned char *live, size_t edits, size_t apart)
{
	size_t from = 0, made = 0;

	for (size_t i = 0; i < edits; i++) {
		size_t step = apart + pick(apart), left = 1 + pick(6), gone = pick(3) ? left : 0;
		size_t added = pick(3) ? left : 0;
		if (from + step + gone >= size)
			break;
		memcpy(live + made, recorded + from, step);
		made += step;
		from += step + gone;
		while (added-- > 0)
			live[made++] = (unsigned char)(pick(26) + 'A');
	}
	memcpy(live + made, recorded + from, size - from);
	return made + size - from;
}

static void
test_random_edits(void)
{
	static struct run run, other;
	static unsigned char recorded[20000], live[40000];

	for (size_t round = 0; round < 600; round++) {
		size_t size = 1 + pick(round % 10 == 0 ? sizeof(recorded) : 1000), live_size;
		size_t edits = pick(10), apart = round % 2 == 0 ? 40 : 3;
		for (size_t i = 0; i < size; i++)
			recorded[i] = (unsigned char)(round % 3 == 0 ? pick(256) : 'a' + pick(20));
		live_size = edit(recorded, size, live, edits, apart);
		run_streams(&run, NULL, recorded, size, live, live_size, 0);
		expect_reconstructs(&run, recorded, size, live, live_size);
		EXPECT(apart < 40 || run.count <= edits);
		for (size_t i = 0; i < run.count && apart == 40; i++)
			EXPECT(run.told[i].size[0] <= 6 && run.told[i].size[1] <= 6);
		run_streams(&other, NULL, recorded, size, live, live_size, 1 + pick(200));
		EXPECT(other.count == run.count);
		EXPECT(memcmp(other.told, run.told, run.count * sizeof(run.told[0])) == 0);
		run_finish(&run);
		run_finish(&other);
	}
}

/* Text with values in it that differ; `flip` is the place of one byte that differs besides, -1:
 * none. */
static size_t
masked_text(unsigned char *text, size_t words, uint64_t values, long flip)
{
	static const char *const word[] = {"alpha ", "beta\r\n", "gamma;", "  "};
	uint64_t layout = 99, kept = seed;
	size_t size = 0, value;

	for (size_t i = 0; i < words; i++) {
		/* the words are the same each time, the values are not */
		seed = layout + i;
		size_t kind = (pick(1000), pick(6));
		seed = values + i;
		value = (pick(1000), pick(100000));
		if (kind == 4)
			size += (size_t)sprintf((char *)text + size, "id=%zu", value);
		else if (kind == 5)
			size += (size_t)sprintf((char *)text + size, "<%.*s>", (int)(value % 30),
			    "a value, shorter\tor longer....");
		else
			size += (size_t)sprintf((char *)text + size, "%s", word[kind % 4]);
		if ((long)i == flip)
			text[size++] = '#';
	}
	seed = kept;
	return size;
}

static void
test_random_masked(void)
{
	static const char *const patterns[] = {"id=[0-9]+", "<[^>]*>", "none(.|\\n)*here", NULL};
	static unsigned char recorded[60000], live[60000];
	static struct run run;
	size_t met = 0;

	for (size_t round = 1; round < 60; round++) {
		size_t words = 1 + pick(round % 5 == 0 ? 2000 : 100);
		size_t piece = pick(3) == 0 ? 0 : 1 + pick(300);
		size_t sizes[2] = {masked_text(recorded, words, 7, -1),
		    masked_text(live, words, 1000 * round, -1)};
		run_streams(&run, patterns, recorded, sizes[0], live, sizes[1], piece);
		EXPECT(run.count == 0);
		met += run.masked;
		run_finish(&run);
		/* a byte more, somewhere */
		sizes[1] = masked_text(live, words, 1000 * round, (long)pick(words));
		run_streams(&run, patterns, recorded, sizes[0], live, sizes[1], piece);
		EXPECT(run.count == 1 && run.told[0].size[0] == 0 && run.told[0].size[1] == 1);
		EXPECT(live[run.told[0].offset[1]] == '#');
		run_finish(&run);
	}
	EXPECT(met > 1000);
}

/* Streams with nothing in common, far larger than the window. */
static void
test_nothing_in_common(void)
{
	static struct run run;
	enum { SIZE = 700000 };
	unsigned char *recorded = malloc(SIZE + 100), *live = malloc(SIZE + 100);

	EXPECT(recorded != NULL && live != NULL);
	for (size_t i = 0; i < SIZE; i++) {
		recorded[i] = (unsigned char)pick(128);
		live[i] = (unsigned char)(128 + pick(128));
	}
	memset(recorded + SIZE, 'x', 100);
	memset(live + SIZE, 'x', 100);
	for (size_t piece = 0; piece <= 30000; piece += 15000) {
		run_streams(&run, NULL, recorded, SIZE, live, SIZE, piece);
		EXPECT(run.count == 1 && run.told[0].offset[0] == 0);
		EXPECT(run.told[0].size[0] == SIZE && run.told[0].size[1] == SIZE);
		run_finish(&run);
		run_streams(&run, NULL, recorded, SIZE, live, 100000, piece);
		EXPECT(run.count == 1 && run.told[0].size[0] == SIZE);
		EXPECT(run.told[0].size[1] == 100000);
		run_finish(&run);
		run_streams(&run, NULL, recorded, SIZE + 100, live, SIZE + 100, piece);
		EXPECT(run.count == 1 && run.told[0].size[0] == SIZE);
		run_finish(&run);
		run_streams(&run, NULL, recorded, 0, live, SIZE, piece);
		EXPECT(run.count == 1 && run.told[0].size[1] == SIZE);
		run_finish(&run);
	}
	free(recorded);
	free(live);
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
	test_every_place();
	test_random_edits();
	test_random_masked();
	test_nothing_in_common();
	test_reached();
	test_reached_masked();
	test_memory();
	test_sizes_only();
	test_open_end();
	return 0;
}
