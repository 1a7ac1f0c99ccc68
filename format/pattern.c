#include "format/pattern.h"

#include <ctype.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/pattern_search.h"
#include "format/pattern_translate.h"

/* What netlog(1) and netreplay(1) call POSIX extended on raw bytes: "." takes NULs but no newlines,
 * "[^x]" neither takes newlines. */
#define SYNTAX                                                                                     \
	((RE_SYNTAX_POSIX_EXTENDED & ~(RE_DOT_NEWLINE | RE_DOT_NOT_NULL)) |                        \
	    RE_HAT_LISTS_NOT_NEWLINE | RE_NO_GNU_OPS | RE_NO_BK_REFS)
#define WINDOW ((size_t)2 * PATTERN_MATCH_MAX)

struct pattern {
	char *text;
	struct re_pattern_buffer compiled;
	/* The same, but with what its groups matched, which takes longer: made when it is asked
	 * for. */
	struct re_pattern_buffer *grouped;
};

/* Compile what pattern_translate() made of the text. Returns NULL, or what is wrong. */
static const char *
compile(
    struct re_pattern_buffer *compiled, const char *regex, size_t length, reg_syntax_t no_groups)
{
	reg_syntax_t before = re_set_syntax(SYNTAX | no_groups);
	const char *wrong;

	compiled->fastmap = malloc(UCHAR_MAX + 1);
	wrong = re_compile_pattern(regex, length, compiled);
	re_set_syntax(before);
	compiled->newline_anchor = 0; /* which re_compile_pattern(3) sets */
	if (wrong != NULL)
		return wrong;
	/* "^" and "$" hold here, and nothing else looks around itself: so it is empty here if it
	 * ever is */
	if (re_match(compiled, "", 0, 0, NULL) >= 0)
		return "matches the empty string";
	return NULL;
}

struct pattern *
pattern_new(const char *text, char *error, size_t error_size)
{
	struct pattern *pattern = calloc(1, sizeof(*pattern));
	char *regex = malloc(PATTERN_TRANSLATED_MAX(strlen(text)));
	const char *wrong = "out of memory";
	size_t length;

	if (pattern == NULL || regex == NULL)
		goto fail;
	pattern->text = strdup(text);
	if (pattern->text == NULL)
		goto fail;
	wrong = pattern_translate(text, regex, &length);
	if (wrong == NULL)
		wrong = compile(&pattern->compiled, regex, length, RE_NO_SUB);
	if (wrong != NULL)
		goto fail;
	free(regex);
	return pattern;
fail:
	free(regex);
	pattern_free(pattern);
	snprintf(error, error_size, "%s", wrong);
	if (error_size > 0)
		error[0] =
		    (char)tolower((unsigned char)error[0]); /* the C library begins in upper case */
	return NULL;
}

void
pattern_free(struct pattern *pattern)
{
	if (pattern == NULL)
		return;
	regfree(&pattern->compiled);
	if (pattern->grouped != NULL)
		regfree(pattern->grouped);
	free(pattern->grouped);
	free(pattern->text);
	free(pattern);
}

const char *
pattern_text(const struct pattern *pattern)
{
	return pattern->text;
}

int
pattern_search(struct pattern *pattern, const struct pattern_span *span, size_t from, size_t before,
    size_t *begin, size_t *end)
{
	struct re_pattern_buffer *compiled = &pattern->compiled;

	while (from < before) {
		/* no match that begins in the window's first half is too long for it */
		const char *window = (const char *)span->data + from;
		size_t size = span->size - from < WINDOW ? span->size - from : WINDOW;
		size_t starts = before - from;
		regoff_t start, length;
		if (size == WINDOW && starts > PATTERN_MATCH_MAX)
			starts = PATTERN_MATCH_MAX;
		compiled->not_bol = from > 0 || !span->at_start;
		compiled->not_eol = from + size < span->size || !span->at_end;
		start = re_search(compiled, window, (regoff_t)size, 0, (regoff_t)starts - 1, NULL);
		if (start == -1) {
			from += starts;
			continue;
		}
		if (start < 0)
			return -1;
		from += (size_t)start;
		window += start;
		size =
		    span->size - from < PATTERN_MATCH_MAX ? span->size - from : PATTERN_MATCH_MAX;
		compiled->not_bol = from > 0 || !span->at_start;
		compiled->not_eol = from + size < span->size || !span->at_end;
		length = re_match(compiled, window, (regoff_t)size, 0, NULL);
		if (length > 0) {
			*begin = from;
			*end = from + (size_t)length;
			return 1;
		}
		if (length < -1)
			return -1;
		from++; /* what begins here is too long */
	}
	return 0;
}

bool
pattern_find(struct pattern *pattern, const unsigned char *data, size_t size, size_t from,
    bool at_start, bool at_end, size_t *begin, size_t *end)
{
	const struct pattern_span span = {data, size, at_start, at_end};

	return pattern_search(pattern, &span, from, size, begin, end) > 0;
}

size_t
pattern_groups(const struct pattern *pattern)
{
	return pattern->compiled.re_nsub;
}

/* Have pattern->grouped. Returns false if there was no memory. */
static bool
compile_grouped(struct pattern *pattern)
{
	struct re_pattern_buffer *grouped = calloc(1, sizeof(*grouped));
	char *regex = malloc(PATTERN_TRANSLATED_MAX(strlen(pattern->text)));
	size_t length;

	if (grouped != NULL && regex != NULL &&
	    pattern_translate(pattern->text, regex, &length) == NULL) {
		if (compile(grouped, regex, length, 0) == NULL)
			pattern->grouped = grouped;
		else
			regfree(grouped);
	}
	free(regex);
	if (pattern->grouped == NULL)
		free(grouped);
	return pattern->grouped != NULL;
}

bool
pattern_group(
    struct pattern *pattern, const unsigned char *match, size_t size, size_t *begin, size_t *end)
{
	struct re_registers registers = {.num_regs = 0};
	bool captured = false;

	if (size > PATTERN_MATCH_MAX || pattern_groups(pattern) == 0 ||
	    (pattern->grouped == NULL && !compile_grouped(pattern)))
		return false;
	pattern->grouped->regs_allocated = REGS_UNALLOCATED;
	if (re_match(pattern->grouped, (const char *)match, (regoff_t)size, 0, &registers) ==
		(regoff_t)size &&
	    registers.start[1] >= 0) {
		*begin = (size_t)registers.start[1];
		*end = (size_t)registers.end[1];
		captured = true;
	}
	free(registers.start);
	free(registers.end);
	return captured;
}
