#include "netreplay/carry.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/pattern.h"
#include "netreplay/texts.h"

struct carry_set {
	struct pattern **patterns;
	size_t count;
};

struct carry_table {
	const struct carry_set *set;
	struct texts *texts;
};

struct carry_set *
carry_set_new(void)
{
	return calloc(1, sizeof(struct carry_set));
}

void
carry_set_free(struct carry_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		pattern_free(set->patterns[i]);
	free(set->patterns);
	free(set);
}

int
carry_set_add(struct carry_set *set, const char *text, char *error, size_t error_size)
{
	struct pattern *pattern = pattern_new(text, error, error_size);
	struct pattern **patterns;

	if (pattern == NULL)
		return -1;
	if (pattern_groups(pattern) != 1) {
		snprintf(error, error_size,
		    "has %zu groups, but must have one, (...), around what is carried",
		    pattern_groups(pattern));
		goto fail;
	}
	patterns = reallocarray(set->patterns, set->count + 1, sizeof(struct pattern *));
	if (patterns == NULL) {
		snprintf(error, error_size, "%s", strerror(errno));
		goto fail;
	}
	set->patterns = patterns;
	set->patterns[set->count++] = pattern;
	return 0;
fail:
	pattern_free(pattern);
	return -1;
}

size_t
carry_set_count(const struct carry_set *set)
{
	return set->count;
}

struct carry_table *
carry_table_new(const struct carry_set *set)
{
	struct carry_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->set = set;
	table->texts = texts_new();
	if (table->texts == NULL) {
		free(table);
		return NULL;
	}
	return table;
}

void
carry_table_free(struct carry_table *table)
{
	if (table == NULL)
		return;
	texts_free(table->texts);
	free(table);
}

int
carry_table_learn(struct carry_table *table, size_t index, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size)
{
	struct pattern *pattern;
	const unsigned char *from = recorded, *to = live;
	size_t from_begin, from_end, to_begin, to_end;

	if (index >= table->set->count)
		return 0;
	pattern = table->set->patterns[index];
	if (!pattern_group(pattern, from, recorded_size, &from_begin, &from_end) ||
	    !pattern_group(pattern, to, live_size, &to_begin, &to_end) || from_begin == from_end)
		return 0;
	return texts_put(table->texts, from + from_begin, from_end - from_begin, to + to_begin,
	    to_end - to_begin);
}

int
carry_table_learn_within(struct carry_table *table, size_t index, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size, uint64_t *matches)
{
	struct pattern *pattern = table->set->patterns[index];
	const unsigned char *from = recorded, *to = live;
	size_t from_begin, from_end = 0, to_begin, to_end = 0;

	while (pattern_find(
		   pattern, from, recorded_size, from_end, false, false, &from_begin, &from_end) &&
	       pattern_find(pattern, to, live_size, to_end, false, false, &to_begin, &to_end)) {
		++*matches;
		if (carry_table_learn(table, index, from + from_begin, from_end - from_begin,
			to + to_begin, to_end - to_begin) == -1)
			return -1;
	}
	return 0;
}

size_t
carry_table_count(const struct carry_table *table)
{
	return texts_count(table->texts);
}

/* Append to what is returned next. */
static int
stream_append(struct carry_stream *stream, const void *data, size_t size, size_t *filled)
{
	if (size > stream->out_capacity - *filled) {
		size_t capacity = (*filled + size) * 2;
		unsigned char *out = realloc(stream->out, capacity);
		if (out == NULL)
			return -1;
		stream->out = out;
		stream->out_capacity = capacity;
	}
	if (size > 0)
		memcpy(stream->out + *filled, data, size);
	*filled += size;
	return 0;
}

/* Keep the end of `data` for the next call; `data` may lie in what is kept now. */
static int
stream_hold(struct carry_stream *stream, const unsigned char *data, size_t size)
{
	unsigned char *held = NULL;

	if (size > 0) {
		held = malloc(size);
		if (held == NULL)
			return -1;
		memcpy(held, data, size);
	}
	free(stream->held);
	stream->held = held;
	stream->held_size = size;
	return 0;
}

/* Join what is held and what was given. */
static int
stream_join(struct carry_stream *stream, const void *data, size_t size)
{
	unsigned char *joined = realloc(stream->held, stream->held_size + size);

	if (joined == NULL)
		return -1;
	memcpy(joined + stream->held_size, data, size);
	stream->held = joined;
	stream->held_size += size;
	return 0;
}

int
carry_stream_rewrite(struct carry_stream *stream, const struct carry_table *table, const void *data,
    size_t size, bool last, const unsigned char **out, size_t *out_size)
{
	const unsigned char *bytes = data;
	size_t at = 0, copied = 0, filled = 0;

	if (stream->held_size > 0 && size > 0) {
		if (stream_join(stream, data, size) != 0)
			return -1;
	}
	if (stream->held_size > 0) {
		bytes = stream->held;
		size = stream->held_size;
	}
	*out = stream->out;
	*out_size = 0;
	if (size == 0)
		return 0;
	while (at < size) {
		struct text_match match;
		at += texts_skip(table->texts, bytes + at, size - at);
		if (at == size)
			break;
		texts_match(table->texts, bytes + at, size - at, &match);
		if (match.open && !last)
			break;
		if (match.size == 0) {
			at++;
			continue;
		}
		if (stream_append(stream, bytes + copied, at - copied, &filled) != 0 ||
		    stream_append(stream, match.to, match.to_size, &filled) != 0)
			return -1;
		at += match.size;
		copied = at;
	}
	if (stream_append(stream, bytes + copied, at - copied, &filled) != 0 ||
	    stream_hold(stream, bytes + at, size - at) != 0)
		return -1;
	*out = stream->out;
	*out_size = filled;
	return 0;
}

void
carry_stream_release(struct carry_stream *stream)
{
	free(stream->held);
	free(stream->out);
	memset(stream, 0, sizeof(*stream));
}
