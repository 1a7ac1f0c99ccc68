#include "netreplay/texts.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A text, then what replaces it. */
struct text {
	size_t size;
	unsigned char *to;
	size_t to_size;
	unsigned char from[];
};

/*
 * A node stands for the bytes on the way to it, `depth` of them. It holds the text that ends there,
 * or, as long as it has no children, the only text that begins so.
 */
struct node {
	struct text *text; /* or NULL */
	uint32_t child;	   /* the first one's index, 0: none */
	uint32_t sibling;
	unsigned char byte; /* the last one on the way */
};

struct texts {
	struct node *nodes; /* nodes[0] is no one's child: the index stands for none */
	uint32_t count, capacity;
	uint32_t first[UCHAR_MAX + 1]; /* the nodes of depth 1 by their byte, or 0 */
	size_t texts;
};

struct texts *
texts_new(void)
{
	struct texts *texts = calloc(1, sizeof(*texts));

	if (texts != NULL)
		texts->count = 1;
	return texts;
}

static void
text_free(struct text *text)
{
	if (text == NULL)
		return;
	free(text->to);
	free(text);
}

void
texts_free(struct texts *texts)
{
	if (texts == NULL)
		return;
	for (uint32_t i = 1; i < texts->count; i++)
		text_free(texts->nodes[i].text);
	free(texts->nodes);
	free(texts);
}

size_t
texts_count(const struct texts *texts)
{
	return texts->texts;
}

/* A new node, without children; 0 if memory is short. */
static uint32_t
node_add(struct texts *texts, unsigned char byte)
{
	if (texts->count >= texts->capacity) {
		uint32_t capacity = texts->capacity == 0 ? 64 : texts->capacity * 2;
		struct node *nodes = capacity > texts->capacity
					 ? reallocarray(texts->nodes, capacity, sizeof(struct node))
					 : NULL;
		if (nodes == NULL)
			return 0;
		texts->nodes = nodes;
		texts->capacity = capacity;
	}
	texts->nodes[texts->count] = (struct node){.byte = byte};
	return texts->count++;
}

static uint32_t
child_find(const struct texts *texts, uint32_t node, unsigned char byte)
{
	uint32_t child = texts->nodes[node].child;

	while (child != 0 && texts->nodes[child].byte != byte)
		child = texts->nodes[child].sibling;
	return child;
}

static uint32_t
child_have(struct texts *texts, uint32_t node, unsigned char byte)
{
	uint32_t child = child_find(texts, node, byte);

	if (child != 0)
		return child;
	child = node_add(texts, byte);
	if (child != 0) {
		texts->nodes[child].sibling = texts->nodes[node].child;
		texts->nodes[node].child = child;
	}
	return child;
}

/* The node whose text `from` is or is to become: texts that share its way are moved further down as
 * far as they do. 0 if memory is short. */
static uint32_t
node_have(struct texts *texts, const unsigned char *from, size_t size)
{
	uint32_t node = texts->first[from[0]];

	if (node == 0) {
		node = node_add(texts, from[0]);
		texts->first[from[0]] = node;
		return node;
	}
	for (size_t depth = 1; node != 0; depth++) {
		struct text *text = texts->nodes[node].text;
		bool alone = text == NULL && texts->nodes[node].child == 0;
		if (alone ||
		    (text != NULL && text->size == size && memcmp(text->from, from, size) == 0))
			break;
		if (text != NULL && text->size > depth) {
			uint32_t moved = child_have(texts, node, text->from[depth]);
			if (moved == 0)
				return 0;
			texts->nodes[moved].text = text;
			texts->nodes[node].text = NULL;
		}
		if (depth == size)
			break;
		node = child_have(texts, node, from[depth]);
	}
	return node;
}

int
texts_put(struct texts *texts, const unsigned char *from, size_t from_size, const unsigned char *to,
    size_t to_size)
{
	struct text *text;
	unsigned char *copy = malloc(to_size > 0 ? to_size : 1);
	uint32_t node = copy != NULL ? node_have(texts, from, from_size) : 0;

	if (node == 0)
		goto fail;
	text = texts->nodes[node].text;
	if (text == NULL) {
		text = malloc(sizeof(*text) + from_size);
		if (text == NULL)
			goto fail;
		memcpy(text->from, from, from_size);
		text->size = from_size;
		text->to = NULL;
		texts->nodes[node].text = text;
		texts->texts++;
	}
	if (to_size > 0)
		memcpy(copy, to, to_size);
	free(text->to);
	text->to = copy;
	text->to_size = to_size;
	return 0;
fail:
	free(copy);
	return -1;
}

void
texts_match(
    const struct texts *texts, const unsigned char *data, size_t size, struct text_match *match)
{
	uint32_t node = texts->first[data[0]];

	*match = (struct text_match){.size = 0};
	for (size_t depth = 1; node != 0; depth++) {
		const struct text *text = texts->nodes[node].text;
		if (text != NULL) {
			size_t common = text->size < size ? text->size : size;
			bool alike = memcmp(text->from + depth, data + depth, common - depth) == 0;
			if (alike && common == text->size) {
				match->size = text->size;
				match->to = text->to;
				match->to_size = text->to_size;
			} else if (alike) {
				match->open = true;
			}
		}
		if (depth == size) {
			if (texts->nodes[node].child != 0)
				match->open = true;
			return;
		}
		node = child_find(texts, node, data[depth]);
	}
}

size_t
texts_skip(const struct texts *texts, const unsigned char *data, size_t size)
{
	size_t at = 0;

	while (at < size && texts->first[data[at]] == 0)
		at++;
	return at;
}
