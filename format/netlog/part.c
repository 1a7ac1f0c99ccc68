#include "format/netlog/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/text.h"
#include "format/source.h"

#define OFFSET_MARK ": byte "

/* Bytes of a part as it reads uncompressed; damaged gzip data ends it. Returns -1 with errno. */
static int64_t
part_size(const char *path)
{
	struct source *source = source_open(path);
	int64_t size;

	if (source == NULL)
		return -1;
	size = source_skip(source, INT64_MAX);
	source_free(source);
	return size < 0 ? 0 : size;
}

int
part_find(const struct logset_item *item, uint64_t offset, struct part_place *place)
{
	for (size_t i = 0; i < item->part_count; i++) {
		int64_t size = part_size(item->parts[i]);
		if (size < 0)
			return -1;
		if (offset < (uint64_t)size || i + 1 == item->part_count) {
			*place = (struct part_place){
			    i, offset, offset < (uint64_t)size ? (uint64_t)size - offset : 0};
			return 0;
		}
		offset -= (uint64_t)size;
	}
	return -1;
}

const char *
part_message(const struct logset_item *item, const char *message)
{
	static char text[1200];
	const char *mark = strstr(message, OFFSET_MARK), *rest, *end;
	struct part_place place;
	unsigned long long offset;
	char *colon;

	if (item->part_count < 2 || mark == NULL)
		return message;
	offset = strtoull(mark + strlen(OFFSET_MARK), &colon, 10);
	if (strncmp(colon, ": ", 2) != 0 || part_find(item, offset, &place) != 0)
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
