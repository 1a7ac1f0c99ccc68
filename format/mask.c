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
	for (size_t i = 0; i < set->count; i++) {
		pattern_free(set->masks[i].pattern);
		automaton_free(set->masks[i].automaton);
	}
	free(set->masks);
	mask_set_init(set);
}

/* Compile `text` both ways. Returns 0, or -1 with a reason. */
static int
mask_compile(struct mask *mask, const char *text, char *error, size_t error_size)
{
	struct pattern *pattern = pattern_new(text, error, error_size);
	struct automaton *automaton = pattern != NULL ? automaton_new(text) : NULL;

	if (pattern == NULL)
		return -1;
	if (automaton == NULL) {
		snprintf(error, error_size, "%s", strerror(errno));
		pattern_free(pattern);
		return -1;
	}
	pattern_free(mask->pattern);
	automaton_free(mask->automaton);
	mask->pattern = pattern;
	mask->automaton = automaton;
	return 0;
}

int
mask_set_add(struct mask_set *set, const char *text, char *error, size_t error_size)
{
	struct mask *masks = reallocarray(set->masks, set->count + 1, sizeof(*masks));

	if (masks == NULL) {
		snprintf(error, error_size, "%s", strerror(errno));
		return -1;
	}
	set->masks = masks;
	masks[set->count] = (struct mask){.pattern = NULL};
	if (mask_compile(&masks[set->count], text, error, error_size) != 0)
		return -1;
	set->count++;
	return 0;
}

int
mask_set_replace(
    struct mask_set *set, size_t index, const char *text, char *error, size_t error_size)
{
	return mask_compile(&set->masks[index], text, error, error_size);
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
	for (size_t i = 0; i < set->count; i++)
		if (!automaton_in_lines(set->masks[i].automaton))
			return false;
	return true;
}

/* -- searching -- */

/* Is the match of the mask `mask` to be taken rather than `best`? */
static bool
is_better(const struct automaton_match *found, const struct mask_match *best)
{
	return found->begin < best->begin ||
	       (found->begin == best->begin && found->end > best->end);
}

bool
mask_set_find(const struct mask_set *set, const unsigned char *data, size_t size, size_t from,
    size_t before, bool at_start, bool at_end, struct mask_match *match)
{
	struct automaton_span span = {data, size, from, before, at_start, at_end};
	bool any = false;

	for (size_t i = 0; i < set->count; i++) {
		struct automaton_match found;
		automaton_search(set->masks[i].automaton, &span, &found);
		if (!found.found || (any && !is_better(&found, match)))
			continue;
		any = true;
		*match = (struct mask_match){i, found.begin, found.end};
		span.before = found.begin + 1;
	}
	return any;
}

int
mask_scan_init(
    struct mask_scan *scan, const struct mask_set *set, const struct automaton_span *span)
{
	*scan = (struct mask_scan){.set = set, .span = *span};
	scan->found = calloc(set->count, sizeof(*scan->found) + sizeof(*scan->known));
	if (scan->found == NULL)
		return -1;
	scan->known = (bool *)(scan->found + set->count);
	return 0;
}

void
mask_scan_release(struct mask_scan *scan)
{
	free(scan->found);
	scan->found = NULL;
}

/* Have it known what of mask `index` there is from `from` on. */
static const struct automaton_match *
scan_look(struct mask_scan *scan, size_t index, size_t from)
{
	struct automaton_match *found = &scan->found[index];

	if (scan->known[index] && (!found->found || found->begin >= from) &&
	    (found->certain || found->alive >= from))
		return found;
	scan->span.from = from;
	scan->known[index] = true;
	automaton_search(scan->set->masks[index].automaton, &scan->span, found);
	return found;
}

void
mask_scan_next(struct mask_scan *scan, size_t from, struct mask_scan_match *match)
{
	*match = (struct mask_scan_match){.certain = true};
	for (size_t i = 0; i < scan->set->count; i++) {
		const struct automaton_match *found = scan_look(scan, i, from);
		if (!found->certain && (match->certain || found->alive < match->alive)) {
			match->certain = false;
			match->alive = found->alive;
		}
		if (found->found && (!match->found || is_better(found, &match->match))) {
			match->found = true;
			match->match = (struct mask_match){i, found->begin, found->end};
		}
	}
	/* what may begin behind it does not matter */
	if (match->found && match->alive > match->match.begin)
		match->certain = true;
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

/* Count what is certain, and keep the rest. Returns -1 with errno. */
static int
counter_search(struct mask_counter *counter, bool ended)
{
	const struct automaton_span span = {
	    counter->data, counter->size, 0, counter->size, counter->count == 0, ended};
	struct mask_scan_match next;
	struct mask_scan scan;
	size_t from = 0, keep, more;

	if (mask_scan_init(&scan, counter->set, &span) != 0)
		return -1;
	while (mask_scan_next(&scan, from, &next), next.certain && next.found) {
		struct mask *mask = &counter->set->masks[next.match.mask];
		mask->matches++;
		mask->bytes += next.match.end - next.match.begin;
		from = next.match.end;
	}
	mask_scan_release(&scan);
	keep = next.certain ? counter->size : next.alive;
	counter->size -= keep;
	counter->count += keep;
	memmove(counter->data, counter->data + keep, counter->size);
	more = counter->size / 4 > COUNTER_STEP ? counter->size / 4 : COUNTER_STEP;
	counter->due = counter->size + more;
	return 0;
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
		if (counter->size == counter->due && counter_search(counter, false) != 0)
			return -1;
	}
	return 0;
}

int
mask_counter_end(struct mask_counter *counter)
{
	return counter->set->count > 0 && counter->size > 0 ? counter_search(counter, true) : 0;
}
