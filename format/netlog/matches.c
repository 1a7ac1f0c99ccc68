#include "format/netlog/matches.h"

#include <errno.h>
#include <stdlib.h>

struct matches {
	enum side side;
	struct reader *reader; /* NULL once the log has ended */
	struct pattern_stream *stream;
	struct match_range *ranges; /* found and not passed yet: [first, count) */
	size_t first, count, room;
	uint64_t found;
	bool in_payload;
	bool failed; /* out of memory in range_add() */
};

static void
range_add(void *context, size_t pattern, uint64_t begin, uint64_t end)
{
	struct matches *matches = context;

	(void)pattern;
	matches->found++;
	if (matches->count > matches->first && matches->ranges[matches->count - 1].end == begin) {
		matches->ranges[matches->count - 1].end = end;
		return;
	}
	if (matches->first == matches->count)
		matches->first = matches->count = 0;
	if (matches->count == matches->room) {
		size_t room = matches->room > 0 ? 2 * matches->room : 16;
		struct match_range *ranges = reallocarray(matches->ranges, room, sizeof(*ranges));
		if (ranges == NULL) {
			matches->failed = true;
			return;
		}
		matches->ranges = ranges;
		matches->room = room;
	}
	matches->ranges[matches->count++] = (struct match_range){begin, end};
}

struct matches *
matches_new(const struct logset_item *item, enum side side, struct pattern *pattern)
{
	struct matches *matches = calloc(1, sizeof(*matches));
	int error;

	if (matches == NULL)
		return NULL;
	matches->side = side;
	matches->reader = logset_reader(item);
	if (matches->reader != NULL)
		matches->stream = pattern_stream_new(&pattern, 1, range_add, matches);
	if (matches->stream != NULL)
		return matches;
	error = errno;
	matches_free(matches);
	errno = error;
	return NULL;
}

void
matches_free(struct matches *matches)
{
	if (matches == NULL)
		return;
	reader_free(matches->reader);
	pattern_stream_free(matches->stream);
	free(matches->ranges);
	free(matches);
}

/* Search one piece more. Returns -1 with errno. */
static int
search_on(struct matches *matches)
{
	const unsigned char *piece;
	struct record record;
	ssize_t size = 0;
	int result;

	if (matches->in_payload)
		size = reader_data(matches->reader, &piece);
	if (size > 0)
		return pattern_stream_feed(matches->stream, piece, (size_t)size);
	if (reader_next(matches->reader, &record) == READER_RECORD) {
		matches->in_payload = record.type == RECORD_DATA && record.side == matches->side;
		return 0;
	}
	/* a damaged log ends here; whoever reads it for its records tells so */
	reader_free(matches->reader);
	matches->reader = NULL;
	result = pattern_stream_end(matches->stream);
	pattern_stream_free(matches->stream);
	matches->stream = NULL;
	return result;
}

int
matches_next(struct matches *matches, uint64_t offset, struct match_range *range)
{
	for (;;) {
		while (matches->first < matches->count &&
		       matches->ranges[matches->first].end <= offset)
			matches->first++;
		if (matches->first < matches->count) {
			*range = matches->ranges[matches->first];
			return 1;
		}
		if (matches->reader == NULL)
			return 0;
		if (search_on(matches) != 0 || matches->failed)
			return -1;
	}
}

uint64_t
matches_count(const struct matches *matches)
{
	return matches->found;
}
