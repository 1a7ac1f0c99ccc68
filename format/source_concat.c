#include "format/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/logname.h"

struct concat_source {
	struct source source;
	char **paths;
	size_t count;
	size_t next;		/* the path to be opened after `current` */
	struct source *current; /* NULL: none is open */
};

/* Open a part, by the name it has once gzip(1) was at it if it no longer has its own. Returns NULL
 * with errno. */
static struct source *
part_open(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct source *source = source_open(path);
	struct logname name;
	char *compressed;

	if (source != NULL || errno != ENOENT ||
	    !logname_parse(slash != NULL ? slash + 1 : path, &name) || name.gzip)
		return source;
	compressed = logname_part(path, name.part, true);
	if (compressed == NULL)
		return NULL;
	source = source_open(compressed);
	free(compressed);
	return source;
}

/* Open the next path. Returns 1, 0 if there is none, -1 with errno. */
static int
open_next(struct concat_source *concat)
{
	if (concat->next == concat->count)
		return 0;
	concat->current = part_open(concat->paths[concat->next]);
	if (concat->current == NULL)
		return -1;
	concat->next++;
	return 1;
}

/* Close the current path unless it is the last one, which may be read again. Returns whether it was
 * closed. */
static bool
close_current(struct concat_source *concat)
{
	if (concat->next == concat->count)
		return false;
	source_free(concat->current);
	concat->current = NULL;
	return true;
}

static ssize_t
concat_read(struct source *source, void *buffer, size_t size)
{
	struct concat_source *concat = (struct concat_source *)source;

	if (size == 0)
		return 0;
	for (;;) {
		ssize_t got;
		if (concat->current == NULL) {
			int opened = open_next(concat);
			if (opened <= 0)
				return opened;
		}
		got = source_read(concat->current, buffer, size);
		if (got != 0 || !close_current(concat))
			return got;
	}
}

static int64_t
concat_skip(struct source *source, uint64_t count)
{
	struct concat_source *concat = (struct concat_source *)source;
	uint64_t passed = 0;

	while (passed < count) {
		int64_t skipped = -1;
		if (concat->current != NULL || open_next(concat) > 0)
			skipped = source_skip(concat->current, count - passed);
		else if (concat->next == concat->count)
			break;
		if (skipped < 0)
			return passed > 0 ? (int64_t)passed : -1;
		if (skipped == 0 && !close_current(concat))
			break;
		passed += (uint64_t)skipped;
	}
	return (int64_t)passed;
}

static size_t
concat_part(const struct source *source)
{
	const struct concat_source *concat = (const struct concat_source *)source;

	return concat->current != NULL ? concat->next - 1 : concat->next;
}

static void
concat_free(struct source *source)
{
	struct concat_source *concat = (struct concat_source *)source;

	source_free(concat->current);
	for (size_t i = 0; i < concat->count; i++)
		free(concat->paths[i]);
	free(concat->paths);
	free(concat);
}

static const struct source_ops concat_ops = {concat_read, concat_skip, concat_part, concat_free};

struct source *
source_concat(char *const *paths, size_t count)
{
	struct concat_source *concat = calloc(1, sizeof(*concat));

	if (concat == NULL)
		return NULL;
	concat->source.ops = &concat_ops;
	concat->paths = calloc(count > 0 ? count : 1, sizeof(*concat->paths));
	if (concat->paths == NULL)
		goto fail;
	for (; concat->count < count; concat->count++) {
		concat->paths[concat->count] = strdup(paths[concat->count]);
		if (concat->paths[concat->count] == NULL)
			goto fail;
	}
	return &concat->source;
fail:
	concat_free(&concat->source);
	errno = ENOMEM;
	return NULL;
}
