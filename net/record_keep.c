#include "net/record_keep.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"

void
record_keep_init(struct record_keep *keep, struct log_root *root, uint64_t limit)
{
	*keep = (struct record_keep){.root = root, .limit = limit};
	STAILQ_INIT(&keep->parts);
}

static void
keep_forget_oldest(struct record_keep *keep)
{
	struct kept_part *oldest = STAILQ_FIRST(&keep->parts);

	STAILQ_REMOVE_HEAD(&keep->parts, next);
	keep->finished -= oldest->part.size;
	free(oldest);
}

void
record_keep_release(struct record_keep *keep)
{
	while (!STAILQ_EMPTY(&keep->parts))
		keep_forget_oldest(keep);
}

void
record_keep_count(struct record_keep *keep, const struct log_part *part)
{
	if (keep->limit > 0)
		keep->finished += part->size;
}

void
record_keep_add(struct record_keep *keep, const struct log_part *part)
{
	if (keep->limit == 0)
		return;
	struct kept_part *kept = malloc(sizeof(*kept));
	if (kept == NULL) { /* it stays on the disk, then */
		keep->finished -= part->size;
		return;
	}
	kept->part = *part;
	STAILQ_INSERT_TAIL(&keep->parts, kept, next);
}

static void
keep_say_failed(const struct record_keep *keep, const struct log_part *part, int error)
{
	char path[PATH_MAX];

	log_root_path(keep->root, part->n, part->part, path, sizeof(path));
	notice(NOTICE_WARNING, "%s: not deleted: %s", path, strerror(error));
}

/*
 * The -x command, or somebody else, may have moved the part away, or made a .gz of it. A gzip(1)
 * that is still at it has both names: that of the part goes first, for the other is made before it
 * is taken away.
 */
static void
keep_delete(const struct record_keep *keep, const struct log_part *part)
{
	if (log_root_remove(keep->root, part->n, part->part) != 0 && errno != ENOENT)
		keep_say_failed(keep, part, errno);
	if (log_root_remove_other(keep->root, part->n, part->part) != 0 && errno != ENOENT)
		keep_say_failed(keep, part, errno);
}

void
record_keep_enforce(struct record_keep *keep)
{
	while (keep->limit > 0 && keep->finished + keep->current > keep->limit &&
	       !STAILQ_EMPTY(&keep->parts)) {
		keep_delete(keep, &STAILQ_FIRST(&keep->parts)->part);
		keep_forget_oldest(keep);
	}
}
