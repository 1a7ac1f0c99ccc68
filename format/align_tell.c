#include <stdlib.h>
#include <string.h>

#include "format/align_private.h"

static size_t
least(uint64_t one, size_t other)
{
	return one < other ? (size_t)one : other;
}

/* What of the difference is in the buffers: all of it, or the rest of an open one. */
static void
difference_describe(const struct align *align, const uint64_t from[2], const uint64_t until[2],
    struct align_difference *difference)
{
	for (int i = 0; i < 2; i++) {
		const struct align_bytes *bytes = &align->streams[i];
		difference->offset[i] = from[i];
		difference->size[i] = until[i] - from[i];
		difference->bytes[i] = align_bytes_from(bytes, from[i]);
		difference->shown[i] = least(difference->size[i], ALIGN_SHOW);
		difference->before_size[i] = least(from[i] - bytes->base, ALIGN_CONTEXT);
		difference->before[i] = difference->bytes[i] - difference->before_size[i];
		difference->after[i] = align_bytes_from(bytes, until[i]);
		difference->after_size[i] = least(align_bytes_end(bytes) - until[i], ALIGN_CONTEXT);
	}
}

/* Put what was kept of an open difference before its rest. */
static void
difference_complete(struct align_open *open, struct align_difference *difference)
{
	for (int i = 0; i < 2; i++) {
		size_t more = ALIGN_SHOW - open->shown[i];
		if (more > difference->shown[i])
			more = difference->shown[i];
		memcpy(open->bytes[i] + open->shown[i], difference->bytes[i], more);
		open->shown[i] += more;
		difference->offset[i] = open->offset[i];
		difference->size[i] += open->size[i];
		difference->bytes[i] = open->bytes[i];
		difference->shown[i] = open->shown[i];
		difference->before[i] = open->before[i];
		difference->before_size[i] = open->before_size[i];
	}
}

void
align_tell(struct align *align, const uint64_t from[2], const uint64_t until[2])
{
	struct align_difference difference;

	/* two matches that were covered by different ones before may have met */
	if (align->open == NULL && from[0] == until[0] && from[1] == until[1])
		return;
	difference_describe(align, from, until, &difference);
	if (align->open != NULL)
		difference_complete(align->open, &difference);
	align->differences++;
	if (align->config.differ != NULL)
		align->config.differ(align->config.context, &difference);
	free(align->open);
	align->open = NULL;
}

static struct align_open *
open_new(const struct align *align)
{
	struct align_open *open = calloc(1, sizeof(*open));

	if (open == NULL)
		return NULL;
	for (int i = 0; i < 2; i++) {
		const struct align_bytes *bytes = &align->streams[i];
		size_t before = least(bytes->at - bytes->base, ALIGN_CONTEXT);
		open->offset[i] = bytes->at;
		open->before_size[i] = before;
		if (before > 0)
			memcpy(
			    open->before[i], align_bytes_from(bytes, bytes->at) - before, before);
	}
	return open;
}

int
align_swallow(struct align *align, enum align_stream stream, size_t size)
{
	struct align_bytes *bytes = &align->streams[stream];
	struct align_open *open = align->open;
	size_t more;

	if (open == NULL)
		open = align->open = open_new(align);
	if (open == NULL)
		return -1;
	more = least(size, ALIGN_SHOW - open->shown[stream]);
	if (more > 0)
		memcpy(open->bytes[stream] + open->shown[stream],
		    align_bytes_from(bytes, bytes->at), more);
	open->shown[stream] += more;
	open->size[stream] += size;
	bytes->at += size;
	bytes->anchor = bytes->at;
	return 0;
}
