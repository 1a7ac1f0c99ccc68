/* A command line split into words. */
#include "netreplay/words.h"

#include "tests/unit/test.h"

/* Expect the words, each followed by "|". */
static void
expect_words(const char *text, const char *expected)
{
	char **words = NULL;
	char all[256] = "";

	EXPECT(words_split(text, &words) == NULL);
	for (size_t i = 0; words[i] != NULL; i++) {
		strcat(all, words[i]);
		strcat(all, "|");
	}
	if (strcmp(all, expected) != 0)
		fprintf(stderr, "%s: is %s, should be %s\n", text, all, expected);
	EXPECT(strcmp(all, expected) == 0);
	words_free(words);
}

static void
expect_wrong(const char *text, const char *expected)
{
	char **words = NULL;
	const char *wrong = words_split(text, &words);

	EXPECT(wrong != NULL && strcmp(wrong, expected) == 0);
}

int
main(void)
{
	expect_words("a", "a|");
	expect_words("  redis-server  --port\t1 \n", "redis-server|--port|1|");
	expect_words("sh -c 'a \"b\" $c'", "sh|-c|a \"b\" $c|");
	expect_words("a \"b 'c' \\\" \\\\ \\n\"", "a|b 'c' \" \\ \\n|");
	expect_words("a\\ b \\\\ \\'", "a b|\\|'|");
	expect_words("a '' \"\" b", "a|||b|");
	expect_words("pre'f i'x\"e s\"", "pref ixe s|");
	expect_words("a $b ~ * ; c", "a|$b|~|*|;|c|");
	expect_wrong("", "no command");
	expect_wrong("  ", "no command");
	expect_wrong("''", "no command");
	expect_wrong("a 'b", "quotes are not closed");
	expect_wrong("a \"b\\\"", "quotes are not closed");
	expect_wrong("a \\", "nothing after the backslash");
	words_free(NULL);
	puts("ok netreplay_words_test");
	return 0;
}
