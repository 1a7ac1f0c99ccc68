#include "format/netlog/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/text.h"
#include "format/source.h"

#define OFFSET_MARK ": byte "

/* Bytes of a part as it reads uncompressed. Returns -1 with errno. */
static int64_t
part_size(const char *path)
{
	struct source *source = source_open(path);
	int64_t size;

	if (source == NULL)
		return -1;
	size = source_skip(source, INT64_MAX);
	source_free(source);
	return size;
}

int
part_find(const struct logset_item *item, size_t last, uint64_t offset, struct part_place *place)
{
	for (size_t i = 0; i < last; i++) {
		int64_t size = part_size(item->parts[i]);
		if (size < 0)
			return -1;
		if (offset < (uint64_t)size) {
			*place = (struct part_place){i, offset};
			return 0;
		}
		offset -= (uint64_t)size;
	}
	*place = (struct part_place){last, offset};
	return 0;
}

const char *
part_message(const struct logset_item *item, size_t last, const char *message)
{
	static char text[1200];
	const char *mark = strstr(message, OFFSET_MARK), *rest, *end;
	struct part_place place;
	unsigned long long offset;
	char *colon;

	if (item->part_count < 2 || mark == NULL)
		return message;
	offset = strtoull(mark + strlen(OFFSET_MARK), &colon, 10);
	if (strncmp(colon, ": ", 2) != 0 || part_find(item, last, offset, &place) != 0)
		return message;
	/* what names the record's beginning counts from the log's */
	rest = colon + 2;
	end = strstr(rest, " (record at byte ");
	if (end == NULL)
		end = strstr(rest, " of the record at byte ");
	if (end == NULL)
		end = rest + strlen(rest);
	snprintf(text, sizeof(text), "%s: byte %llu: %.*s (byte %llu of all parts)",
	    text_name(item->parts[place.part]), (unsigned long long)place.offset, (int)(end - rest),
	    rest, offset);
	return text;
}
