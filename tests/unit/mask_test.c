/* Masks: files of them, matches among several, searches that go on, counting; and the automaton
 * that they are searched with, against regex(3). */
#include "format/mask.h"

#include <unistd.h>

#include "tests/unit/random.h"
#include "tests/unit/test.h"

static void
set_fill(struct mask_set *set, const char *const *patterns)
{
	char error[256] = "";

	mask_set_init(set);
	for (; *patterns != NULL; patterns++) {
		int added = mask_set_add(set, *patterns, error, sizeof(error));
		if (added != 0)
			fprintf(stderr, "%s: %s\n", *patterns, error);
		EXPECT(added == 0);
	}
}

/* -- the automaton -- */

static struct automaton_match
automaton_try(
    struct automaton *automaton, const unsigned char *data, size_t size, size_t from, bool at_end)
{
	const struct automaton_span span = {data, size, from, size, true, at_end};
	struct automaton_match match;

	automaton_search(automaton, &span, &match);
	return match;
}

/* A random pattern of few characters, so that it matches often. */
static void
pattern_grow(char *text, size_t size, int depth)
{
	static const char *const atoms[] = {"a", "b", "c", ".", "[ab]", "[^a]", "\\n",
	    "[[:digit:]]", "1", "(a|ab)", "(b|)", "\\x00", "[a-c]", "(ab|b*)", "\\.", "[]a]"};
	static const char *const times[] = {
	    "", "", "", "", "*", "+", "?", "{2}", "{1,3}", "{,2}", "{2,}"};
	size_t count = 1 + pick(3);

	for (size_t i = 0; i < count; i++) {
		if (depth < 2 && pick(4) == 0) {
			strlcat(text, "(", size);
			pattern_grow(text, size, depth + 1);
			if (pick(3) == 0) {
				strlcat(text, "|", size);
				pattern_grow(text, size, depth + 1);
			}
			strlcat(text, ")", size);
		} else {
			strlcat(text, atoms[pick(sizeof(atoms) / sizeof(atoms[0]))], size);
		}
		strlcat(text, times[pick(sizeof(times) / sizeof(times[0]))], size);
	}
}

/* What is told of less than the whole must agree with the match of the whole. */
static void
expect_beginnings(struct automaton *automaton, const unsigned char *data, size_t size, size_t from,
    const struct automaton_match *whole)
{
	for (size_t part = from; part <= size; part++) {
		struct automaton_match match = automaton_try(automaton, data, part, from, false);
		if (!match.certain) {
			EXPECT(whole->found ? match.alive <= whole->begin || match.found
					    : match.alive < part);
		} else if (match.found) {
			EXPECT(
			    whole->found && match.begin == whole->begin && match.end == whole->end);
		} else {
			EXPECT(!whole->found || whole->begin >= part);
		}
	}
}

static void
expect_same(
    struct pattern *pattern, struct automaton *automaton, const unsigned char *data, size_t size)
{
	size_t from = 0;

	for (;;) {
		size_t begin, end;
		bool found = from < size &&
			     pattern_find(pattern, data, size, from, true, true, &begin, &end);
		struct automaton_match match = automaton_try(automaton, data, size, from, true);
		EXPECT(match.certain && match.found == found);
		expect_beginnings(automaton, data, size, from, &match);
		if (!found)
			break;
		if (match.begin != begin || match.end != end)
			fprintf(stderr, "%s: %zu-%zu, should be %zu-%zu\n", pattern_text(pattern),
			    match.begin, match.end, begin, end);
		EXPECT(match.begin == begin && match.end == end);
		from = end;
	}
}

static void
test_like_regex(void)
{
	static const char alphabet[] = {'a', 'a', 'b', 'b', 'c', '1', '\n', '\0'};
	char text[512], error[256];

	for (size_t round = 0; round < 3000; round++) {
		unsigned char data[32];
		struct pattern *pattern;
		struct automaton *automaton;
		text[0] = '\0';
		if (pick(6) == 0)
			strlcat(text, "^", sizeof(text));
		pattern_grow(text, sizeof(text), 0);
		if (pick(6) == 0)
			strlcat(text, "$", sizeof(text));
		pattern = pattern_new(text, error, sizeof(error));
		if (pattern == NULL)
			continue;
		automaton = automaton_new(text);
		EXPECT(automaton != NULL);
		for (size_t i = 0; i < 4; i++) {
			size_t size = pick(24);
			for (size_t k = 0; k < size; k++)
				data[k] = (unsigned char)alphabet[pick(sizeof(alphabet))];
			expect_same(pattern, automaton, data, size);
		}
		pattern_free(pattern);
		automaton_free(automaton);
	}
}

static void
test_certain(void)
{
	static const struct {
		const char *pattern, *data;
		bool found, certain;
	} cases[] = {{"[0-9]+", "a12", true, false}, {"[0-9]+", "a12b", true, true},
	    {"[0-9]{2}", "a12", true, true}, {"id=.*;", "id=1;", true, false},
	    {"id=.*;", "id=1;\n", true, true}, {"id=.*;", "id=1\n", false, true},
	    {"id=.*;", "xxx i", false, false}, {"ab$", "ab", false, false},
	    {"ab$", "abc", false, true}, {"^ab", "xab", false, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct automaton *automaton = automaton_new(cases[i].pattern);
		struct automaton_match match;
		EXPECT(automaton != NULL);
		match = automaton_try(automaton, (const unsigned char *)cases[i].data,
		    strlen(cases[i].data), 0, false);
		EXPECT(match.found == cases[i].found && match.certain == cases[i].certain);
		automaton_free(automaton);
	}
}

static void
test_lines(void)
{
	static const struct {
		const char *pattern;
		bool in_lines;
	} cases[] = {{"Date: .*", true}, {"[^;]+;", true}, {"a\\nb", false}, {"(.|\\n)+x", false},
	    {"[[:space:]]+", false}, {"[\\x00-\\x1f]", false}, {"\\r\\t", true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct automaton *automaton = automaton_new(cases[i].pattern);
		EXPECT(automaton != NULL);
		EXPECT(automaton_in_lines(automaton) == cases[i].in_lines);
		automaton_free(automaton);
	}
}

/* One of the greatest length counts, a longer one does not, nor does it hide a shorter one in it.
 */
static void
test_longest(void)
{
	const size_t size = 3 * PATTERN_MATCH_MAX;
	unsigned char *data = malloc(size);
	struct automaton *automaton = automaton_new("<[x<]*>");
	struct automaton_match match;

	EXPECT(data != NULL && automaton != NULL);
	memset(data, 'x', size);
	data[100] = '<';
	data[100 + PATTERN_MATCH_MAX - 1] = '>';
	match = automaton_try(automaton, data, size, 0, true);
	EXPECT(match.found && match.begin == 100 && match.end == 100 + PATTERN_MATCH_MAX);
	data[99] = '<';
	data[100] = 'x';
	match = automaton_try(automaton, data, size, 0, true);
	EXPECT(!match.found && match.certain);
	data[50000] = '<';
	match = automaton_try(automaton, data, size, 0, true);
	EXPECT(match.found && match.begin == 50000);
	automaton_free(automaton);
	free(data);
}

/* -- sets -- */

static void
test_set(void)
{
	static const char *const patterns[] = {"[0-9]+", "id=[0-9]+", "[a-z]+=[0-9]+", NULL};
	const unsigned char *data = (const unsigned char *)"7 id=12 a=5";
	struct mask_match match;
	struct mask_set set;
	char error[256];

	set_fill(&set, patterns);
	EXPECT(mask_set_find(&set, data, 11, 0, 11, true, true, &match));
	EXPECT(match.mask == 0 && match.begin == 0 && match.end == 1);
	/* of two that begin at the same place and are as long, the first mask */
	EXPECT(mask_set_find(&set, data, 11, 1, 11, true, true, &match));
	EXPECT(match.mask == 1 && match.begin == 2 && match.end == 7);
	EXPECT(mask_set_find(&set, data, 11, 7, 11, true, true, &match));
	EXPECT(match.mask == 2 && match.begin == 8 && match.end == 11);
	EXPECT(!mask_set_find(&set, data, 11, 7, 8, true, true, &match));
	EXPECT(mask_set_in_lines(&set));

	EXPECT(
	    mask_set_replace(&set, 1, "id=[0-9", error, sizeof(error)) == -1 && error[0] != '\0');
	EXPECT(strcmp(pattern_text(set.masks[1].pattern), "id=[0-9]+") == 0);
	EXPECT(mask_set_replace(&set, 1, "7 id", error, sizeof(error)) == 0);
	EXPECT(mask_set_find(&set, data, 11, 0, 11, true, true, &match));
	EXPECT(match.mask == 1 && match.begin == 0 && match.end == 4);

	EXPECT(mask_set_add(&set, "a*", error, sizeof(error)) == -1);
	EXPECT(strcmp(error, "matches the empty string") == 0 && set.count == 3);
	mask_set_release(&set);
	EXPECT(!mask_set_find(&set, data, 11, 0, 11, true, true, &match));
}

#define FILE_WRITE(path, text) file_write(path, text, sizeof(text) - 1)

static void
file_write(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	EXPECT(file != NULL && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

static void
test_load(void)
{
	char path[] = "/tmp/mask_test_XXXXXX", error[512];
	struct mask_set set;
	int fd = mkstemp(path);

	EXPECT(fd != -1 && close(fd) == 0);
	mask_set_init(&set);
	FILE_WRITE(path, "# a comment\n\nDate: .*\r\n [0-9]+\nlast");
	EXPECT(mask_set_load(&set, path, error, sizeof(error)) == 0);
	EXPECT(set.count == 3);
	EXPECT(strcmp(pattern_text(set.masks[0].pattern), "Date: .*") == 0);
	EXPECT(strcmp(pattern_text(set.masks[1].pattern), " [0-9]+") == 0);
	EXPECT(strcmp(pattern_text(set.masks[2].pattern), "last") == 0);
	FILE_WRITE(path, "a\nb\n(\n");
	EXPECT(mask_set_load(&set, path, error, sizeof(error)) == -1);
	EXPECT(strstr(error, ": line 3: ") != NULL && strncmp(error, path, strlen(path)) == 0);
	FILE_WRITE(path, "a\0b\n");
	EXPECT(mask_set_load(&set, path, error, sizeof(error)) == -1);
	EXPECT(strstr(error, ": line 1: a NUL byte") != NULL);
	EXPECT(unlink(path) == 0);
	EXPECT(mask_set_load(&set, path, error, sizeof(error)) == -1);
	EXPECT(strstr(error, "No such file") != NULL);
	EXPECT(mask_set_load(&set, "/tmp/\x1b[31mnone", error, sizeof(error)) == -1);
	EXPECT(strchr(error, '\x1b') == NULL);
	mask_set_release(&set);
}

/* One search after the other gives the same as searches that begin anew. */
static void
test_scan(void)
{
	static const char *const patterns[] = {"a+b?", "[bc]+", "c(a|b){2,}", "bb\\n", NULL};
	struct mask_set set;

	set_fill(&set, patterns);
	for (size_t round = 0; round < 2000; round++) {
		unsigned char data[40];
		size_t size = pick(sizeof(data)), from = 0;
		struct mask_scan scan;
		for (size_t i = 0; i < size; i++)
			data[i] = (unsigned char)"aabbcc\n."[pick(8)];
		const struct automaton_span span = {data, size, 0, size, true, true};
		EXPECT(mask_scan_init(&scan, &set, &span) == 0);
		for (;;) {
			struct mask_scan_match next;
			struct mask_match match;
			bool found =
			    mask_set_find(&set, data, size, from, size, true, true, &match);
			mask_scan_next(&scan, from, &next);
			EXPECT(next.certain && next.found == found);
			if (!found)
				break;
			EXPECT(next.match.mask == match.mask && next.match.begin == match.begin);
			EXPECT(next.match.end == match.end);
			from = match.end;
		}
		mask_scan_release(&scan);
	}
	mask_set_release(&set);
}

static void
test_counter(void)
{
	static const char *const patterns[] = {"id=[0-9]+", "Date: .*\\n", "none", NULL};
	static const char text[] = "Date: today\nid=12 id=345, id=x\n";
	static const size_t pieces[] = {1, 7, 100, 5000, 100000};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t size = 1000 * (sizeof(text) - 1);
		char *data = malloc(size);
		struct mask_counter *counter;
		struct mask_set set;
		EXPECT(data != NULL);
		for (size_t k = 0; k < 1000; k++)
			memcpy(data + k * (sizeof(text) - 1), text, sizeof(text) - 1);
		set_fill(&set, patterns);
		counter = mask_counter_new(&set);
		EXPECT(counter != NULL);
		for (size_t at = 0; at < size; at += pieces[i])
			EXPECT(mask_counter_feed(counter, data + at,
				   size - at < pieces[i] ? size - at : pieces[i]) == 0);
		EXPECT(mask_counter_end(counter) == 0);
		mask_counter_free(counter);
		EXPECT(set.searched == size);
		EXPECT(set.masks[0].matches == 2000 && set.masks[0].bytes == 11000);
		EXPECT(set.masks[1].matches == 1000 && set.masks[1].bytes == 12000);
		EXPECT(set.masks[2].matches == 0);
		mask_set_release(&set);
		free(data);
	}
}

int
main(void)
{
	test_like_regex();
	test_certain();
	test_lines();
	test_longest();
	test_set();
	test_load();
	test_scan();
	test_counter();
	return 0;
}
