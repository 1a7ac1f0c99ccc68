#include "format/netlog/unseen.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/roots.h"

/* A log that had no file when it was looked for. */
struct absent {
	char *path;
	bool counted;
};

struct unseen {
	char *const *operands;
	uint64_t *older; /* by operand: numbers up to there are older */
	void *absent;	 /* tsearch(3) */
};

/* One look at an operand. */
struct look {
	struct unseen *unseen;
	size_t operand;
	bool (*seen)(void *context, const char *path);
	void *context;
	ssize_t count;
};

static int
absent_compare(const void *one, const void *other)
{
	const struct absent *a = one, *b = other;

	return strcmp(a->path, b->path);
}

static void
absent_free(void *element)
{
	struct absent *absent = element;

	free(absent->path);
	free(absent);
}

struct unseen *
unseen_new(char *const *operands, size_t count)
{
	struct unseen *unseen = calloc(1, sizeof(*unseen));

	if (unseen == NULL)
		return NULL;
	unseen->operands = operands;
	unseen->older = calloc(count + 1, sizeof(*unseen->older));
	if (unseen->older == NULL) {
		free(unseen);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct index *index = index_load(operands[i]);
		const struct index_entry *entries;
		size_t known = 0;
		if (index == NULL)
			continue;
		entries = index_entries(index, &known);
		if (known > 0)
			unseen->older[i] = entries[known - 1].n;
		index_free(index);
	}
	return unseen;
}

void
unseen_free(struct unseen *unseen)
{
	if (unseen == NULL)
		return;
	tdestroy(unseen->absent, absent_free);
	free(unseen->older);
	free(unseen);
}

/* Remember that the log is absent; the path is owned from now on. Returns -1 with errno. */
static int
absent_add(struct unseen *unseen, char *path)
{
	struct absent *absent = calloc(1, sizeof(*absent));

	if (absent == NULL) {
		free(path);
		return -1;
	}
	absent->path = path;
	if (tsearch(absent, &unseen->absent, absent_compare) != NULL)
		return 0;
	absent_free(absent);
	errno = ENOMEM;
	return -1;
}

static void
look_at(void *context, const char *root, const struct index_entry *entry)
{
	struct look *look = context;
	const char *slash = strrchr(root, '/');
	struct absent key = {0}, *const * found;

	if (look->count < 0 || entry->n <= look->unseen->older[look->operand])
		return;
	if (asprintf(&key.path, "%.*s%s", slash != NULL ? (int)(slash + 1 - root) : 0, root,
		entry->log) == -1) {
		look->count = -1;
		return;
	}
	if (look->seen(look->context, key.path)) {
		free(key.path);
		return;
	}
	found = tfind(&key, &look->unseen->absent, absent_compare);
	if (found == NULL) {
		if (absent_add(look->unseen, key.path) != 0)
			look->count = -1;
		return;
	}
	free(key.path);
	if ((*found)->counted)
		return;
	(*found)->counted = true;
	look->count++;
}

ssize_t
unseen_count(struct unseen *unseen, size_t operand, const struct logset *set, const char *recording,
    bool (*seen)(void *context, const char *path), void *context)
{
	struct look look = {unseen, operand, seen, context, 0};

	if (set->missing > 0)
		roots_missing(set, &unseen->operands[operand], 1, recording, look_at, &look);
	if (look.count < 0)
		errno = ENOMEM;
	return look.count;
}
