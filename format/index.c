#include "format/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/logname.h"

#define LINE_ROOM 65536 /* index_encode() writes no line that is longer */

struct index {
	struct index_entry *entries;
	size_t count;
	size_t room;
	size_t damaged;
};

static int
entries_add(struct index *index, const struct index_entry *entry)
{
	if (index->count == index->room) {
		size_t room = index->room > 0 ? 2 * index->room : 64;
		struct index_entry *entries = reallocarray(index->entries, room, sizeof(*entries));
		if (entries == NULL)
			return -1;
		index->entries = entries;
		index->room = room;
	}
	index->entries[index->count++] = *entry;
	return 0;
}

/*
 * Read a line without its newline. Returns its length, LINE_ROOM if it is longer than that (it is
 * then passed over), or -1 at the end of the file.
 */
static ssize_t
line_read(FILE *file, char line[LINE_ROOM])
{
	size_t length = 0;
	int c;

	while ((c = getc_unlocked(file)) != EOF && c != '\n')
		if (length < LINE_ROOM) /* the last byte only tells that it is too long */
			line[length++] = (char)c;
	return c == EOF && length == 0 ? -1 : (ssize_t)length;
}

static int
lines_read(struct index *index, FILE *file)
{
	char *line = malloc(LINE_ROOM);
	struct index_entry entry;
	ssize_t length;
	int status = -1;

	if (line == NULL)
		return -1;
	while ((length = line_read(file, line)) >= 0) {
		if (length == LINE_ROOM || index_decode(line, (size_t)length, &entry) != 0)
			index->damaged++;
		else if (entries_add(index, &entry) != 0)
			goto release;
	}
	status = ferror(file) ? -1 : 0;
release:
	free(line);
	return status;
}

static int
entry_compare(const void *a, const void *b)
{
	uint64_t left = ((const struct index_entry *)a)->n,
		 right = ((const struct index_entry *)b)->n;

	return left < right ? -1 : left > right;
}

/* One entry a connection: the last close event, else the open event. The lines of a number are in
 * the file's order. */
static void
entries_join(struct index *index)
{
	struct index_entry *entries = index->entries;
	size_t kept = 0;

	for (size_t i = 0; i < index->count; i++) {
		size_t same = kept;
		while (same > 0 && entries[same - 1].n == entries[i].n &&
		       strcmp(entries[same - 1].run, entries[i].run) != 0)
			same--;
		if (same == 0 || entries[same - 1].n != entries[i].n)
			entries[kept++] = entries[i];
		else if (entries[i].closed)
			entries[same - 1] = entries[i];
	}
	index->count = kept;
}

struct index *
index_load(const char *root)
{
	struct index *index = calloc(1, sizeof(*index));
	FILE *file = NULL;
	char *path = NULL;
	int error;

	if (index == NULL)
		return NULL;
	if (asprintf(&path, "%s" INDEX_SUFFIX, root) < 0) {
		path = NULL;
		goto fail;
	}
	file = fopen(path, "re");
	if (file == NULL && errno != ENOENT)
		goto fail;
	if (file != NULL && lines_read(index, file) != 0)
		goto fail;
	/* mergesort(3) keeps the order of equal ones, qsort(3) need not */
	if (index->count > 1 &&
	    mergesort(index->entries, index->count, sizeof(*index->entries), entry_compare) != 0)
		goto fail;
	entries_join(index);
	if (file != NULL)
		fclose(file);
	free(path);
	return index;
fail:
	error = errno;
	if (file != NULL)
		fclose(file);
	free(path);
	index_free(index);
	errno = error;
	return NULL;
}

void
index_free(struct index *index)
{
	if (index == NULL)
		return;
	free(index->entries);
	free(index);
}

const struct index_entry *
index_find(const struct index *index, uint64_t n)
{
	size_t from = 0, to = index->count;

	/* the first one whose number is greater: the one before it is the latest of its number */
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (index->entries[middle].n <= n)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && index->entries[from - 1].n == n ? &index->entries[from - 1] : NULL;
}

const struct index_entry *
index_entries(const struct index *index, size_t *count)
{
	*count = index->count;
	return index->entries;
}

size_t
index_damaged(const struct index *index)
{
	return index->damaged;
}
