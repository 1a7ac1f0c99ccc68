#include "format/mask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A counter searches when that much more has come: a match that goes on is gone through again. */
#define COUNTER_STEP 8192

struct mask_counter {
	struct mask_set *set;
	unsigned char *data;
	size_t size, capacity;
	size_t due;	/* search when `size` is that */
	uint64_t count; /* bytes of the stream before data[0] */
};

void
mask_set_init(struct mask_set *set)
{
	*set = (struct mask_set){.masks = NULL};
}

void
mask_set_release(struct mask_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		pattern_free(set->masks[i].pattern);
	free(set->masks);
	automaton_free(set->automaton);
	mask_set_init(set);
}

static int
fail(char *error, size_t error_size, int number)
{
	snprintf(error, error_size, "%s", strerror(number));
	return -1;
}

int
mask_set_add(struct mask_set *set, const char *text, char *error, size_t error_size)
{
	struct mask *masks = reallocarray(set->masks, set->count + 1, sizeof(*masks));
	struct pattern *pattern;

	if (masks == NULL)
		return fail(error, error_size, errno);
	set->masks = masks;
	if (set->automaton == NULL)
		set->automaton = automaton_new();
	if (set->automaton == NULL)
		return fail(error, error_size, errno);
	pattern = pattern_new(text, error, error_size);
	if (pattern == NULL)
		return -1;
	if (automaton_add(set->automaton, text) != 0) {
		pattern_free(pattern);
		return fail(error, error_size, errno);
	}
	masks[set->count++] = (struct mask){.pattern = pattern};
	return 0;
}

int
mask_set_replace(
    struct mask_set *set, size_t index, const char *text, char *error, size_t error_size)
{
	struct pattern *pattern = pattern_new(text, error, error_size);
	struct automaton *automaton;

	if (pattern == NULL)
		return -1;
	automaton = automaton_new();
	if (automaton == NULL)
		goto fail;
	for (size_t i = 0; i < set->count; i++) {
		const struct pattern *each = i == index ? pattern : set->masks[i].pattern;
		if (automaton_add(automaton, pattern_text(each)) != 0)
			goto fail;
	}
	automaton_free(set->automaton);
	set->automaton = automaton;
	pattern_free(set->masks[index].pattern);
	set->masks[index].pattern = pattern;
	return 0;
fail:
	fail(error, error_size, errno);
	automaton_free(automaton);
	pattern_free(pattern);
	return -1;
}

/* A name or a pattern as part of a message: without control characters, not endless. */
static void
text_clean(const char *text, char *clean, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i] != '\0'; i++) {
		unsigned char byte = (unsigned char)text[i];
		clean[i] = byte >= ' ' && byte < 0x7f ? text[i] : '?';
	}
	clean[i] = '\0';
}

int
mask_set_load(struct mask_set *set, const char *path, char *error, size_t error_size)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	char name[256], why[256] = "";
	char *line = NULL;
	size_t capacity = 0, number = 0;
	ssize_t length;
	int result = -1;

	text_clean(standard ? "standard input" : path, name, sizeof(name));
	if (file == NULL) {
		snprintf(error, error_size, "%s: %s", name, strerror(errno));
		return -1;
	}
	while ((errno = 0, length = getline(&line, &capacity, file)) != -1) {
		number++;
		while (length > 0 && strchr("\r\n", line[length - 1]) != NULL)
			line[--length] = '\0';
		if (length == 0 || line[0] == '#')
			continue;
		if (strlen(line) != (size_t)length)
			snprintf(why, sizeof(why), "a NUL byte (write it as \\x00)");
		else if (mask_set_add(set, line, why, sizeof(why)) == 0)
			continue;
		snprintf(error, error_size, "%s: line %zu: %s", name, number, why);
		goto close;
	}
	if (ferror(file) || errno == ENOMEM) {
		snprintf(error, error_size, "%s: %s", name, strerror(errno));
		goto close;
	}
	result = 0;
close:
	free(line);
	if (!standard)
		fclose(file);
	return result;
}

bool
mask_set_in_lines(const struct mask_set *set)
{
	return set->automaton == NULL || automaton_in_lines(set->automaton);
}

bool
mask_set_find(const struct mask_set *set, const unsigned char *data, size_t size, size_t from,
    size_t before, bool at_start, bool at_end, struct mask_match *match)
{
	const struct automaton_span span = {data, size, from, before, at_start, at_end};
	struct automaton_match found;

	if (set->count == 0)
		return false;
	automaton_search(set->automaton, &span, &found);
	if (!found.found)
		return false;
	*match = (struct mask_match){found.pattern, found.begin, found.end};
	return true;
}

/* -- counting -- */

struct mask_counter *
mask_counter_new(struct mask_set *set)
{
	struct mask_counter *counter = calloc(1, sizeof(*counter));

	if (counter == NULL)
		return NULL;
	counter->set = set;
	counter->due = COUNTER_STEP;
	return counter;
}

void
mask_counter_free(struct mask_counter *counter)
{
	if (counter == NULL)
		return;
	free(counter->data);
	free(counter);
}

/* Count what is certain, and keep the rest. */
static void
counter_search(struct mask_counter *counter, bool ended)
{
	struct automaton_span span = {
	    counter->data, counter->size, 0, counter->size, counter->count == 0, ended};
	struct automaton_match match;
	size_t keep;

	for (;;) {
		automaton_search(counter->set->automaton, &span, &match);
		if (!match.certain || !match.found)
			break;
		counter->set->masks[match.pattern].matches++;
		counter->set->masks[match.pattern].bytes += match.end - match.begin;
		span.from = match.end;
	}
	keep = match.certain ? counter->size : match.alive;
	counter->size -= keep;
	counter->count += keep;
	memmove(counter->data, counter->data + keep, counter->size);
	counter->due =
	    counter->size + (counter->size / 4 > COUNTER_STEP ? counter->size / 4 : COUNTER_STEP);
}

int
mask_counter_feed(struct mask_counter *counter, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	counter->set->searched += size;
	if (counter->set->count == 0)
		return 0;
	while (size > 0) {
		size_t piece = counter->due - counter->size;
		if (piece > size)
			piece = size;
		if (counter->size + piece > counter->capacity) {
			unsigned char *grown = realloc(counter->data, counter->due);
			if (grown == NULL)
				return -1;
			counter->data = grown;
			counter->capacity = counter->due;
		}
		memcpy(counter->data + counter->size, bytes, piece);
		counter->size += piece;
		bytes += piece;
		size -= piece;
		if (counter->size == counter->due)
			counter_search(counter, false);
	}
	return 0;
}

int
mask_counter_end(struct mask_counter *counter)
{
	if (counter->set->count > 0 && counter->size > 0)
		counter_search(counter, true);
	return 0;
}
