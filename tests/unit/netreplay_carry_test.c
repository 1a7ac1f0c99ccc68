/* --carry: what a live answer said instead of what the recorded one said, in what is sent later. */
#include "netreplay/carry.h"

#include <stdint.h>

#include "tests/unit/test.h"

static struct carry_set *
set_of(const char *text)
{
	struct carry_set *set = carry_set_new();
	char error[128];

	EXPECT(set != NULL && carry_set_add(set, text, error, sizeof(error)) == 0);
	return set;
}

static void
learn(struct carry_table *table, const char *recorded, const char *live)
{
	EXPECT(carry_table_learn(table, 0, recorded, strlen(recorded), live, strlen(live)) == 0);
}

/* Expect `data`, given in pieces of `piece` bytes, to be rewritten to `expected`. */
static void
expect_pieces(const struct carry_table *table, const char *data, size_t size, size_t piece,
    const char *expected, size_t expected_size)
{
	struct carry_stream stream = {.held = NULL};
	char *all = malloc(expected_size + 1);
	size_t filled = 0;

	EXPECT(all != NULL);
	for (size_t at = 0; at < size; at += piece) {
		/* a copy of its own, so that a sanitizer sees what reads beyond it */
		size_t here = size - at < piece ? size - at : piece;
		char *copy = malloc(here);
		const unsigned char *out;
		size_t out_size;
		EXPECT(copy != NULL);
		memcpy(copy, data + at, here);
		EXPECT(carry_stream_rewrite(
			   &stream, table, copy, here, at + here == size, &out, &out_size) == 0);
		free(copy);
		EXPECT(filled + out_size <= expected_size);
		if (out_size > 0)
			memcpy(all + filled, out, out_size);
		filled += out_size;
	}
	if (filled != expected_size || memcmp(all, expected, filled) != 0)
		fprintf(stderr, "pieces of %zu: is \"%.*s\", should be \"%.*s\"\n", piece,
		    (int)filled, all, (int)expected_size, expected);
	EXPECT(filled == expected_size && memcmp(all, expected, filled) == 0);
	free(all);
	carry_stream_release(&stream);
}

static void
expect_rewritten(const struct carry_table *table, const char *data, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(data); piece++)
		expect_pieces(table, data, strlen(data), piece, expected, strlen(expected));
}

static void
test_one_group(void)
{
	struct carry_set *set = carry_set_new();
	char error[128];

	EXPECT(set != NULL);
	EXPECT(carry_set_add(set, "sid=[a-z]+", error, sizeof(error)) == -1);
	EXPECT(strstr(error, "0 groups") != NULL);
	EXPECT(carry_set_add(set, "(a)(b)", error, sizeof(error)) == -1);
	EXPECT(strstr(error, "2 groups") != NULL);
	EXPECT(carry_set_add(set, "(a", error, sizeof(error)) == -1);
	EXPECT(carry_set_count(set) == 0);
	EXPECT(carry_set_add(set, "sid=([a-z]+)", error, sizeof(error)) == 0);
	EXPECT(carry_set_count(set) == 1);
	carry_set_free(set);
	carry_set_free(NULL);
	carry_table_free(NULL);
}

static void
test_token(void)
{
	struct carry_set *set = set_of("token: ([0-9a-z]+)\r\n");
	struct carry_table *table = carry_table_new(set);

	EXPECT(table != NULL && carry_table_count(table) == 0);
	learn(table, "token: abc123\r\n", "token: zz9\r\n");
	EXPECT(carry_table_count(table) == 1);
	expect_rewritten(table, "GET /?t=abc123 HTTP/1.1\r\n", "GET /?t=zz9 HTTP/1.1\r\n");
	expect_rewritten(table, "abc12 abc124 abcabc123", "abc12 abc124 abczz9");
	expect_rewritten(table, "abc123", "zz9");
	expect_rewritten(table, "ab", "ab");
	/* a later one for the same text, and a longer one */
	learn(table, "token: abc123\r\n", "token: 0123456789abcdef\r\n");
	EXPECT(carry_table_count(table) == 1);
	expect_rewritten(table, "t=abc123&u=abc123", "t=0123456789abcdef&u=0123456789abcdef");
	/* what is no match is not learned */
	learn(table, "token: x\r\n", "tokens: y\r\n");
	learn(table, "nothing", "token: y\r\n");
	EXPECT(carry_table_count(table) == 1);
	carry_table_free(table);
	carry_set_free(set);
}

static void
test_overlap(void)
{
	struct carry_set *set = set_of("=(.*);");
	struct carry_table *table = carry_table_new(set);

	EXPECT(table != NULL);
	learn(table, "=ab;", "=1;");
	learn(table, "=abcd;", "=2;");
	learn(table, "=bcx;", "=3;");
	learn(table, "=abcdefgh;", "=4;");
	learn(table, "=d;", "=;"); /* replaced by nothing */
	learn(table, "=;", "=5;"); /* nothing cannot be replaced */
	EXPECT(carry_table_count(table) == 5);
	expect_rewritten(table, "ab", "1");
	expect_rewritten(table, "abc", "1c");
	expect_rewritten(table, "abcd", "2");
	expect_rewritten(table, "abcdefg", "2efg");
	expect_rewritten(table, "abcdefgh", "4");
	expect_rewritten(table, "abcx", "1cx"); /* the first that begins wins */
	expect_rewritten(table, "abcxbcx", "1cx3");
	expect_rewritten(table, "xdab", "x1");
	expect_rewritten(table, "aab", "a1");
	/* what comes out is not looked at again */
	learn(table, "=1;", "=ab;");
	expect_rewritten(table, "ab1", "1ab");
	carry_table_free(table);
	carry_set_free(set);
}

static void
test_binary(void)
{
	struct carry_set *set = set_of("K\\x00([\\x00-\\xff][\\x00-\\xff])");
	struct carry_table *table = carry_table_new(set);

	EXPECT(table != NULL);
	EXPECT(carry_table_learn(table, 0, "K\0\0\xff", 4, "K\0\n\0", 4) == 0);
	for (size_t piece = 1; piece <= 6; piece++)
		expect_pieces(table, "\0\0\0\xff\0\n", 6, piece, "\0\0\n\0\0\n", 6);
	carry_table_free(table);
	carry_set_free(set);
}

/* What is held back is only what may yet become a text. */
static void
test_held(void)
{
	struct carry_set *set = set_of("=(.*);");
	struct carry_table *table = carry_table_new(set);
	struct carry_stream stream = {.held = NULL};
	const unsigned char *out;
	size_t size;

	EXPECT(table != NULL);
	learn(table, "=token;", "=T;");
	EXPECT(carry_stream_rewrite(&stream, table, "xxto", 4, false, &out, &size) == 0);
	EXPECT(size == 2 && memcmp(out, "xx", 2) == 0);
	EXPECT(carry_stream_rewrite(&stream, table, "p", 1, false, &out, &size) == 0);
	EXPECT(size == 3 && memcmp(out, "top", 3) == 0);
	EXPECT(carry_stream_rewrite(&stream, table, "tok", 3, false, &out, &size) == 0);
	EXPECT(size == 0);
	EXPECT(carry_stream_rewrite(&stream, table, NULL, 0, true, &out, &size) == 0);
	EXPECT(size == 3 && memcmp(out, "tok", 3) == 0);
	EXPECT(carry_stream_rewrite(&stream, table, NULL, 0, true, &out, &size) == 0);
	EXPECT(size == 0);
	carry_stream_release(&stream);
	carry_table_free(table);
	carry_set_free(set);
}

/* Thousands of texts that begin alike, some of them beginnings of others. */
static void
test_many(void)
{
	struct carry_set *set = set_of("=(.*);");
	struct carry_table *table = carry_table_new(set);
	static char data[64 * 5000], expected[64 * 5000];
	size_t size = 0, expected_size = 0;

	EXPECT(table != NULL);
	for (unsigned i = 0; i < 5000; i++) {
		char recorded[64], live[64];
		snprintf(recorded, sizeof(recorded), "=common-%x;", i * 7919);
		snprintf(live, sizeof(live), "=<%u>;", i);
		learn(table, recorded, live);
	}
	EXPECT(carry_table_count(table) == 5000);
	for (unsigned i = 5000; i-- > 0;) {
		size += (size_t)snprintf(data + size, 64, "common-%x\n", i * 7919);
		expected_size += (size_t)snprintf(expected + expected_size, 64, "<%u>\n", i);
	}
	expect_pieces(table, data, size, 1000, expected, expected_size);
	carry_table_free(table);
	carry_set_free(set);
}

int
main(void)
{
	test_one_group();
	test_token();
	test_overlap();
	test_binary();
	test_held();
	test_many();
	puts("ok netreplay_carry_test");
	return 0;
}
