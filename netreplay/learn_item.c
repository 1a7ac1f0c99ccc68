#define LIBBSD_OPENBSD_VIS 1 /* vis.h warns unless told which strnvis(3); none is used here */
#include "netreplay/learn_item.h"

#include <stdlib.h>
#include <string.h>
#include <vis.h>

void
item_free(struct item *item)
{
	for (size_t i = 0; i < item->place_count; i++)
		free(item->places[i].name);
	free(item->text);
	free(item);
}

bool
item_is_same(const struct item *a, const struct item *b)
{
	if (a->first != b->first || a->anchor_size != b->anchor_size)
		return false;
	if (a->anchor_size == 0 && !a->first) /* a known field that needs none */
		return strcmp(a->text, b->text) == 0;
	return memcmp(a->anchor, b->anchor, a->anchor_size) == 0;
}

const struct place *
item_place(const struct item *item, const char *name, uint64_t begin, uint64_t end)
{
	for (size_t i = 0; i < item->place_count; i++) {
		const struct place *place = &item->places[i];
		if (begin < place->end && place->begin < end && strcmp(place->name, name) == 0)
			return place;
	}
	return NULL;
}

/* Have the pattern's text made anew. */
static int
item_write(struct item *item)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		return -1;
	if (item->first)
		fputc('^', stream);
	shape_write_bytes(item->anchor, item->anchor_size, stream);
	shape_write(&item->shape, stream);
	if (fclose(stream) != 0) {
		free(text);
		return -1;
	}
	free(item->text);
	item->text = text;
	return 0;
}

static void
sample_keep(struct item *item, const char *sample)
{
	if (item->sample_count == SAMPLES)
		return;
	for (size_t i = 0; i < item->sample_count; i++)
		if (strcmp(item->samples[i], sample) == 0)
			return;
	strlcpy(item->samples[item->sample_count++], sample, sizeof(item->samples[0]));
}

static void
item_sample(struct item *item, const unsigned char *bytes, size_t size)
{
	char sample[4 * SAMPLE_SIZE + 4];
	bool cut = size > SAMPLE_SIZE;

	strvisx(sample, (const char *)bytes, cut ? SAMPLE_SIZE : size,
	    VIS_CSTYLE | VIS_OCTAL | VIS_TAB | VIS_NL);
	if (cut)
		strlcat(sample, "...", sizeof(sample));
	sample_keep(item, sample);
}

struct item *
item_new(const char *name, const struct learn_window *window, const struct learn_field *field)
{
	struct item *item = calloc(1, sizeof(*item));

	if (item == NULL)
		return NULL;
	item->anchor_size = field->anchor;
	memcpy(item->anchor, window->bytes[0] + field->begin[0] - field->anchor, field->anchor);
	item->first = field->first;
	item->shape = field->shape;
	item->times = 1;
	item->changed = true;
	item->places[0].name = strdup(name);
	item->places[0].begin = window->offset[0] + field->begin[0];
	item->places[0].end = window->offset[0] + field->end[0];
	if (item->places[0].name != NULL)
		item->place_count = 1;
	if (item->place_count == 0 || item_write(item) != 0) {
		item_free(item);
		return NULL;
	}
	for (int i = 0; i < 2; i++)
		item_sample(
		    item, window->bytes[i] + field->begin[i], field->end[i] - field->begin[i]);
	return item;
}

const char *
item_verify(const struct item *item, const struct learn_window *window,
    const struct learn_field *field, char *error, size_t error_size)
{
	struct pattern *pattern = pattern_new(item->text, error, error_size);
	const char *wrong = NULL;

	if (pattern == NULL)
		return error;
	for (int i = 0; i < 2 && !window->cut; i++) {
		size_t from = field->begin[i] - field->anchor, begin, end;
		if (!pattern_find(pattern, window->bytes[i], window->size[i], from,
			window->offset[i] == 0, false, &begin, &end) ||
		    begin != from || end < field->end[i])
			wrong = "no narrow pattern describes it";
	}
	pattern_free(pattern);
	return wrong;
}

/* Have the place that `other` was made of. */
static void
place_take(struct item *item, struct item *other)
{
	const struct place *here = &other->places[0];

	for (size_t i = 0; i < item->place_count; i++) {
		struct place *place = &item->places[i];
		if (here->begin >= place->end || place->begin >= here->end ||
		    strcmp(place->name, here->name) != 0)
			continue;
		if (i == 0 && here->end - here->begin > place->end - place->begin) {
			memcpy(item->samples, other->samples, sizeof(item->samples));
			item->sample_count = other->sample_count;
		}
		if (here->begin < place->begin)
			place->begin = here->begin;
		if (here->end > place->end)
			place->end = here->end;
		return;
	}
	item->times++;
	if (item->place_count < PLACES) {
		item->places[item->place_count++] = *here;
		other->place_count = 0;
	}
}

int
item_merge(struct item *item, struct item *other)
{
	char *before = strdup(item->text);

	if (before == NULL)
		return -1;
	if (!item_is_same(item, other)) {
		item->anchor_size = other->anchor_size;
		memcpy(item->anchor, other->anchor, other->anchor_size);
		item->first = other->first;
		item->shape = other->shape;
	} else if (!shape_merge(&item->shape, &other->shape)) {
		item->shape = other->shape;
	}
	if (item_write(item) != 0) {
		free(before);
		return -1;
	}
	item->changed |= strcmp(before, item->text) != 0;
	free(before);
	for (size_t i = 1; i < other->sample_count; i++) /* the live ones */
		sample_keep(item, other->samples[i]);
	place_take(item, other);
	return 0;
}

int
item_follow(struct item *item)
{
	const struct item *master = item->master;
	char *text;

	while (master->master != NULL)
		master = master->master;
	if (strcmp(item->text, master->text) == 0)
		return 0;
	text = strdup(master->text);
	if (text == NULL)
		return -1;
	free(item->text);
	item->text = text;
	item->changed = true;
	return 0;
}

int
item_give(struct item *item, struct mask_set *masks, char *error, size_t error_size)
{
	if (item->given)
		return mask_set_replace(masks, item->mask, item->text, error, error_size);
	if (mask_set_add(masks, item->text, error, error_size) != 0)
		return -1;
	item->mask = masks->count - 1;
	item->given = true;
	return 0;
}

static void
write_name(const char *name, FILE *stream)
{
	for (; *name != '\0'; name++) {
		char text[8];
		vis(text, *name, VIS_CSTYLE | VIS_OCTAL | VIS_TAB | VIS_NL, name[1]);
		fputs(text, stream);
	}
}

void
item_describe(const struct item *item, FILE *stream)
{
	fprintf(stream, "\n# %llu %s, first in ", (unsigned long long)item->times,
	    item->times == 1 ? "place" : "places");
	write_name(item->places[0].name, stream);
	fprintf(stream, " at offset %llu: \"%s\" became", (unsigned long long)item->places[0].begin,
	    item->samples[0]);
	for (size_t i = 1; i < item->sample_count; i++)
		fprintf(stream, "%s \"%s\"", i == 1 ? "" : ",", item->samples[i]);
	fprintf(stream, "\n%s\n", item->text);
}
