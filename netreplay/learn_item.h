/* What was learned: a pattern for fields that have the same constant text before them, and where
 * they were. */
#ifndef NETREPLAY_LEARN_ITEM_H
#define NETREPLAY_LEARN_ITEM_H

#include <stdio.h>
#include <sys/queue.h>

#include "format/mask.h"
#include "netreplay/learn_field.h"

#define PLACES 16 /* so many of an item's places are remembered */
#define SAMPLES 4 /* the recorded one, then live ones */
#define SAMPLE_SIZE 40

/* Recorded bytes, of one connection, that vary. */
struct place {
	char *name;
	uint64_t begin, end;
};

/* A pattern: constant text, and what varies behind it. */
struct item {
	STAILQ_ENTRY(item) next;
	struct item *master; /* of which it has turned out to be a part; else NULL */
	unsigned char anchor[ALIGN_CONTEXT];
	size_t anchor_size;
	bool first; /* only at the beginning of the stream */
	struct shape shape;
	char *text;   /* of the pattern */
	bool changed; /* since it was given to the masks */
	bool given;
	size_t mask;	/* its index then */
	uint64_t times; /* places, also those that are not remembered */
	struct place places[PLACES];
	size_t place_count;
	char samples[SAMPLES][4 * SAMPLE_SIZE + 4]; /* as vis(3) shows them */
	size_t sample_count;
};

/* An item of one place. Returns NULL with errno. */
struct item *item_new(
    const char *name, const struct learn_window *window, const struct learn_field *field);
void item_free(struct item *item);

/* Do both have the same constant text? */
bool item_is_same(const struct item *a, const struct item *b);

/* The place of the item that has some of the recorded bytes of `name` from `begin` to `end`; NULL:
 * it has none there, or has had too many. */
const struct place *item_place(
    const struct item *item, const char *name, uint64_t begin, uint64_t end);

/* Does the pattern match where it was made from? Returns NULL, or what is wrong, maybe in `error`.
 */
const char *item_verify(const struct item *item, const struct learn_window *window,
    const struct learn_field *field, char *error, size_t error_size);

/* Make `item` match what `other`, which was just made, does too, and have its place. Returns -1
 * with errno. */
int item_merge(struct item *item, struct item *other);

/* Have the pattern of its master. Returns -1 with errno. */
int item_follow(struct item *item);

/* Make a mask of it, or have the one that was made follow it. Returns -1 with a reason. */
int item_give(struct item *item, struct mask_set *masks, char *error, size_t error_size);

/* Write the pattern, and a comment that says where it comes from. */
void item_describe(const struct item *item, FILE *stream);

#endif
