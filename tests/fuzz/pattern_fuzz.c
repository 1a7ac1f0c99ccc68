/* A pattern up to the first newline, then data: a stream tells the same matches in one piece and
 * byte by byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/pattern.h"

#define TEXT_MAX 64
#define MATCHES_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct matches {
	size_t count;
	uint64_t offsets[2 * MATCHES_MAX];
};

static void
found(void *context, size_t pattern, uint64_t begin, uint64_t end)
{
	struct matches *matches = context;

	if (pattern != 0 || begin >= end)
		abort();
	if (matches->count == MATCHES_MAX)
		return;
	matches->offsets[2 * matches->count] = begin;
	matches->offsets[2 * matches->count++ + 1] = end;
}

static void
search(struct pattern *pattern, const uint8_t *data, size_t size, size_t piece,
    struct matches *matches)
{
	struct pattern_stream *stream = pattern_stream_new(&pattern, 1, found, matches);

	if (stream == NULL)
		abort();
	for (size_t at = 0; at < size; at += piece)
		if (pattern_stream_feed(stream, data + at, size - at < piece ? size - at : piece) !=
		    0)
			abort();
	if (pattern_stream_end(stream) != 0)
		abort();
	pattern_stream_free(stream);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct matches whole, bytes;
	const uint8_t *newline = memchr(data, '\n', size < TEXT_MAX ? size : TEXT_MAX);
	char text[TEXT_MAX + 1], error[256];
	struct pattern *pattern;
	size_t length;

	if (newline == NULL)
		return 0;
	length = (size_t)(newline - data);
	memcpy(text, data, length);
	text[length] = '\0';
	pattern = pattern_new(text, error, sizeof(error));
	if (pattern == NULL) {
		if (error[0] == '\0')
			abort();
		return 0;
	}
	whole.count = bytes.count = 0;
	search(pattern, newline + 1, size - length - 1, size, &whole);
	search(pattern, newline + 1, size - length - 1, 1, &bytes);
	if (whole.count != bytes.count ||
	    memcmp(whole.offsets, bytes.offsets, 16 * whole.count) != 0)
		abort();
	pattern_free(pattern);
	return 0;
}
