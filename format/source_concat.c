#include "format/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "format/logname.h"

#define LOOK_AGAIN 50000000 /* nanoseconds between two looks at a growing log */

struct concat_source {
	struct source source;
	char **paths;
	size_t count;
	size_t next;		/* the path to be opened after `current` */
	struct source *current; /* NULL: none is open */
	unsigned part;		/* the last path's, if it is to be followed */
	bool (*more)(void *context);
	void *context;
};

/* Open the next path. Returns 1, 0 if there is none, -1 with errno. */
static int
open_next(struct concat_source *concat)
{
	if (concat->next == concat->count)
		return 0;
	concat->current = source_open(concat->paths[concat->next]);
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

/* Append the part that follows the last path, if it exists by now. Returns 1, 0 if not, -1 with
 * errno. */
static int
find_part(struct concat_source *concat)
{
	for (int gzip = 0; gzip <= 1; gzip++) {
		char *path = logname_part(concat->paths[0], concat->part + 1, gzip != 0);
		if (path == NULL)
			return errno == EINVAL ? 0 : -1; /* not named as a log: has no parts */
		if (access(path, F_OK) == 0) {
			char **paths =
			    reallocarray(concat->paths, concat->count + 1, sizeof(*paths));
			if (paths == NULL) {
				free(path);
				return -1;
			}
			paths[concat->count++] = path;
			concat->paths = paths;
			concat->part++;
			return 1;
		}
		free(path);
	}
	return 0;
}

static ssize_t
follow_read(struct source *source, void *buffer, size_t size)
{
	struct concat_source *concat = (struct concat_source *)source;
	const struct timespec pause = {.tv_nsec = LOOK_AGAIN};

	for (;;) {
		ssize_t got = concat_read(source, buffer, size);
		int part, error = errno;
		/* inside a gzip member that is still being written, "cut short" is not the last
		 * word */
		if (got > 0 || size == 0 || (got < 0 && error != ENODATA))
			return got;
		/* the last part was finished before the next one was made: what is read now is its
		 * end */
		part = find_part(concat);
		if (part < 0)
			return -1;
		if (part > 0)
			continue;
		if (concat->more == NULL || !concat->more(concat->context)) {
			errno = error;
			return got;
		}
		nanosleep(&pause, NULL);
	}
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

static const struct source_ops concat_ops = {concat_read, concat_skip, concat_free};
static const struct source_ops follow_ops = {follow_read, NULL, concat_free};

static struct concat_source *
concat_new(char *const *paths, size_t count, const struct source_ops *ops)
{
	struct concat_source *concat = calloc(1, sizeof(*concat));

	if (concat == NULL)
		return NULL;
	concat->source.ops = ops;
	concat->paths = calloc(count > 0 ? count : 1, sizeof(*concat->paths));
	if (concat->paths == NULL)
		goto fail;
	for (; concat->count < count; concat->count++) {
		concat->paths[concat->count] = strdup(paths[concat->count]);
		if (concat->paths[concat->count] == NULL)
			goto fail;
	}
	return concat;
fail:
	concat_free(&concat->source);
	errno = ENOMEM;
	return NULL;
}

struct source *
source_concat(char *const *paths, size_t count)
{
	struct concat_source *concat = concat_new(paths, count, &concat_ops);

	return concat != NULL ? &concat->source : NULL;
}

struct source *
source_follow(char *const *paths, size_t count, bool (*more)(void *context), void *context)
{
	struct concat_source *concat = concat_new(paths, count, &follow_ops);
	const char *slash;
	struct logname name;

	if (concat == NULL)
		return NULL;
	concat->more = more;
	concat->context = context;
	if (count > 0) {
		slash = strrchr(paths[count - 1], '/');
		if (logname_parse(slash != NULL ? slash + 1 : paths[count - 1], &name))
			concat->part = name.part;
	}
	return &concat->source;
}
