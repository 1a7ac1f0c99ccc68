/* Patterns on raw bytes, and on streams however they are cut into pieces. */
#include "format/pattern.h"

#include "tests/unit/test.h"

static struct pattern *
compiled(const char *text)
{
	char error[256] = "";
	struct pattern *pattern = pattern_new(text, error, sizeof(error));

	if (pattern == NULL)
		fprintf(stderr, "%s: %s\n", text, error);
	EXPECT(pattern != NULL && strcmp(pattern_text(pattern), text) == 0);
	return pattern;
}

/* Expect the matches of `text` in `data` to be "0-2 5-7", the data being the whole stream. */
static void
expect_matches(const char *text, const char *data, size_t size, const char *expected)
{
	struct pattern *pattern = compiled(text);
	size_t begin, end = 0;
	char found[256] = "";

	while (pattern_find(
	    pattern, (const unsigned char *)data, size, end, true, true, &begin, &end)) {
		size_t length = strlen(found);
		snprintf(found + length, sizeof(found) - length, "%s%zu-%zu", length > 0 ? " " : "",
		    begin, end);
	}
	if (strcmp(found, expected) != 0)
		fprintf(stderr, "%s: is %s, should be %s\n", text, found, expected);
	EXPECT(strcmp(found, expected) == 0);
	pattern_free(pattern);
}
#define MATCHES(text, data, expected) expect_matches(text, data, sizeof(data) - 1, expected)

static void
test_syntax(void)
{
	MATCHES("a+", "xaaya", "1-3 4-5");
	MATCHES("a|ab|abc", "abc", "0-3"); /* the longest */
	MATCHES("(a|ab)(c|bcd)", "abcd", "0-4");
	MATCHES("a{2,3}", "aaaaa", "0-3 3-5");
	MATCHES("[[:digit:]]+", "a123b", "1-4");
	MATCHES("[]a]+", "x]a", "1-3");
	MATCHES("[a-]+", "-a.", "0-2");
	MATCHES("\\.\\-\\/", "x.-/", "1-4");
}

static void
test_bytes(void)
{
	MATCHES("x.y", "x\0y x\ny x\xffy", "0-3 8-11");
	MATCHES("x[^a]y", "x\0y x\ny xay x\xffy", "0-3 12-15");
	MATCHES("[^a]", "\n\xff\0", "1-2 2-3");
	MATCHES("\\x00+", "ab\0\0c", "2-4");
	MATCHES("a\\r\\n\\tb", "a\r\n\tb", "0-5");
	MATCHES("[\\r\\n]+", "a\r\nb", "1-3");
	MATCHES("\xc3\xa4", "x\xc3\xa4", "1-3");
	MATCHES("\\xff.", "\xfe\xff\x80", "1-3");
	MATCHES("[\\x80-\\xff]+",
	    "a\x80\xc3\xff"
	    "b",
	    "1-4");
	MATCHES("[\\x00-\\x1f]+", "a\x01\x1f\n\0z", "1-5");
	MATCHES("[[:alpha:]]", "\xc3\xa4", ""); /* the C locale, whatever the user's is */
}

/* A byte that is written as \xHH means itself, never an operator. */
static void
test_escaped_bytes(void)
{
	MATCHES("\\x2e", "a.b", "1-2");
	MATCHES("\\x28\\x29\\x2a\\x5c\\x5b\\x7b\\x7c\\x5e\\x24\\x2b\\x3f\\x7d\\x5d",
	    "()*\\[{|^$+?}]", "0-13");
	MATCHES("[\\x5d\\x2d\\x5e]+", "a]-^b", "1-4");
	MATCHES("[\\x5e]", "^a", "0-1");
	MATCHES("[^\\x5e]", "^a", "1-2");
	MATCHES("[a\\x2dc]+", "b-c", "1-3");
	MATCHES("[\\x2d-\\x2f]+", "+-./0", "1-4");
	MATCHES("[\\x5b.]+", "a[.b", "1-3");
	MATCHES("[\\x5b:alpha:]+", "[:x", "0-2");
	MATCHES("[\\\\n]+", "\\n\n", "0-2"); /* a backslash and an n */
	MATCHES("[\\]", "\\", "0-1");
}

static void
test_anchors(void)
{
	struct pattern *pattern = compiled("^ab$");
	const unsigned char *data = (const unsigned char *)"ab";
	size_t begin, end;

	MATCHES("^ab", "ab\nab", "0-2");
	MATCHES("ab$", "ab\nab", "3-5");
	MATCHES("a$", "a\n", "");
	MATCHES("(^|,)x(,|$)", "x,x,yx", "0-2");
	EXPECT(pattern_find(pattern, data, 2, 0, true, true, &begin, &end));
	EXPECT(!pattern_find(pattern, data, 2, 0, false, true, &begin, &end));
	EXPECT(!pattern_find(pattern, data, 2, 0, true, false, &begin, &end));
	pattern_free(pattern);
}

static void
test_refused(void)
{
	static const char *const bad[] = {"", "a*", "^", "$", "^$", "a|", "(a?)*", "()", "a?b*",
	    "(", "[a", "[[:alpha", "[[:nothing:]]", "*", "a{1,", "a{2,1}", "a\\", "\\x", "\\xg0",
	    "\\x1", "[\\x1]", "\\d", "\\b", "\\w", "(a)\\1", "[b-a]", ".*?", "a++", "a+{2}",
	    "a{3000}", "((a{50}){50}){50}", "(((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)"};
	char error[256], deep[2001];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pattern *pattern = pattern_new(bad[i], error, sizeof(error));
		if (pattern != NULL)
			fprintf(stderr, "accepted: %s\n", bad[i]);
		EXPECT(pattern == NULL);
		EXPECT(error[0] != '\0' && strchr(error, '\n') == NULL);
		EXPECT(error[0] < 'A' || error[0] > 'Z');
	}
	EXPECT(pattern_new("a*", error, sizeof(error)) == NULL);
	EXPECT(strcmp(error, "matches the empty string") == 0);
	memset(deep, '(', 1000);
	memset(deep + 1000, ')', 1000);
	deep[2000] = '\0';
	EXPECT(pattern_new(deep, error, sizeof(error)) == NULL);
}

/* Longer matches than PATTERN_MATCH_MAX do not count; one of that length does, wherever it stands.
 */
static void
test_long(void)
{
	const size_t size = 5 * PATTERN_MATCH_MAX;
	unsigned char *data = malloc(size);
	struct pattern *pattern = compiled("<x*>");
	size_t begin, end, from = 3 * PATTERN_MATCH_MAX - 7;

	EXPECT(data != NULL);
	/* a short one across the multiples of the limit, where windows meet */
	for (size_t i = 0; i < 16; i++) {
		size_t at = (i / 4 + 1) * PATTERN_MATCH_MAX - 13 + 4 * (i % 4);
		memset(data, 'y', size);
		memcpy(data + at, "<xxxxxxxxxx>", 12);
		EXPECT(pattern_find(pattern, data, size, 0, true, true, &begin, &end));
		EXPECT(begin == at && end == at + 12);
	}
	memset(data, 'x', size);
	data[from] = '<';
	data[from + PATTERN_MATCH_MAX - 1] = '>';
	EXPECT(pattern_find(pattern, data, size, 0, true, true, &begin, &end));
	EXPECT(begin == from && end == from + PATTERN_MATCH_MAX);
	data[from - 1] = '<';
	data[from] = 'x'; /* now a byte too long */
	EXPECT(!pattern_find(pattern, data, size, 0, true, true, &begin, &end));
	pattern_free(pattern);
	free(data);
}

struct matches {
	size_t count;
	struct {
		size_t pattern;
		uint64_t begin, end;
	} items[30000];
};

static void
found(void *context, size_t pattern, uint64_t begin, uint64_t end)
{
	struct matches *matches = context;

	EXPECT(matches->count < sizeof(matches->items) / sizeof(matches->items[0]));
	EXPECT(begin < end && end - begin <= PATTERN_MATCH_MAX);
	if (matches->count > 0)
		EXPECT(matches->items[matches->count - 1].end <= begin);
	matches->items[matches->count].pattern = pattern;
	matches->items[matches->count].begin = begin;
	matches->items[matches->count++].end = end;
}

static struct matches *
stream_matches(struct pattern **patterns, size_t count, const char *data, size_t size, size_t piece)
{
	struct matches *matches = calloc(1, sizeof(*matches));
	struct pattern_stream *stream = pattern_stream_new(patterns, count, found, matches);

	EXPECT(matches != NULL && stream != NULL);
	for (size_t at = 0; at < size; at += piece)
		EXPECT(pattern_stream_feed(
			   stream, data + at, size - at < piece ? size - at : piece) == 0);
	EXPECT(pattern_stream_end(stream) == 0);
	pattern_stream_free(stream);
	return matches;
}

/* The same matches whatever the pieces are, and those that pattern_find() finds pattern by pattern.
 */
static void
test_stream_pieces(void)
{
	static const char *const texts[] = {
	    "^ab", "ab+", "b+c?", "<(.|\\n){10,40}>", "c$", "\\n.", "cc"};
	static const size_t sizes[] = {3, 65535, 65536, 262143, 262144, 262145, 300000};
	struct pattern *patterns[7];
	char *data = malloc(300000);
	uint32_t state = 7;

	EXPECT(data != NULL);
	for (size_t i = 0; i < 300000; i++) {
		state = state * 1664525 + 1013904223;
		data[i] = (state >> 24) < 60 ? "abc<>\n\0bc"[(state >> 24) % 9] : 'd';
	}
	memcpy(data, "abc", 3);
	for (size_t i = 0; i < 7; i++)
		patterns[i] = compiled(texts[i]);
	for (size_t i = 0; i < 7; i++) {
		struct matches *whole = stream_matches(patterns, 7, data, sizes[i], sizes[i]);
		struct matches *bytes = stream_matches(patterns, 7, data, sizes[i], 1);
		struct matches *pieces = stream_matches(patterns, 7, data, sizes[i], 4099);
		size_t next = 0;
		EXPECT(whole->count > 0);
		EXPECT(bytes->count == whole->count && pieces->count == whole->count);
		EXPECT(memcmp(bytes->items, whole->items, sizeof(whole->items)) == 0);
		EXPECT(memcmp(pieces->items, whole->items, sizeof(whole->items)) == 0);
		/* each is the first of all patterns' next matches, the longest of these */
		for (size_t m = 0; m < whole->count && m < 100; m++) {
			size_t begin, end, first = SIZE_MAX, last = 0;
			for (size_t p = 0; p < 7; p++) {
				if (!pattern_find(patterns[p], (unsigned char *)data, sizes[i],
					next, true, true, &begin, &end))
					continue;
				if (begin < first || (begin == first && end > last))
					last = end;
				if (begin < first)
					first = begin;
			}
			EXPECT(whole->items[m].begin == first && whole->items[m].end == last);
			next = last;
		}
		free(whole);
		free(bytes);
		free(pieces);
	}
	for (size_t i = 0; i < 7; i++)
		pattern_free(patterns[i]);
	free(data);
}

static void
test_stream_few(void)
{
	struct pattern *patterns[] = {
	    compiled("b"), compiled("ab"), compiled("abc"), compiled("b")};
	struct matches *matches = stream_matches(patterns, 4, "abab abc b", 10, 3);

	EXPECT(matches->count == 4);
	EXPECT(matches->items[0].begin == 0 && matches->items[0].pattern == 1);
	EXPECT(matches->items[1].begin == 2 && matches->items[1].pattern == 1);
	EXPECT(matches->items[2].begin == 5 && matches->items[2].pattern == 2);
	EXPECT(matches->items[3].begin == 9 && matches->items[3].pattern == 0);
	free(matches);
	matches = stream_matches(patterns, 0, "abab", 4, 1);
	EXPECT(matches->count == 0);
	free(matches);
	matches = stream_matches(patterns, 4, "", 0, 1);
	EXPECT(matches->count == 0);
	free(matches);
	for (size_t i = 0; i < 4; i++)
		pattern_free(patterns[i]);
}

/* Expect the pattern's first group to have taken "from-to" of a match, "" nothing. */
static void
expect_group(const char *text, size_t groups, const char *match, size_t size, const char *expected)
{
	struct pattern *pattern = compiled(text);
	char found[64] = "";
	size_t begin, end;

	EXPECT(pattern_groups(pattern) == groups);
	for (int i = 0; i < 2; i++) { /* the second time it is compiled already */
		if (pattern_group(pattern, (const unsigned char *)match, size, &begin, &end))
			snprintf(found, sizeof(found), "%zu-%zu", begin, end);
		if (strcmp(found, expected) != 0)
			fprintf(stderr, "%s: is %s, should be %s\n", text, found, expected);
		EXPECT(strcmp(found, expected) == 0);
	}
	pattern_free(pattern);
}
#define GROUP(text, groups, match, expected)                                                       \
	expect_group(text, groups, match, sizeof(match) - 1, expected)

static void
test_groups(void)
{
	GROUP("sid=([a-z]+);", 1, "sid=abc;", "4-7");
	GROUP("sid=[a-z]+;", 0, "sid=abc;", "");
	GROUP("a(b)?c", 1, "ac", "");
	GROUP("a(b*)c", 1, "ac", "1-1");
	GROUP("(a)(b)", 2, "ab", "0-1");
	GROUP("^k([\\x00-\\xff])$", 1, "k\0", "1-2");
	GROUP("x([^;]*)", 1, "y", "");	   /* no match */
	GROUP("x([^;]*)", 1, "xab;c", ""); /* not all of it is one */
}

int
main(void)
{
	test_syntax();
	test_bytes();
	test_escaped_bytes();
	test_anchors();
	test_refused();
	test_long();
	test_stream_pieces();
	test_stream_few();
	test_groups();
	puts("ok pattern_test");
	return 0;
}
