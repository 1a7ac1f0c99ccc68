#include "netreplay/words.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* Copy what stands between the quotes at `*at`. Returns NULL and moves behind them, or what is
 * wrong. */
static const char *
quotes_copy(const char **at, char **to)
{
	char quote = *(*at)++;

	for (; **at != quote; (*at)++) {
		if (**at == '\0')
			return "quotes are not closed";
		if (quote == '"' && **at == '\\' && (*at)[1] != '\0' &&
		    strchr("\"\\$`", (*at)[1]) != NULL)
			(*at)++;
		*(*to)++ = **at;
	}
	(*at)++;
	return NULL;
}

/* Copy one word, which is not empty unless it is quoted, and a NUL. */
static const char *
word_copy(const char **at, char **to)
{
	while (**at != '\0' && strchr(blanks, **at) == NULL) {
		const char *wrong = NULL;
		if (**at == '"' || **at == '\'') {
			wrong = quotes_copy(at, to);
			if (wrong != NULL)
				return wrong;
			continue;
		}
		if (**at == '\\' && *++*at == '\0')
			return "nothing after the backslash";
		*(*to)++ = *(*at)++;
	}
	*(*to)++ = '\0';
	return NULL;
}

const char *
words_split(const char *text, char ***words)
{
	/* words[0] begins the memory of all, which is no longer than the text */
	size_t size = strlen(text) + 1, count = 0;
	char *to = malloc(size), *memory = to;
	char **list = calloc(size / 2 + 2, sizeof(char *));
	const char *wrong = NULL;

	if (memory == NULL || list == NULL) {
		wrong = "out of memory";
		goto fail;
	}
	for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
		list[count++] = to;
		wrong = word_copy(&text, &to);
		if (wrong != NULL)
			goto fail;
	}
	wrong = "no command";
	if (count == 0 || list[0][0] == '\0')
		goto fail;
	*words = list;
	return NULL;
fail:
	free(memory);
	free(list);
	return wrong;
}

void
words_free(char **words)
{
	if (words == NULL)
		return;
	free(words[0]);
	free(words);
}
