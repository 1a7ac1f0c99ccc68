/* --learn: patterns made from differences. Each session is compared with several replays of it, as
 * netreplay does; then every recorded byte is changed in turn. */
#include "netreplay/learn.h"

#include <unistd.h>

#include "tests/unit/test.h"

/* A string constant and its size, NULs included. */
#define BYTES(text) text, sizeof(text) - 1

struct comparison {
	struct learn *learn; /* or NULL */
	uint64_t differences;
	uint64_t first; /* where in the recording the first one is */
};

static void
differ(void *context, const struct align_difference *difference)
{
	struct comparison *comparison = context;

	if (comparison->differences++ == 0)
		comparison->first = difference->offset[ALIGN_RECORDED];
	if (comparison->learn != NULL)
		EXPECT(learn_difference(comparison->learn, "a log", difference) == 0);
}

static struct comparison
compare(struct learn *learn, const struct mask_set *masks, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size)
{
	struct comparison comparison = {.learn = learn};
	const struct align_config config = {
	    .masks = masks, .differ = differ, .context = &comparison};
	struct align *align = align_new(&config);

	EXPECT(align != NULL);
	EXPECT(align_feed(align, ALIGN_RECORDED, recorded, recorded_size) == 0);
	EXPECT(align_end(align, ALIGN_RECORDED) == 0);
	EXPECT(align_feed(align, ALIGN_LIVE, live, live_size) == 0);
	EXPECT(align_end(align, ALIGN_LIVE) == 0);
	align_free(align);
	return comparison;
}

/* A recording that is replayed. */
struct lesson {
	struct learn *learn;
	struct mask_set masks;
	const char *recorded;
	size_t size;
};

static struct lesson
lesson(const char *recorded, size_t size)
{
	struct lesson lesson = {.learn = learn_new(), .recorded = recorded, .size = size};

	EXPECT(lesson.learn != NULL);
	mask_set_init(&lesson.masks);
	return lesson;
}

static void
lesson_end(struct lesson *lesson)
{
	learn_free(lesson->learn);
	mask_set_release(&lesson->masks);
}

/* Learn from a replay; returns what learn_apply() does. */
static int
lesson_take(struct lesson *lesson, const char *live, size_t size)
{
	char error[400] = "";
	int applied;

	compare(lesson->learn, &lesson->masks, lesson->recorded, lesson->size, live, size);
	applied = learn_apply(lesson->learn, &lesson->masks, error, sizeof(error));
	EXPECT((applied == -1) == (error[0] != '\0'));
	return applied;
}

static void
expect_equal(const struct lesson *lesson, const char *live, size_t size)
{
	struct comparison comparison =
	    compare(NULL, &lesson->masks, lesson->recorded, lesson->size, live, size);

	if (comparison.differences != 0)
		fprintf(stderr, "differs at %d\n", (int)comparison.first);
	EXPECT(comparison.differences == 0);
}

/* Expect the learned patterns to be these, each followed by a newline. */
static void
expect_patterns(const struct lesson *lesson, const char *expected)
{
	char all[2000] = "";

	for (size_t i = 0; i < lesson->masks.count; i++) {
		strcat(all, pattern_text(lesson->masks.masks[i].pattern));
		strcat(all, "\n");
	}
	if (strcmp(all, expected) != 0)
		fprintf(stderr, "learned:\n%sinstead of:\n%s", all, expected);
	EXPECT(strcmp(all, expected) == 0);
}

/*
 * Change every byte of the recording in turn, in each of its bits: where `volatile_bytes` has a
 * blank the comparison fails there and nowhere before, elsewhere it may do as it likes.
 */
static void
expect_narrow(
    const struct lesson *lesson, const char *volatile_bytes, const char *live, size_t size)
{
	unsigned char *changed = malloc(lesson->size);

	EXPECT(changed != NULL && strlen(volatile_bytes) == lesson->size);
	for (size_t at = 0; at < lesson->size; at++)
		for (unsigned bit = 1; bit < 256 && volatile_bytes[at] == ' '; bit <<= 1) {
			struct comparison comparison;
			memcpy(changed, lesson->recorded, lesson->size);
			changed[at] ^= (unsigned char)bit;
			comparison =
			    compare(NULL, &lesson->masks, changed, lesson->size, live, size);
			if (comparison.differences == 0 || comparison.first != at)
				fprintf(stderr, "byte %zu, bit %02x: %d differences, first at %d\n",
				    at, bit, (int)comparison.differences, (int)comparison.first);
			EXPECT(comparison.differences > 0 && comparison.first == at);
		}
	free(changed);
}

#define ANSWER(date, body)                                                                         \
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: " date " GMT\r\n"                        \
	"Content-Type: text/plain\r\nContent-Length: 6\r\n"                                        \
	"Last-Modified: Sat, 21 Nov 2026 01:00:00 GMT\r\nConnection: keep-alive\r\n"               \
	"ETag: \"6920b1d0-6\"\r\nAccept-Ranges: bytes\r\n\r\n" body

/* Marks the bytes of the date in all answers. */
static char *
dates_marked(const char *text)
{
	char *marks = strdup(text);

	EXPECT(marks != NULL);
	memset(marks, ' ', strlen(text));
	for (const char *at = text; (at = strstr(at, "\nDate: ")) != NULL; at += 7)
		memset(marks + (at + 7 - text), 'x', strlen("Sat, 21 Nov 2026 01:55:10"));
	return marks;
}

static void
test_http_dates(void)
{
	static const char recorded[] = ANSWER("Sat, 21 Nov 2026 01:55:10", "hello\n")
	    ANSWER("Sat, 21 Nov 2026 01:55:11", "world\n");
	static const char near[] = ANSWER("Sat, 21 Nov 2026 01:55:12", "hello\n")
	    ANSWER("Sat, 21 Nov 2026 01:55:12", "world\n");
	static const char later[] = ANSWER("Sun, 22 Nov 2026 00:00:00", "hello\n")
	    ANSWER("Sun, 22 Nov 2026 00:00:01", "world\n");
	static const char far[] = ANSWER("Mon, 07 Dec 2037 23:59:59", "hello\n")
	    ANSWER("Tue, 08 Dec 2037 00:00:00", "world\n");
	struct lesson http = lesson(BYTES(recorded));
	char *marks = dates_marked(recorded);

	EXPECT(lesson_take(&http, BYTES(near)) == 1);
	expect_patterns(&http, "\\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
			       "[0-9]{2}:[0-9]{2}:[0-9]{2}\n");
	EXPECT(lesson_take(&http, BYTES(later)) == 0);
	expect_equal(&http, BYTES(recorded));
	expect_equal(&http, BYTES(later));
	expect_equal(&http, BYTES(far));
	expect_narrow(&http, marks, BYTES(near));
	expect_narrow(&http, marks, BYTES(far));
	expect_narrow(&http, marks, BYTES(recorded)); /* a server that stands still */
	free(marks);
	lesson_end(&http);

	http = lesson(BYTES(recorded)); /* the same from dates that have little in common */
	EXPECT(lesson_take(&http, BYTES(far)) == 1);
	expect_patterns(&http, "\\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
			       "[0-9]{2}:[0-9]{2}:[0-9]{2}\n");
	lesson_end(&http);
}

#define STARTED(key)                                                                               \
	"R\0\0\0\x08\0\0\0\0S\0\0\0\x15"                                                           \
	"is_superuser\0on\0S\0\0\0\x19"                                                            \
	"server_encoding\0UTF8\0"                                                                  \
	"K\0\0\0\x0c" key "Z\0\0\0\x05I"                                                           \
	"T\0\0\0\x21\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"              \
	"D\0\0\0\x0b\0\x01\0\0\0\x01"                                                              \
	"1C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"

static void
test_postgres_key(void)
{
	static const char recorded[] = STARTED("\0\0\x1f\x3a\x8c\x01\x33\xfe");
	static const char live[] = STARTED("\0\0\x1f\x58\x8c\x77\x00\n");
	static const char far[] = STARTED("\0\x12\n\xff\xff\xff\x33\x41");
	struct lesson postgres = lesson(BYTES(recorded));
	char marks[sizeof(recorded)];

	memset(marks, ' ', sizeof(marks) - 1);
	marks[sizeof(marks) - 1] = '\0';
	for (size_t at = 0; at + 13 < sizeof(recorded); at++)
		if (memcmp(recorded + at, "K\0\0\0\x0c", 5) == 0)
			memset(marks + at + 5, 'x', 8);
	EXPECT(lesson_take(&postgres, BYTES(live)) == 1);
	expect_patterns(&postgres, "K\\x00\\x00\\x00\\x0c(.|\\n){8}\n");
	expect_equal(&postgres, BYTES(far));
	expect_narrow(&postgres, marks, BYTES(live));
	expect_narrow(&postgres, marks, BYTES(far));
	lesson_end(&postgres);
}

/* A binary field that nobody knows, of which some bytes were the same the first time. */
#define GREETING(id, salt)                                                                         \
	"\x4a\0\0\0\n5.5.5-10.11.6\0" id salt                                                      \
	"\0\xff\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x0f\0\0\0 tail"

static void
test_binary(void)
{
	static const char recorded[] = GREETING("\x1f\0\0\0", "a\x01"
							      "cd\x02"
							      "fgh");
	static const char first[] = GREETING("\x20\0\0\0", "a\x01"
							   "ce\x03"
							   "fgi");
	static const char second[] = GREETING("\x05\x01\0\0", "zzzzzzzz");
	static const char third[] = GREETING("\xff\xff\xff\xff", "\n\n\n\n\n\n\n\n");
	char marks[sizeof(recorded)];
	struct lesson binary = lesson(BYTES(recorded));

	memset(marks, ' ', sizeof(marks));
	memset(marks + sizeof("J\0\0\0\n5.5.5-10.11.6"), 'x', 12);
	marks[sizeof(marks) - 1] = '\0';
	EXPECT(lesson_take(&binary, BYTES(first)) == 1);
	expect_equal(&binary, BYTES(first));
	EXPECT(lesson_take(&binary, BYTES(second)) == 0);
	expect_equal(&binary, BYTES(first));
	expect_equal(&binary, BYTES(second));
	expect_equal(&binary, BYTES(third));
	expect_patterns(&binary, "10\\.11\\.6\\x00(.|\\n){12}\n");
	expect_narrow(&binary, marks, BYTES(second));
	lesson_end(&binary);
}

/* A number of four bytes of which the last one has changed. */
static void
test_number(void)
{
	static const char recorded[] = "T\0\0\0\x21\0\3id\0\0\0\x40\x07\0\1\0\0\0\x17";
	static const char live[] = "T\0\0\0\x21\0\3id\0\0\0\x40\x0c\0\1\0\0\0\x17";
	static const char far[] = "T\0\0\0\x21\0\3id\0\0\1\x41\x90\0\1\0\0\0\x17";
	struct lesson number = lesson(BYTES(recorded));

	EXPECT(lesson_take(&number, BYTES(live)) == 1);
	expect_patterns(&number, "\\x00\\x00!\\x00\\x03id\\x00(.|\\n){4}\n");
	expect_equal(&number, BYTES(far));
	lesson_end(&number);
}

/* A row of a PostgreSQL answer with a time, whose last zeros are left out: its lengths vary too. */
#define ROW(size, length, time)                                                                    \
	"bigint\0\0D\0\0\0" size "\0\2\0\0\0\1"                                                    \
	"7\0\0\0" length time "C\0\0\0"

static void
test_row(void)
{
	static const char recorded[] = ROW("\x2c", "\x1d", "2026-11-21 04:57:20.279267+00");
	static const char same[] = ROW("\x2c", "\x1d", "2026-11-22 05:00:00.111111+00");
	static const char shorter[] = ROW("\x2b", "\x1c", "2026-11-21 05:01:10.30094+00");
	static const char shortest[] = ROW("\x29", "\x1a", "2027-01-01 00:00:10.312+00");
	struct lesson row = lesson(BYTES(recorded));

	EXPECT(lesson_take(&row, BYTES(same)) >= 1);
	EXPECT(lesson_take(&row, BYTES(shorter)) >= 1);
	EXPECT(lesson_take(&row, BYTES(shortest)) >= 0);
	expect_equal(&row, BYTES(same));
	expect_equal(&row, BYTES(shorter));
	expect_equal(&row, BYTES(shortest));
	lesson_end(&row);
}

/* Learn `live`, then `other`, and expect these patterns; both are equal then. */
static void
expect_learned(const char *recorded, const char *live, const char *other, const char *patterns)
{
	struct lesson text = lesson(recorded, strlen(recorded));

	EXPECT(lesson_take(&text, live, strlen(live)) >= 0);
	EXPECT(lesson_take(&text, other, strlen(other)) >= 0);
	expect_patterns(&text, patterns);
	expect_equal(&text, live, strlen(live));
	expect_equal(&text, other, strlen(other));
	lesson_end(&text);
}

static void
test_numbers(void)
{
	expect_learned("+OK\r\nid=12345;x\r\n", "+OK\r\nid=12399;x\r\n", "+OK\r\nid=20000;x\r\n",
	    "\\nid=[0-9]{5}\n");
	expect_learned("+OK\r\nid=12345;x\r\n", "+OK\r\nid=12;x\r\n", "+OK\r\nid=123456;x\r\n",
	    "\\nid=[0-9]{2,6}\n");
	expect_learned("took 12ms\r\n", "took 13ms\r\n", "took 7ms\r\n", "^took [0-9]{1,2}\n");
	expect_learned(
	    "at port8080 now", "at port8081 now", "at port9090 now", "^at port[0-9]{4}\n");
	expect_learned("{\"a\":1,\"pid\":77,\"b\":2}", "{\"a\":1,\"pid\":78,\"b\":2}",
	    "{\"a\":1,\"pid\":100,\"b\":2}", "\"pid\":[0-9]{2,3}\n");
}

static void
test_tokens(void)
{
	/* its beginning was the same the first time */
	expect_learned(
	    "sid=abcd1234; x", "sid=abcd9999; x", "sid=0f3e77a1; x", "^sid=[0-9a-f]{8}\n");
	expect_learned("Set-Cookie: sid=3f2a99c1e07bd455; Path=/",
	    "Set-Cookie: sid=a77e3d10c95b0f26; Path=/", "Set-Cookie: sid=0000000000000000; Path=/",
	    "^Set-Cookie: sid=[0-9a-f]{16}\n");
	expect_learned("token: q8Zk/1+xY2aQ==\r\n", "token: 77Zk/Pq+xX2bc==\r\n",
	    "token: aaaabbbb/ccddA==\r\n", "^token: [0-9A-Za-z+/=]{14,16}\n");
	expect_learned("id 6f1c2e9a-7c4d-4b1e-9a55-0c1d2e3f4a5b.",
	    "id 6f1c2e9a-7c4d-4b1e-9a55-0c1d2e3f4a5c.", "id 00000000-aaaa-4bbb-8ccc-dddddddddddd.",
	    "^id [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n");
}

static void
test_times(void)
{
	expect_learned("ts=2026-11-21T01:55:10.123Z", "ts=2026-11-21T01:55:10.124Z",
	    "ts=2027-01-01T00:00:00.000Z",
	    "^ts=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}\n");
	expect_learned("ts=2026-11-21 01:55:10+00", "ts=2026-11-21 01:55:11+00",
	    "ts=2027-01-01 00:00:00+00",
	    "^ts=[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\n");
	/* the last zero of a fraction is left out */
	expect_learned("ts=01:55:10.123457Z", "ts=01:55:10.12346Z", "ts=00:00:00.5Z",
	    "^ts=[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{1,6}\n");
}

/* Two fields near each other: each has its own pattern where something names it. */
static void
test_fields(void)
{
	expect_learned("id=12 name=foo.", "id=34 name=bar.", "id=56 name=qux.",
	    "^id=[0-9]{2}\n name=[a-z]{3}\n");
	expect_learned(
	    "at 10,17,32 o", "at 11,17,59 o", "at 23,00,00 o", "^at [0-9]{2},[0-9]{2},[0-9]{2}\n");
}

/* A token that is longer than what is told of it. */
static void
test_long_token(void)
{
	char recorded[2000], live[2000], other[2000];
	struct lesson text;

	strcpy(recorded, "{\"jwt\":\"");
	strcpy(live, "{\"jwt\":\"");
	strcpy(other, "{\"jwt\":\"");
	for (int i = 0; i < 800; i++)
		strcat(recorded, (const char[]){"0aB-_x"[i * 7 % 6], '\0'});
	for (int i = 0; i < 820; i++)
		strcat(live, (const char[]){"Zy9_q-"[i * 5 % 6], '\0'});
	for (int i = 0; i < 790; i++)
		strcat(other, (const char[]){"Qr-_t7"[i * 11 % 6], '\0'});
	strcat(recorded, "\"}");
	strcat(live, "\"}");
	strcat(other, "\"}");
	text = lesson(recorded, strlen(recorded));
	EXPECT(lesson_take(&text, live, strlen(live)) == 1);
	EXPECT(lesson_take(&text, other, strlen(other)) == 1);
	expect_equal(&text, live, strlen(live));
	expect_equal(&text, other, strlen(other));
	expect_patterns(&text, "^\\{\"jwt\":\"[0-9A-Za-z_-]{790,820}\n");
	lesson_end(&text);
}

/* Expect it not to be learned from, where it begins to differ. */
static void
expect_refused(const char *recorded, size_t size, const char *live, size_t live_size)
{
	struct lesson text = lesson(recorded, size);

	EXPECT(lesson_take(&text, live, live_size) == -1);
	expect_patterns(&text, "");
	EXPECT(lesson_take(&text, recorded, size) == 0); /* said once */
	lesson_end(&text);
}

/* What no value explains is told, not masked. */
static void
test_refused(void)
{
	expect_refused(BYTES("HTTP/1.1 200 OK\r\nX: 1\r\n"), BYTES("HTTP/1.1 404 OK\r\nX: 1\r\n"));
	expect_refused(BYTES("one\r\ntwo\r\n"), BYTES("one\r\n"));
	expect_refused(BYTES("one\r\n"), BYTES("one\r\ntwo\r\n"));
	expect_refused(BYTES("one\r\nthree\r\n"), BYTES("one\r\nX-Cache: hit\r\nthree\r\n"));
	expect_refused(BYTES("answer\r\n"), BYTES(""));
	expect_refused(BYTES("0123456789\1"), BYTES("0123456789\1\2\3\4\5"));
	/* which of the zeros? */
	expect_refused(BYTES("ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2\3\4"),
	    BYTES("ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\6\7\x08"));
}

/* A good difference is learned also if another is none, which is told when nothing else is left. */
static void
test_partly_refused(void)
{
	static const char live[] = "id=9999 and a long text between both\r\nmore\r\n";
	struct lesson text = lesson(BYTES("id=1234 and a long text between both\r\n"));

	EXPECT(lesson_take(&text, BYTES(live)) == 1);
	expect_patterns(&text, "^id=[0-9]{4}\n");
	EXPECT(lesson_take(&text, BYTES(live)) == -1);
	lesson_end(&text);
}

/* A number that is longer this time puts out of step what follows; its pattern is the only one that
 * changes. */
static void
test_out_of_step(void)
{
	static const char recorded[] = "client 1: id=9e3779b1;\nclient 1: id=9e3779b1;\n";
	static const char first[] = "client 5: id=17156075;\nclient 5: id=17156075;\n";
	static const char longer[] = "client 10: id=2e2ac0ea;\nclient 10: id=2e2ac0ea;\n";
	struct lesson text = lesson(BYTES(recorded));

	EXPECT(lesson_take(&text, BYTES(first)) >= 1);
	EXPECT(lesson_take(&text, BYTES(longer)) >= 1);
	EXPECT(lesson_take(&text, BYTES(longer)) == 0);
	expect_equal(&text, BYTES(longer));
	lesson_end(&text);
}

static void
test_file(void)
{
	char path[] = "/tmp/netreplay_learn_test.XXXXXX", line[400], error[200] = "";
	struct lesson text = lesson(BYTES("\n# x=1\t2026-11-21 01:55:10\x01 y"));
	struct mask_set masks;
	int fd = mkstemp(path), commented = 0;
	FILE *stream = fdopen(fd, "w+");

	EXPECT(stream != NULL);
	EXPECT(lesson_take(&text, BYTES("\n# x=1\t2026-11-21 01:55:12\x01 y")) == 1);
	EXPECT(learn_write(text.learn, stream) == 0);
	EXPECT(fflush(stream) == 0);
	mask_set_init(&masks);
	EXPECT(mask_set_load(&masks, path, error, sizeof(error)) == 0);
	EXPECT(masks.count == text.masks.count);
	for (size_t i = 0; i < masks.count; i++)
		EXPECT(strcmp(pattern_text(masks.masks[i].pattern),
			   pattern_text(text.masks.masks[i].pattern)) == 0);
	rewind(stream);
	while (fgets(line, sizeof(line), stream) != NULL)
		commented += strcmp(line, "# 1 place, first in a log at offset 7: "
					  "\"2026-11-21 01:55:10\" became "
					  "\"2026-11-21 01:55:12\"\n") == 0;
	EXPECT(commented == 1);
	fclose(stream);
	unlink(path);
	mask_set_release(&masks);
	lesson_end(&text);
	learn_free(NULL);
}

int
main(void)
{
	test_http_dates();
	test_postgres_key();
	test_binary();
	test_number();
	test_row();
	test_numbers();
	test_tokens();
	test_times();
	test_fields();
	test_long_token();
	test_refused();
	test_partly_refused();
	test_out_of_step();
	test_file();
	puts("ok netreplay_learn_test");
	return 0;
}
