#include "format/netlog/window.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_SIZE ((size_t)2 * PATTERN_MATCH_MAX)

static void
mark_add(struct window *window, uint64_t begin, uint64_t end)
{
	if (window->mark_count == WINDOW_MARKS) {
		window->mark_count--;
		memmove(window->marks, window->marks + 1,
		    window->mark_count * sizeof(window->marks[0]));
	}
	window->marks[window->mark_count++] = (struct match_range){begin, end};
	if (begin < window->first_new)
		window->first_new = begin;
}

static void
window_search(struct window *window, struct pattern *pattern)
{
	size_t begin, end;

	if (window->next < window->base)
		window->next = window->base;
	while (pattern_find(pattern, window->bytes, window->size,
	    (size_t)(window->next - window->base), window->base == 0, false, &begin, &end)) {
		mark_add(window, window->base + begin, window->base + end);
		window->next = window->base + end;
	}
}

int
window_feed(struct window *window, struct pattern *pattern, const unsigned char *data, size_t size)
{
	if (window->bytes == NULL) {
		window->bytes = malloc(WINDOW_SIZE);
		if (window->bytes == NULL)
			return -1;
	}
	while (size > 0) {
		size_t piece = WINDOW_SIZE - window->size;
		if (piece == 0) {
			/* a match is never longer than what is kept */
			size_t old = WINDOW_SIZE - PATTERN_MATCH_MAX;
			memmove(window->bytes, window->bytes + old, PATTERN_MATCH_MAX);
			window->base += old;
			window->size = PATTERN_MATCH_MAX;
			continue;
		}
		if (piece > size)
			piece = size;
		memcpy(window->bytes + window->size, data, piece);
		window->size += piece;
		data += piece;
		size -= piece;
		window_search(window, pattern);
	}
	return 0;
}

void
window_release(struct window *window)
{
	free(window->bytes);
	window->bytes = NULL;
}

const struct match_range *
window_mark(const struct window *window, uint64_t offset)
{
	for (size_t i = 0; i < window->mark_count; i++) {
		if (window->marks[i].end > offset)
			return &window->marks[i];
	}
	return NULL;
}
