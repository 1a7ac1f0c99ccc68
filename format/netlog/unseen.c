#include "format/netlog/unseen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/roots.h"

struct unseen {
	char *const *operands;
	uint64_t *older;      /* by operand: numbers up to there are older */
	struct known absent;  /* had no file when they were looked for */
	struct known counted; /* nor had they the next time */
};

/* One look at an operand. */
struct look {
	struct unseen *unseen;
	size_t operand;
	const struct known *known;
	ssize_t count;
};

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
	known_release(&unseen->absent);
	known_release(&unseen->counted);
	free(unseen->older);
	free(unseen);
}

/* A log that was not found before has no file. Returns 1 if it counts by now, 0 if not, -1 with
 * errno. */
static int
absent_count(struct unseen *unseen, const char *path)
{
	if (known_has(&unseen->counted, path))
		return 0;
	if (!known_has(&unseen->absent, path))
		return known_add(&unseen->absent, path);
	return known_add(&unseen->counted, path) == 0 ? 1 : -1;
}

static void
look_at(void *context, const char *root, const struct index_entry *entry)
{
	struct look *look = context;
	const char *slash = strrchr(root, '/');
	char *path;
	int counts;

	if (look->count < 0 || entry->n <= look->unseen->older[look->operand])
		return;
	if (asprintf(&path, "%.*s%s", slash != NULL ? (int)(slash + 1 - root) : 0, root,
		entry->log) == -1) {
		look->count = -1;
		return;
	}
	counts = known_has(look->known, path) ? 0 : absent_count(look->unseen, path);
	look->count = counts < 0 ? -1 : look->count + counts;
	free(path);
}

ssize_t
unseen_count(struct unseen *unseen, size_t operand, const struct logset *set, const char *recording,
    const struct known *known)
{
	struct look look = {unseen, operand, known, 0};

	if (set->missing > 0)
		roots_missing(set, &unseen->operands[operand], 1, recording, look_at, &look);
	if (look.count < 0)
		errno = ENOMEM;
	return look.count;
}
