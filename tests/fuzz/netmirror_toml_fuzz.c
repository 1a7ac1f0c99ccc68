/* Any file may be given as a configuration: it is read, or refused with a line that it has. What is
 * read is whole: keys are found again, strings hold no NUL. */
#include <stdlib.h>
#include <string.h>

#include "netmirror/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static void
check(const struct toml *toml, const struct toml *within, unsigned lines)
{
	const struct toml *item;

	require(toml->line >= 1 && toml->line <= lines);
	require((toml->type == TOML_STRING) == (toml->string != NULL));
	require(toml_type_name(toml->type) != NULL);
	if (within != NULL && within->type == TOML_TABLE)
		require(toml->key != NULL && toml_find(within, toml->key) == toml);
	if (within != NULL && within->type == TOML_ARRAY)
		require(toml->key == NULL);
	TAILQ_FOREACH (item, &toml->items, next) {
		require(toml->type == TOML_TABLE || toml->type == TOML_ARRAY);
		check(item, toml, lines);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct toml_error error = {0, NULL};
	/* of exactly this size, so that reading beyond it is noticed */
	char *text = malloc(size + (size == 0));
	struct toml *root;
	unsigned lines = 1;

	require(text != NULL);
	memcpy(text, data, size);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	root = toml_parse(text, size, &error);
	if (root != NULL)
		check(root, NULL, lines);
	else
		require(error.reason != NULL && error.line >= 1 && error.line <= lines);
	toml_free(root);
	free(text);
	return 0;
}
