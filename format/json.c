#include "format/json.h"

#include <string.h>

#include "format/digits.h"
#include "format/utf8.h"

#define NESTING_MAX 64

void
json_scanner_init(struct json_scanner *scanner, const char *text, size_t length)
{
	*scanner = (struct json_scanner){.at = text, .end = text + length};
}

static void
skip_space(struct json_scanner *scanner)
{
	while (scanner->at < scanner->end && *scanner->at != '\0' &&
	       strchr(" \t\r\n", *scanner->at) != NULL)
		scanner->at++;
}

static bool
take(struct json_scanner *scanner, char c)
{
	if (scanner->at == scanner->end || *scanner->at != c)
		return false;
	scanner->at++;
	return true;
}

static bool
take_word(struct json_scanner *scanner, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scanner->end - scanner->at) < length || memcmp(scanner->at, word, length) != 0)
		return false;
	scanner->at += length;
	return true;
}

static bool
take_digits(struct json_scanner *scanner)
{
	const char *first = scanner->at;

	while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9')
		scanner->at++;
	return scanner->at > first;
}

static bool
take_number(struct json_scanner *scanner)
{
	(void)take(scanner, '-');
	if (!take(scanner, '0') && !take_digits(scanner))
		return false;
	if (take(scanner, '.') && !take_digits(scanner))
		return false;
	if (take(scanner, 'e') || take(scanner, 'E')) {
		if (!take(scanner, '+'))
			(void)take(scanner, '-');
		return take_digits(scanner);
	}
	return true;
}

static bool
take_escape(struct json_scanner *scanner)
{
	if (take(scanner, 'u')) {
		for (int i = 0; i < 4; i++, scanner->at++)
			if (scanner->at == scanner->end || digits_hex(*scanner->at) < 0)
				return false;
		return true;
	}
	if (scanner->at == scanner->end || *scanner->at == '\0' ||
	    strchr("\"\\/bfnrt", *scanner->at) == NULL)
		return false;
	scanner->at++;
	return true;
}

static bool
take_string(struct json_scanner *scanner)
{
	if (!take(scanner, '"'))
		return false;
	while (scanner->at < scanner->end) {
		unsigned char c = (unsigned char)*scanner->at++;
		if (c == '"')
			return true;
		if (c < ' ' || (c == '\\' && !take_escape(scanner)))
			return false;
	}
	return false;
}

static bool take_value(struct json_scanner *scanner, struct json_value *value, int depth);

/* An array or object that stands inside another one; its contents are only checked. */
static bool
take_nested(struct json_scanner *scanner, bool object, int depth)
{
	const char close = object ? '}' : ']';
	struct json_value ignored;

	if (depth >= NESTING_MAX)
		return false;
	scanner->at++;
	skip_space(scanner);
	if (take(scanner, close))
		return true;
	do {
		if (object) {
			skip_space(scanner);
			if (!take_string(scanner))
				return false;
			skip_space(scanner);
			if (!take(scanner, ':'))
				return false;
		}
		if (!take_value(scanner, &ignored, depth + 1))
			return false;
	} while (take(scanner, ','));
	return take(scanner, close);
}

/* One value with the white space around it. */
static bool
take_value(struct json_scanner *scanner, struct json_value *value, int depth)
{
	bool good;

	skip_space(scanner);
	if (scanner->at == scanner->end)
		return false;
	value->text = scanner->at;
	switch (*scanner->at) {
	case '"':
		value->type = JSON_STRING;
		good = take_string(scanner);
		break;
	case 't':
		value->type = JSON_TRUE;
		good = take_word(scanner, "true");
		break;
	case 'f':
		value->type = JSON_FALSE;
		good = take_word(scanner, "false");
		break;
	case 'n':
		value->type = JSON_NULL;
		good = take_word(scanner, "null");
		break;
	case '{':
	case '[':
		value->type = JSON_NESTED;
		good = take_nested(scanner, *scanner->at == '{', depth);
		break;
	default:
		value->type = JSON_NUMBER;
		good = take_number(scanner);
	}
	value->length = (size_t)(scanner->at - value->text);
	skip_space(scanner);
	return good;
}

int
json_scanner_next(struct json_scanner *scanner, struct json_value *key, struct json_value *value)
{
	skip_space(scanner);
	if (!take(scanner, scanner->begun ? ',' : '{')) {
		if (!scanner->begun || !take(scanner, '}'))
			return -1;
		skip_space(scanner);
		return scanner->at == scanner->end ? 0 : -1;
	}
	skip_space(scanner);
	if (!scanner->begun && take(scanner, '}')) {
		skip_space(scanner);
		return scanner->at == scanner->end ? 0 : -1;
	}
	scanner->begun = true;
	*key = (struct json_value){.type = JSON_STRING, .text = scanner->at};
	if (!take_string(scanner))
		return -1;
	key->length = (size_t)(scanner->at - key->text);
	skip_space(scanner);
	if (!take(scanner, ':') || !take_value(scanner, value, 0))
		return -1;
	return 1;
}

/* The four digits of \uXXXX; the scanner has checked them. */
static unsigned
code_unit(const char *digits)
{
	unsigned unit = 0;

	for (int i = 0; i < 4; i++)
		unit = unit << 4 | (unsigned)digits_hex(digits[i]);
	return unit;
}

/* Write a code point as UTF-8, or the byte that a lone low surrogate stands for. Returns its
 * length, 0 if it has none. */
static size_t
point_put(unsigned point, char out[UTF8_MAX])
{
	if (point < 0xd800 || point >= 0xe000)
		return utf8_put(out, point);
	out[0] = (char)(point & 0xff);
	return point >= 0xdc80 && point <= 0xdcff ? 1 : 0;
}

/* Decode the escape behind a backslash at `at`; `*at` is moved behind it. Returns the length
 * written, 0 if it is none. */
static size_t
decode_escape(const char **at, char out[4])
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char c = *(*at)++;
	unsigned point;

	if (c != 'u') {
		out[0] = meant[strchr(letters, c) - letters];
		return 1;
	}
	point = code_unit(*at);
	*at += 4;
	if (point >= 0xd800 && point < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u') {
		unsigned low = code_unit(*at + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
			*at += 6;
		}
	}
	return point == 0 ? 0 : point_put(point, out);
}

int
json_string_decode(const struct json_value *value, char *text, size_t size)
{
	const char *at = value->text + 1, *end = value->text + value->length - 1;
	size_t length = 0;

	if (value->type != JSON_STRING)
		return -1;
	while (at < end) {
		char bytes[4] = {*at++};
		size_t count = bytes[0] == '\\' ? decode_escape(&at, bytes) : 1;
		if (count == 0 || length + count >= size)
			return -1;
		memcpy(text + length, bytes, count);
		length += count;
	}
	if (length >= size)
		return -1;
	text[length] = '\0';
	return 0;
}

/* Multiply by ten to the power `exponent` (divide where it is negative). Returns -1 if it does not
 * fit. */
static int
scale(uint64_t *number, int64_t exponent)
{
	for (; exponent > 0 && *number != 0; exponent--)
		if (__builtin_mul_overflow(*number, (uint64_t)10, number))
			return -1;
	for (; exponent < 0 && *number != 0; exponent++)
		*number /= 10;
	return 0;
}

/* The value without its sign; the scanner has checked its syntax. */
static int
decode_magnitude(const struct json_value *value, int decimals, uint64_t *number)
{
	const char *at = value->text, *end = value->text + value->length;
	int64_t exponent = decimals, written = 0;
	bool fraction = false, downwards;

	*number = 0;
	for (; at < end && *at != 'e' && *at != 'E'; at++) {
		if (*at == '.')
			fraction = true;
		if (*at == '.' || *at == '-')
			continue;
		/* digits beyond what 64 bits hold only count */
		if (*number > (UINT64_MAX - 9) / 10)
			exponent += fraction ? 0 : 1;
		else {
			*number = *number * 10 + (uint64_t)(*at - '0');
			exponent -= fraction ? 1 : 0;
		}
	}
	if (at < end)
		at++;
	downwards = at < end && *at == '-';
	for (; at < end; at++)
		if (*at >= '0' && *at <= '9' && written < 100000)
			written = written * 10 + (*at - '0');
	return scale(number, exponent + (downwards ? -written : written));
}

int
json_number_decode(const struct json_value *value, int decimals, int64_t *number)
{
	uint64_t magnitude;

	if (value->type != JSON_NUMBER || decode_magnitude(value, decimals, &magnitude) != 0 ||
	    magnitude > INT64_MAX)
		return -1;
	*number = value->text[0] == '-' ? -(int64_t)magnitude : (int64_t)magnitude;
	return 0;
}

int
json_unsigned_decode(const struct json_value *value, uint64_t *number)
{
	if (value->type != JSON_NUMBER)
		return -1;
	*number = 0;
	for (size_t i = 0; i < value->length; i++) {
		char c = value->text[i];
		if (c < '0' || c > '9' || __builtin_mul_overflow(*number, (uint64_t)10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(c - '0'), number))
			return -1;
	}
	return 0;
}

/* How many bytes at `text` are one well-formed UTF-8 sequence beyond ASCII (RFC 3629), or 0. */
static size_t
utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, least,
		    most; /* lead byte, and bounds of the byte after it */
		unsigned char length;
	} forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

	if (text[0] < 0x80)
		return 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (text[1] < forms[i].least || text[1] > forms[i].most)
			return 0;
		for (size_t rest = 2; rest < forms[i].length; rest++)
			if ((text[rest] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

size_t
json_string_encode(const char *text, char *json, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *at = (const unsigned char *)text;
	size_t length = 0;

	if (size < 3)
		return 0;
	json[length++] = '"';
	while (*at != '\0') {
		size_t whole = utf8_length(at);
		if (length + 8 > size) /* the longest step, the closing quote and the NUL */
			return 0;
		if (whole == 2 && at[0] == 0xc2 && at[1] < 0xa0) { /* a terminal obeys these too */
			memcpy(json + length, "\\u00", 4);
			json[length + 4] = hex[at[1] >> 4];
			json[length + 5] = hex[at[1] & 15];
			length += 6;
			at += 2;
			continue;
		}
		if (whole > 0) {
			memcpy(json + length, at, whole);
			length += whole;
			at += whole;
			continue;
		}
		if (*at == '"' || *at == '\\')
			json[length++] = '\\';
		if (*at >= ' ' && *at < 0x7f) {
			json[length++] = (char)*at++;
			continue;
		}
		memcpy(json + length, *at < 0x80 ? "\\u00" : "\\udc", 4);
		json[length + 4] = hex[*at >> 4];
		json[length + 5] = hex[*at & 15];
		length += 6;
		at++;
	}
	json[length++] = '"';
	json[length] = '\0';
	return length;
}
