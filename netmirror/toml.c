#include <stdlib.h>
#include <string.h>

#include "netmirror/toml_private.h"

static const char *const type_names[] = {
    [TOML_TABLE] = "a table",
    [TOML_ARRAY] = "an array",
    [TOML_STRING] = "a string",
    [TOML_INTEGER] = "an integer",
    [TOML_BOOLEAN] = "true or false",
};

const char *
toml_type_name(enum toml_type type)
{
	return type_names[type];
}

int
toml_fail(struct toml_parser *parser, const char *reason)
{
	parser->error->line = parser->line;
	parser->error->reason = reason;
	return -1;
}

/* -- values -- */

struct toml *
toml_new(struct toml_parser *parser, enum toml_type type)
{
	struct toml *toml = calloc(1, sizeof(*toml));

	if (toml == NULL) {
		toml_fail(parser, "out of memory");
		return NULL;
	}
	toml->type = type;
	toml->line = parser->line;
	TAILQ_INIT(&toml->items);
	return toml;
}

void
toml_free(struct toml *toml)
{
	struct toml *item;

	if (toml == NULL)
		return;
	while ((item = TAILQ_FIRST(&toml->items)) != NULL) {
		TAILQ_REMOVE(&toml->items, item, next);
		toml_free(item);
	}
	free(toml->key);
	free(toml->string);
	free(toml);
}

const struct toml *
toml_find(const struct toml *table, const char *key)
{
	const struct toml *item;

	TAILQ_FOREACH (item, &table->items, next) {
		if (strcmp(item->key, key) == 0)
			return item;
	}
	return NULL;
}

static struct toml *
find(struct toml *table, const char *key)
{
	struct toml *item;

	TAILQ_FOREACH (item, &table->items, next) {
		if (strcmp(item->key, key) == 0)
			return item;
	}
	return NULL;
}

/* -- white space -- */

void
toml_skip_blanks(struct toml_parser *parser)
{
	while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t'))
		parser->at++;
}

/* A comment, if there is one, and the end of the line. */
static int
end_line(struct toml_parser *parser)
{
	toml_skip_blanks(parser);
	if (toml_peek(parser) == '#')
		while (parser->at < parser->end && *parser->at != '\n')
			parser->at++;
	if (toml_peek(parser) == '\r' && parser->end - parser->at > 1 && parser->at[1] == '\n')
		parser->at++;
	if (parser->at == parser->end)
		return 0;
	if (*parser->at != '\n')
		return toml_fail(parser, "something follows that does not belong there");
	parser->at++;
	parser->line++;
	return 0;
}

int
toml_skip_lines(struct toml_parser *parser)
{
	for (;;) {
		int mark;

		toml_skip_blanks(parser);
		mark = toml_peek(parser);
		if (mark != '#' && mark != '\r' && mark != '\n')
			return 0;
		if (end_line(parser) == -1)
			return -1;
	}
}

/* -- keys -- */

static bool
is_bare(int byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

/* One key; returns it (to be freed), or NULL. */
static char *
parse_key(struct toml_parser *parser)
{
	const char *begin;
	char *key;

	toml_skip_blanks(parser);
	if (toml_peek(parser) == '"' || toml_peek(parser) == '\'')
		return toml_parse_string(parser);
	for (begin = parser->at; is_bare(toml_peek(parser)); parser->at++)
		;
	if (parser->at == begin) {
		toml_fail(parser, "a key is missing");
		return NULL;
	}
	key = strndup(begin, (size_t)(parser->at - begin));
	if (key == NULL)
		toml_fail(parser, "out of memory");
	return key;
}

/* Add `value` to `table` under `key`; both are taken over, also on failure. */
static int
add(struct toml_parser *parser, struct toml *table, char *key, struct toml *value)
{
	value->key = key;
	if (find(table, key) != NULL) {
		toml_free(value);
		return toml_fail(parser, "this key is there already");
	}
	TAILQ_INSERT_TAIL(&table->items, value, next);
	return 0;
}

/* The table `key` in `table`, made if it is not there; of an array of tables the last. `key` is
 * taken over. */
static struct toml *
descend(struct toml_parser *parser, struct toml *table, char *key)
{
	struct toml *item = find(table, key);

	if (item == NULL) {
		item = toml_new(parser, TOML_TABLE);
		if (item == NULL)
			free(key);
		return item != NULL && add(parser, table, key, item) == 0 ? item : NULL;
	}
	free(key);
	if (item->type == TOML_ARRAY && item->closed == false && !TAILQ_EMPTY(&item->items))
		return TAILQ_LAST(&item->items, toml_list);
	if (item->type == TOML_TABLE)
		return item;
	toml_fail(parser, "this key is there already, and is no table");
	return NULL;
}

/* Keys and dots up to the last key, which is returned; `*table` becomes the table it belongs to. */
static char *
parse_path(struct toml_parser *parser, struct toml **table)
{
	for (int depth = 0; depth < TOML_DEPTH_MAX; depth++) {
		char *key = parse_key(parser);

		if (key == NULL)
			return NULL;
		toml_skip_blanks(parser);
		if (toml_peek(parser) != '.')
			return key;
		parser->at++;
		*table = descend(parser, *table, key);
		if (*table == NULL)
			return NULL;
	}
	toml_fail(parser, "too many keys within each other");
	return NULL;
}

/* -- lines -- */

/* [key]: the table may be there already, as part of the path of another. */
static struct toml *
open_table(struct toml_parser *parser, struct toml *within, char *key)
{
	struct toml *item = find(within, key);

	if (item == NULL || item->type != TOML_TABLE) {
		item = toml_new(parser, TOML_TABLE);
		if (item == NULL)
			free(key);
		if (item == NULL || add(parser, within, key, item) == -1)
			return NULL;
	} else {
		free(key);
	}
	if (item->closed) {
		toml_fail(parser, "this table is there already");
		return NULL;
	}
	item->closed = true;
	return item;
}

/* [[key]]: one more table of an array. */
static struct toml *
open_each(struct toml_parser *parser, struct toml *within, char *key)
{
	struct toml *array = find(within, key), *item;

	if (array != NULL) {
		free(key);
	} else {
		array = toml_new(parser, TOML_ARRAY);
		if (array == NULL)
			free(key);
		if (array == NULL || add(parser, within, key, array) == -1)
			return NULL;
	}
	if (array->type != TOML_ARRAY || array->closed) {
		toml_fail(parser, "this key is there already, and is no array of tables");
		return NULL;
	}
	item = toml_new(parser, TOML_TABLE);
	if (item != NULL)
		TAILQ_INSERT_TAIL(&array->items, item, next);
	return item;
}

/* [key] or [[key]]; returns the table that the following lines belong to. */
static struct toml *
parse_header(struct toml_parser *parser)
{
	struct toml *within = parser->root, *table;
	bool each;
	char *key;

	parser->at++;
	each = toml_peek(parser) == '[';
	if (each)
		parser->at++;
	key = parse_path(parser, &within);
	if (key == NULL)
		return NULL;
	if (toml_peek(parser) != ']' ||
	    (each && (parser->end - parser->at < 2 || parser->at[1] != ']'))) {
		free(key);
		toml_fail(parser, each ? "]] is missing" : "] is missing");
		return NULL;
	}
	table = each ? open_each(parser, within, key) : open_table(parser, within, key);
	parser->at += each ? 2 : 1;
	return table;
}

static int
parse_pair(struct toml_parser *parser, struct toml *table)
{
	char *key = parse_path(parser, &table);
	struct toml *value;

	if (key == NULL)
		return -1;
	if (toml_peek(parser) != '=') {
		free(key);
		return toml_fail(parser, "= is missing");
	}
	parser->at++;
	value = toml_parse_value(parser, 0);
	if (value == NULL) {
		free(key);
		return -1;
	}
	return add(parser, table, key, value);
}

static int
parse_file(struct toml_parser *parser)
{
	struct toml *table = parser->root;

	for (;;) {
		if (toml_skip_lines(parser) == -1)
			return -1;
		if (parser->at == parser->end)
			return 0;
		if (*parser->at == '[') {
			table = parse_header(parser);
			if (table == NULL)
				return -1;
		} else if (parse_pair(parser, table) == -1) {
			return -1;
		}
		if (end_line(parser) == -1)
			return -1;
	}
}

struct toml *
toml_parse(const char *text, size_t size, struct toml_error *error)
{
	struct toml_parser parser = {.at = text, .end = text + size, .line = 1, .error = error};

	parser.root = toml_new(&parser, TOML_TABLE);
	if (parser.root == NULL)
		return NULL;
	if (parse_file(&parser) == 0)
		return parser.root;
	toml_free(parser.root);
	return NULL;
}
