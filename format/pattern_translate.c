#include "format/pattern_translate.h"

#include <stdbool.h>
#include <string.h>

#include "format/digits.h"

#define DEPTH_MAX 200 /* of parentheses: the compiler of regular expressions recurs */
#define SIZE_LIMIT 2048

/*
 * What stands inside one pair of parentheses, counted in the bytes it matches with all repetitions
 * written out as re_compile_pattern(3) does; the memory that takes grows with the square of it
 * ("a{1,2048}": 35 MB), and with a few characters that double one another it had no bound.
 */
struct level {
	size_t size;
	size_t atom; /* of that, what a repetition here would repeat */
};

struct translation {
	const char *at; /* what is left of the text */
	char *out;
	bool repeated; /* a repetition stands before `at` */
	size_t depth;
	struct level levels[DEPTH_MAX + 1];
};

/* Take the escape at `at`, a backslash, if it stands for a byte. Returns 1, 0 if it is none, -1 if
 * it is no valid \xHH. */
static int
take_byte(struct translation *translation, char *byte)
{
	const char *at = translation->at + 1;
	int high, low;

	switch (*at) {
	case 'r':
		*byte = '\r';
		break;
	case 'n':
		*byte = '\n';
		break;
	case 't':
		*byte = '\t';
		break;
	case 'x':
		high = digits_hex(at[1]);
		low = high < 0 ? -1 : digits_hex(at[2]);
		if (low < 0)
			return -1;
		*byte = (char)(high << 4 | low);
		at += 2;
		break;
	default:
		return 0;
	}
	translation->at = at + 1;
	return 1;
}

static bool
is_special(char c)
{
	return c != '\0' && strchr(".[]()*+?{}|^$\\", c) != NULL;
}

static const char *
translate_escape(struct translation *translation)
{
	char byte;
	int taken = take_byte(translation, &byte);

	if (taken < 0)
		return "\\x wants two hexadecimal digits";
	if (taken == 0) {
		byte = translation->at[1];
		if (byte == '\0')
			return "trailing backslash";
		if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'))
			return "unknown escape: only \\xHH, \\r, \\n and \\t are understood";
		if (byte >= '0' && byte <= '9')
			return "back-references are not supported";
		translation->at += 2;
	}
	if (is_special(byte))
		*translation->out++ = '\\';
	*translation->out++ = byte;
	return NULL;
}

/* A byte that was escaped inside brackets: as a collating symbol where it would mean something
 * there. */
static void
bracket_byte(struct translation *translation, char byte)
{
	bool special = byte == ']' || byte == '[' || byte == '^' || byte == '-';

	if (special) {
		*translation->out++ = '[';
		*translation->out++ = '.';
	}
	*translation->out++ = byte;
	if (special) {
		*translation->out++ = '.';
		*translation->out++ = ']';
	}
}

/* Copy "[:alpha:]", "[.x.]" or "[=x=]" inside brackets. Returns false if it does not end. */
static bool
copy_class(struct translation *translation)
{
	const char close[] = {translation->at[1], ']', '\0'};
	const char *end = strstr(translation->at + 2, close);
	size_t length;

	if (end == NULL)
		return false;
	length = (size_t)(end + 2 - translation->at);
	memcpy(translation->out, translation->at, length);
	translation->out += length;
	translation->at += length;
	return true;
}

static const char *
translate_bracket(struct translation *translation)
{
	static const char unmatched[] = "unmatched [";
	bool first = true;

	*translation->out++ = *translation->at++;
	if (*translation->at == '^')
		*translation->out++ = *translation->at++;
	for (; *translation->at != ']' || first; first = false) {
		char byte = *translation->at;
		int taken;
		if (byte == '\0')
			return unmatched;
		if (byte == '[' && translation->at[1] != '\0' &&
		    strchr(":.=", translation->at[1]) != NULL) {
			if (!copy_class(translation))
				return unmatched;
			continue;
		}
		if (byte == '\\') {
			taken = take_byte(translation, &byte);
			if (taken < 0)
				return "\\x wants two hexadecimal digits";
			if (taken > 0) {
				bracket_byte(translation, byte);
				continue;
			}
			/* "\\" is a backslash, once or twice, and what follows it is no escape */
			if (translation->at[1] == '\\')
				translation->at++;
		}
		*translation->out++ = byte;
		translation->at++;
	}
	*translation->out++ = *translation->at++;
	return NULL;
}

/* The number at `*at` (0 if there is none), which is moved behind it. Large ones are cut: they are
 * too large anyway. */
static size_t
bound(const char **at)
{
	size_t number = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (number <= SIZE_LIMIT)
			number = number * 10 + (size_t)(**at - '0');
	return number;
}

/* Copy "*", "+", "?" or the "{" of an interval, whose other characters are plain ones here. */
static const char *
translate_repetition(struct translation *translation)
{
	struct level *level = &translation->levels[translation->depth];
	const char *at = translation->at + 1;
	size_t times = 1, most;

	if (translation->repeated)
		return "two repetitions in a row";
	if (*translation->at == '+') {
		times = 2; /* "a+" is "aa*" */
	} else if (*translation->at == '{') {
		times = bound(&at);
		most = *at == ',' ? (at++, bound(&at)) : 0;
		if (most > times)
			times = most;
		if (*at == '}')
			at++;
	}
	while (translation->at < at)
		*translation->out++ = *translation->at++;
	translation->repeated = true;
	if (times > 1) {
		level->size += level->atom * (times - 1);
		level->atom *= times;
	}
	return NULL;
}

/* Copy a parenthesis. */
static const char *
translate_group(struct translation *translation)
{
	char c = *translation->at++;
	struct level *level = &translation->levels[translation->depth];

	*translation->out++ = c;
	if (c == '(') {
		if (translation->depth == DEPTH_MAX)
			return "parentheses are nested too deeply";
		translation->levels[++translation->depth] = (struct level){.size = 0};
	} else if (translation->depth > 0) {
		translation->depth--;
		level[-1].atom = level->size;
		level[-1].size += level->size;
	} else {
		level->atom = 1; /* one too many is a plain character */
		level->size++;
	}
	return NULL;
}

/* Translate what comes next: a byte, brackets, a parenthesis, an operator. */
static const char *
translate_next(struct translation *translation)
{
	struct level *level = &translation->levels[translation->depth];

	if (strchr("*+?{", *translation->at) != NULL)
		return translate_repetition(translation);
	translation->repeated = false;
	if (strchr("()", *translation->at) != NULL)
		return translate_group(translation);
	level->atom = 1;
	level->size++;
	if (*translation->at == '\\')
		return translate_escape(translation);
	if (*translation->at == '[')
		return translate_bracket(translation);
	*translation->out++ = *translation->at++;
	return NULL;
}

const char *
pattern_translate(const char *text, char *regex, size_t *length)
{
	struct translation translation = {.at = text, .out = regex};

	while (*translation.at != '\0') {
		const char *wrong = translate_next(&translation);
		if (wrong == NULL && translation.levels[translation.depth].size > SIZE_LIMIT)
			wrong = "too large with all its repetitions written out";
		if (wrong != NULL)
			return wrong;
	}
	*length = (size_t)(translation.out - regex);
	return NULL;
}
