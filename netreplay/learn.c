#include "netreplay/learn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "netreplay/learn_item.h"

#define ITEMS_MAX 1000 /* what varies in more ways is no field */
#define NEAR 8	       /* fewer constant bytes do not part binary fields */

struct learn {
	STAILQ_HEAD(item_list, item) items;
	size_t count;
	char trouble[400];	   /* the first difference that no pattern covers */
	size_t troubles;	   /* since the last learn_apply() */
	bool news;		   /* something was learned from this difference */
	const struct item *newest; /* that learn_apply() gave to the masks */
};

struct learn *
learn_new(void)
{
	struct learn *learn = calloc(1, sizeof(*learn));

	if (learn != NULL)
		STAILQ_INIT(&learn->items);
	return learn;
}

void
learn_free(struct learn *learn)
{
	struct item *item;

	if (learn == NULL)
		return;
	while ((item = STAILQ_FIRST(&learn->items)) != NULL) {
		STAILQ_REMOVE_HEAD(&learn->items, next);
		item_free(item);
	}
	free(learn);
}

static void
learn_trouble(struct learn *learn, const char *name, uint64_t offset, const char *what)
{
	if (learn->troubles++ == 0)
		snprintf(learn->trouble, sizeof(learn->trouble), "%s at offset %llu: %s", name,
		    (unsigned long long)offset, what);
}

/* -- differences -- */

/* The item to which another place belongs: one with the same anchor, or one whose field there was
 * only a part of this one. */
static struct item *
item_find(const struct learn *learn, const struct item *like)
{
	const struct place *here = &like->places[0];
	struct item *item;

	STAILQ_FOREACH (item, &learn->items, next)
		if (item->master == NULL && item_is_same(item, like))
			return item;
	STAILQ_FOREACH (item, &learn->items, next) {
		const struct place *place = item_place(item, here->name, here->begin, here->end);
		if (item->master == NULL && place != NULL && here->begin <= place->begin &&
		    place->end <= here->end)
			return item;
	}
	return NULL;
}

/* Fields that have turned out to be part of another one are given up. Their masks follow it: one
 * that matched a part only would be in its way. */
static void
learn_absorb(struct learn *learn, struct item *master)
{
	struct item *item;

	STAILQ_FOREACH (item, &learn->items, next) {
		if (item == master || item->master != NULL || item->place_count != 1)
			continue;
		for (size_t i = 0; i < master->place_count; i++) {
			const struct place *here = &master->places[i];
			if (item_place(item, here->name, here->begin, here->end) != NULL &&
			    here->begin <= item->places[0].begin &&
			    item->places[0].end <= here->end)
				item->master = master;
		}
	}
}

static int
learn_field(struct learn *learn, const char *name, const struct learn_window *window,
    const struct learn_field *field)
{
	uint64_t offset = window->offset[0] + field->begin[0];
	struct item *item, *known;
	const char *wrong = field->wrong;
	char error[160];
	int result = 0;

	if (wrong != NULL) {
		learn_trouble(learn, name, offset, wrong);
		return 0;
	}
	item = item_new(name, window, field);
	if (item == NULL)
		return -1;
	known = item_find(learn, item);
	wrong = item_verify(item, window, field, error, sizeof(error));
	if (wrong == NULL && known == NULL && learn->count == ITEMS_MAX)
		wrong = "too many different places vary";
	if (wrong != NULL) {
		learn_trouble(learn, name, offset, wrong);
	} else if (known != NULL) {
		result = item_merge(known, item);
		learn_absorb(learn, known);
		learn->news |= known->changed || !known->given;
	} else {
		learn->news = true;
		STAILQ_INSERT_TAIL(&learn->items, item, next);
		learn->count++;
		item = NULL;
	}
	if (item != NULL)
		item_free(item);
	return result;
}

/* Have the difference begin with the recorded byte `begin`; the live bytes before it are as many.
 */
static void
window_reach(struct learn_window *window, size_t begin)
{
	size_t more = window->begin[0] - begin;

	if (begin >= window->begin[0] || more > window->begin[1])
		return;
	window->begin[0] -= more;
	window->begin[1] -= more;
}

/* Does nothing from `at` to the difference tell one number from another? */
static bool
is_separator(const struct learn_window *window, size_t at)
{
	for (; at < window->begin[0]; at++)
		if (byte_is_letter(window->bytes[0][at]) || !byte_is_text(window->bytes[0][at]) ||
		    window->bytes[0][at] == '\n')
			return false;
	return true;
}

/* Binary parts of the item vary, although they may be the same this time. `begin` is where it is in
 * the window. */
static void
window_vary(struct learn_window *window, const struct shape *shape, size_t begin)
{
	size_t at = begin;

	for (size_t i = 0; i < shape->count && shape->parts[i].least == shape->parts[i].most; i++) {
		const struct shape_part *part = &shape->parts[i];
		if (at + part->most > window->size[0])
			return;
		for (size_t k = 0; k < part->most && part->any; k++)
			window->varies[at + k] = true;
		at += part->most;
		if (part->any)
			window->fixed = at;
	}
}

/* What was learned before where the difference is, or next to it, is part of what varies, although
 * some of its bytes are the same this time. */
static void
window_recall(const struct learn *learn, const char *name, struct learn_window *window)
{
	const uint64_t base = window->offset[0];
	const uint64_t begin = base + window->begin[0], end = base + window->end[0];
	struct item *item;

	STAILQ_FOREACH (item, &learn->items, next) {
		/* a known field is told from others by itself */
		uint64_t near = item->anchor_size == 0 && !item->first ? 0 : NEAR;
		const struct place *place =
		    item_place(item, name, begin > near ? begin - near : 0, end + 1);
		if (place == NULL || item->master != NULL)
			continue;
		if (place->end >= begin && shape_is_token(&item->shape))
			window->token = true;
		if (place->begin < base || place->begin >= end)
			continue;
		if (shape_is_binary(&item->shape)) {
			window_reach(window, (size_t)(place->begin - base));
			window_vary(window, &item->shape, (size_t)(place->begin - base));
		} else if (place->end < begin && !window_is_binary(window) &&
			   is_separator(window, (size_t)(place->end - base))) {
			window_reach(window, (size_t)(place->begin - base));
		}
	}
}

int
learn_difference(struct learn *learn, const char *name, const struct align_difference *difference)
{
	struct learn_window *window = malloc(sizeof(*window));
	struct field_reader *reader = malloc(sizeof(*reader));
	struct learn_field *field = malloc(sizeof(*field));
	uint64_t offset = difference->offset[ALIGN_RECORDED];
	size_t troubles;
	int result = -1;

	if (window == NULL || reader == NULL || field == NULL)
		goto out;
	window_init(window, difference);
	window_recall(learn, name, window);
	result = 0;
	troubles = learn->troubles;
	learn->news = false;
	if (!field_reader_init(reader, window))
		learn_trouble(learn, name, offset, "too many pieces differ");
	else
		while (result == 0 && field_next(reader, field))
			result = learn_field(learn, name, window, field);
	if (result == 0 && !learn->news && learn->troubles == troubles)
		learn_trouble(learn, name, offset, "what was learned for it does not cover it");
out:
	free(window);
	free(reader);
	free(field);
	return result;
}

/* -- masks and file -- */

int
learn_apply(struct learn *learn, struct mask_set *masks, char *error, size_t error_size)
{
	struct item *item;
	size_t troubles = learn->troubles;
	int count = 0;

	STAILQ_FOREACH (item, &learn->items, next) {
		if (item->master != NULL && item_follow(item) != 0) {
			snprintf(error, error_size, "%s", strerror(errno));
			return -1;
		}
		if (!item->changed || (item->master != NULL && !item->given))
			continue;
		if (item_give(item, masks, error, error_size) != 0)
			return -1;
		item->changed = false;
		if (item->master == NULL) {
			learn->newest = item;
			count++;
		}
	}
	learn->troubles = 0;
	/* what cannot be learned from is told when nothing else is in its way any more: it may have
	 * been out of step only */
	if (troubles == 0 || count > 0)
		return count;
	if (troubles == 1)
		snprintf(error, error_size, "cannot learn from %s", learn->trouble);
	else
		snprintf(error, error_size, "cannot learn from %zu differences, the first: %s",
		    troubles, learn->trouble);
	return -1;
}

void
learn_unsettled(const struct learn *learn, char *error, size_t error_size)
{
	const struct place *place = &learn->newest->places[0];

	snprintf(error, error_size, "cannot learn from %s at offset %llu: every run shows more",
	    place->name, (unsigned long long)place->begin);
}

int
learn_write(const struct learn *learn, FILE *stream)
{
	struct item *item;

	fputs("# Learned from replays: what differed from the recording. Review before use: bytes\n"
	      "# that match are not compared.\n",
	    stream);
	STAILQ_FOREACH (item, &learn->items, next)
		if (item->master == NULL)
			item_describe(item, stream);
	return ferror(stream) ? -1 : 0;
}
