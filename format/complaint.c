#include "format/complaint.h"

#include <stdio.h>
#include <string.h>

char *
option_complaint(
    int mark, char *const *argv, const struct option *options, char text[COMPLAINT_MAX])
{
	const char *what = mark == ':' ? "option needs a value" : "unknown option";
	const char *word = argv[optind - 1];
	char letter[] = {'-', (char)optopt, '\0'};
	int length = (int)strlen(word);

	while (options->name != NULL && options->val != optopt)
		options++;
	/* a letter; the word may be the one before, as others may follow it */
	if (optopt != 0 && (options->name == NULL || (mark == ':' && word[1] != '-'))) {
		word = letter;
		length = 2;
	} else if (mark == '?' && optopt != 0) {
		what = "option takes no value";
		length = (int)strcspn(word, "=");
	}
	snprintf(text, COMPLAINT_MAX, "%s: %.*s", what, length, word);
	return text;
}
