#include <stdlib.h>
#include <string.h>

#include "netmirror/own.h"

#define REMEMBERED (INT64_C(10) * 1000 * 1000 * 1000) /* nanoseconds after its end */

/* Scopes do not count: packets do not show them. */
static int
own_compare(const struct own *one, const struct own *other)
{
	const struct address *a = &one->address, *b = &other->address;

	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->u.bytes, b->u.bytes, a->family == AF_INET ? 4 : 16);
}

RB_GENERATE_INTERNAL(own_tree, own, node, own_compare, __attribute__((unused)) static inline)

void
own_init(struct own_set *set, uint16_t port)
{
	set->port = port;
	RB_INIT(&set->tree);
	TAILQ_INIT(&set->recent);
}

static void
own_free(struct own_set *set, struct own *own)
{
	RB_REMOVE(own_tree, &set->tree, own);
	if (own->ended != 0)
		TAILQ_REMOVE(&set->recent, own, recent);
	free(own);
}

void
own_release(struct own_set *set)
{
	struct own *own;

	while ((own = RB_MIN(own_tree, &set->tree)) != NULL)
		own_free(set, own);
}

struct own *
own_add(struct own_set *set, const struct address *address)
{
	struct own *own = calloc(1, sizeof(*own)), *there;

	if (own == NULL)
		return NULL;
	own->address = *address;
	there = RB_INSERT(own_tree, &set->tree, own);
	if (there != NULL) {
		free(own);
		own = there;
	}
	if (own->ended != 0)
		TAILQ_REMOVE(&set->recent, own, recent);
	own->ended = 0;
	own->users++;
	return own;
}

void
own_remove(struct own_set *set, struct own *own, int64_t now)
{
	struct own *oldest, *next;

	if (--own->users > 0)
		return;
	own->ended = now;
	TAILQ_INSERT_TAIL(&set->recent, own, recent);
	TAILQ_FOREACH_SAFE (oldest, &set->recent, recent, next) {
		if (oldest->ended + REMEMBERED >= now)
			break;
		own_free(set, oldest);
	}
}

bool
own_has(const struct own_set *set, const struct address *address)
{
	struct own key = {.address = *address};

	return RB_FIND(own_tree, (struct own_tree *)&set->tree, &key) != NULL;
}
