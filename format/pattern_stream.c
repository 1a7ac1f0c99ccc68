#include "format/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "format/pattern_search.h"

/*
 * Whether and where a match ends is certain only with PATTERN_MATCH_MAX bytes behind its beginning,
 * or at the stream's end. So bytes are gathered, and all but the last PATTERN_MATCH_MAX of them
 * searched at a time, when the buffer is full: a byte is searched once and a quarter, however small
 * the pieces are.
 */
#define BUFFER_SIZE ((size_t)4 * PATTERN_MATCH_MAX)

/* What is known of one pattern's next match: there is none that begins before `searched`. */
struct candidate {
	struct pattern *pattern;
	bool found;
	uint64_t searched;
	uint64_t begin, end; /* if found */
};

struct pattern_stream {
	unsigned char *buffer;
	size_t size;
	uint64_t base; /* offset of buffer[0] in the stream */
	uint64_t next; /* where the next match may begin: behind the one before */
	void (*found)(void *context, size_t pattern, uint64_t begin, uint64_t end);
	void *context;
	size_t count;
	struct candidate candidates[];
};

struct pattern_stream *
pattern_stream_new(struct pattern *const *patterns, size_t count,
    void (*found)(void *context, size_t pattern, uint64_t begin, uint64_t end), void *context)
{
	struct pattern_stream *stream =
	    calloc(1, sizeof(*stream) + count * sizeof(stream->candidates[0]));

	if (stream == NULL)
		return NULL;
	stream->buffer = malloc(BUFFER_SIZE);
	if (stream->buffer == NULL) {
		free(stream);
		return NULL;
	}
	stream->found = found;
	stream->context = context;
	stream->count = count;
	for (size_t i = 0; i < count; i++)
		stream->candidates[i].pattern = patterns[i];
	return stream;
}

void
pattern_stream_free(struct pattern_stream *stream)
{
	if (stream == NULL)
		return;
	free(stream->buffer);
	free(stream);
}

/* Have the candidate's next match known, if it begins before `before`. Returns -1 if there was no
 * memory. */
static int
candidate_search(
    const struct pattern_stream *stream, struct candidate *candidate, uint64_t before, bool ended)
{
	const struct pattern_span span = {stream->buffer, stream->size, stream->base == 0, ended};
	size_t begin, end;
	int found;

	if (candidate->found && candidate->begin >= stream->next)
		return 0;
	candidate->found = false;
	if (candidate->searched < stream->next)
		candidate->searched = stream->next;
	if (candidate->searched >= before)
		return 0;
	found =
	    pattern_search(candidate->pattern, &span, (size_t)(candidate->searched - stream->base),
		(size_t)(before - stream->base), &begin, &end);
	if (found < 0)
		return -1;
	candidate->searched = before;
	if (found > 0) {
		candidate->found = true;
		candidate->begin = stream->base + begin;
		candidate->end = stream->base + end;
		candidate->searched = candidate->begin + 1;
	}
	return 0;
}

static bool
is_better(const struct candidate *candidate, const struct candidate *best)
{
	if (best == NULL || candidate->begin != best->begin)
		return best == NULL || candidate->begin < best->begin;
	return candidate->end > best->end;
}

/* Tell all matches that begin before `before`. */
static int
stream_search(struct pattern_stream *stream, uint64_t before, bool ended)
{
	while (stream->next < before) {
		const struct candidate *best = NULL;
		for (size_t i = 0; i < stream->count; i++) {
			struct candidate *candidate = &stream->candidates[i];
			if (candidate_search(stream, candidate, before, ended) != 0)
				return -1;
			if (candidate->found && is_better(candidate, best))
				best = candidate;
		}
		if (best == NULL) {
			stream->next = before;
			break;
		}
		stream->next = best->end;
		stream->found(
		    stream->context, (size_t)(best - stream->candidates), best->begin, best->end);
	}
	return 0;
}

int
pattern_stream_feed(struct pattern_stream *stream, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	while (size > 0) {
		size_t piece = BUFFER_SIZE - stream->size;
		if (piece > size)
			piece = size;
		memcpy(stream->buffer + stream->size, bytes, piece);
		stream->size += piece;
		bytes += piece;
		size -= piece;
		if (stream->size < BUFFER_SIZE)
			break;
		/* one byte more is kept than a match has, so that "$" is not tried at the buffer's
		 * end */
		uint64_t before = stream->base + BUFFER_SIZE - PATTERN_MATCH_MAX;
		if (stream_search(stream, before, false) != 0)
			return -1;
		memmove(
		    stream->buffer, stream->buffer + (before - stream->base), PATTERN_MATCH_MAX);
		stream->base = before;
		stream->size = PATTERN_MATCH_MAX;
	}
	return 0;
}

int
pattern_stream_end(struct pattern_stream *stream)
{
	return stream_search(stream, stream->base + stream->size, true);
}
