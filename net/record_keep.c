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

void
record_keep_enforce(struct record_keep *keep)
{
	while (keep->limit > 0 && keep->finished + keep->current > keep->limit &&
	       !STAILQ_EMPTY(&keep->parts)) {
		const struct log_part *oldest = &STAILQ_FIRST(&keep->parts)->part;
		/* ENOENT: somebody, perhaps the -x command, has moved it away. */
		if (log_root_remove(keep->root, oldest->n, oldest->part) != 0 && errno != ENOENT) {
			char path[PATH_MAX];
			int error = errno;
			log_root_path(keep->root, oldest->n, oldest->part, path, sizeof(path));
			notice(NOTICE_WARNING, "%s: not deleted: %s", path, strerror(error));
		}
		keep_forget_oldest(keep);
	}
}
