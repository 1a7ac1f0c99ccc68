#include <stdlib.h>
#include <string.h>

#include "format/digits.h"
#include "format/utf8.h"
#include "netmirror/toml_private.h"

/* -- strings -- */

/* The `digits` hexadecimal digits of \u and \U; returns bytes put, 0 if there is no such character
 * that a string may hold. */
static size_t
parse_unicode(struct toml_parser *parser, int digits, char *to)
{
	uint32_t value = 0;

	for (int i = 0; i < digits; i++, parser->at++) {
		int digit = digits_hex(toml_peek(parser));

		if (digit == -1)
			return 0;
		value = value << 4 | (uint32_t)digit;
	}
	if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return utf8_put(to, value);
}

/* What follows a backslash. Puts at most four bytes; returns how many, 0 if it is none of them. */
static size_t
parse_escape(struct toml_parser *parser, char *to)
{
	static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	int letter = toml_peek(parser);
	const char *found = letter > 0 ? strchr(letters, letter) : NULL;

	if (letter == -1)
		return 0;
	parser->at++;
	if (letter == 'u' || letter == 'U')
		return parse_unicode(parser, letter == 'u' ? 4 : 8, to);
	if (found == NULL)
		return 0;
	*to = bytes[found - letters];
	return 1;
}

/* Up to the closing quote, which is on this line. */
static int
parse_quoted(struct toml_parser *parser, char quote, char *to)
{
	for (;;) {
		int byte = toml_peek(parser);
		size_t size = 1;

		if (byte == -1 || byte == '\n')
			return toml_fail(parser, "a string is not ended on its line");
		if (byte < 0x20 && byte != '\t')
			return toml_fail(parser, "a string holds a control character");
		parser->at++;
		if (byte == quote) {
			*to = '\0';
			return 0;
		}
		*to = (char)byte;
		if (byte == '\\' && quote == '"' && (size = parse_escape(parser, to)) == 0)
			return toml_fail(parser, "a backslash in a string means nothing there");
		to += size;
	}
}

char *
toml_parse_string(struct toml_parser *parser)
{
	char quote = *parser->at, *string;
	const char *close;

	if (parser->end - parser->at > 2 && parser->at[1] == quote && parser->at[2] == quote) {
		toml_fail(parser, "strings of several lines are not understood");
		return NULL;
	}
	parser->at++;
	close = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
	/* What is written with escapes is never shorter than what it stands for. */
	string = malloc((size_t)((close != NULL ? close : parser->end) - parser->at) + 1);
	if (string == NULL) {
		toml_fail(parser, "out of memory");
		return NULL;
	}
	if (parse_quoted(parser, quote, string) == 0)
		return string;
	free(string);
	return NULL;
}

/* -- other values -- */

static bool
is_word(int byte)
{
	return byte != -1 && strchr(" \t\r\n#,]", byte) == NULL;
}

/* Decimal digits with a sign and underscores between them. */
static int
word_integer(const char *word, size_t size, int64_t *integer)
{
	char digits[32];
	size_t count = 0;
	const char *error;

	for (size_t i = 0; i < size; i++) {
		bool digit = word[i] >= '0' && word[i] <= '9';
		bool between = word[i] == '_' && i > 0 && i + 1 < size && word[i - 1] != '_';

		if (!digit && !between &&
		    !(i == 0 && size > 1 && (word[0] == '-' || word[0] == '+')))
			return -1;
		if (count == sizeof(digits) - 1)
			return -1;
		if (!between && word[i] != '+')
			digits[count++] = word[i];
	}
	digits[count] = '\0';
	*integer = strtonum(digits, INT64_MIN, INT64_MAX, &error);
	return error == NULL ? 0 : -1;
}

static struct toml *
parse_word(struct toml_parser *parser)
{
	const char *begin = parser->at;
	struct toml *toml;
	size_t size;

	while (is_word(toml_peek(parser)))
		parser->at++;
	size = (size_t)(parser->at - begin);
	if (size == 0) {
		toml_fail(parser, "a value is missing");
		return NULL;
	}
	toml = toml_new(parser, TOML_BOOLEAN);
	if (toml == NULL)
		return NULL;
	toml->boolean = size == 4 && memcmp(begin, "true", 4) == 0;
	if (toml->boolean || (size == 5 && memcmp(begin, "false", 5) == 0))
		return toml;
	toml->type = TOML_INTEGER;
	if (word_integer(begin, size, &toml->integer) == 0)
		return toml;
	toml_free(toml);
	toml_fail(parser, *begin == '{' ? "tables in one line are not understood"
					: "a value is no string in quotes, whole number, true, "
					  "false or array");
	return NULL;
}

/* Items and commas up to the ]. */
static int
parse_items(struct toml_parser *parser, struct toml *array, int depth)
{
	for (;;) {
		struct toml *item;

		if (toml_skip_lines(parser) == -1)
			return -1;
		if (toml_peek(parser) == ']')
			break;
		item = toml_parse_value(parser, depth + 1);
		if (item == NULL)
			return -1;
		TAILQ_INSERT_TAIL(&array->items, item, next);
		if (toml_skip_lines(parser) == -1)
			return -1;
		if (toml_peek(parser) == ']')
			break;
		if (toml_peek(parser) != ',')
			return toml_fail(parser, "a comma or ] is missing in an array");
		parser->at++;
	}
	parser->at++;
	return 0;
}

static struct toml *
parse_array(struct toml_parser *parser, int depth)
{
	struct toml *array;

	if (depth == TOML_DEPTH_MAX) {
		toml_fail(parser, "too many arrays within each other");
		return NULL;
	}
	array = toml_new(parser, TOML_ARRAY);
	if (array == NULL)
		return NULL;
	array->closed = true;
	parser->at++;
	if (parse_items(parser, array, depth) == 0)
		return array;
	toml_free(array);
	return NULL;
}

struct toml *
toml_parse_value(struct toml_parser *parser, int depth)
{
	struct toml *toml;
	int mark;

	toml_skip_blanks(parser);
	mark = toml_peek(parser);
	if (mark == '[')
		return parse_array(parser, depth);
	if (mark != '"' && mark != '\'')
		return parse_word(parser);
	toml = toml_new(parser, TOML_STRING);
	if (toml == NULL)
		return NULL;
	toml->string = toml_parse_string(parser);
	if (toml->string != NULL)
		return toml;
	toml_free(toml);
	return NULL;
}
