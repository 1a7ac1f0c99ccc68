#include "format/packet_fragment.h"

#include <stdlib.h>
#include <string.h>

#define PACKETS 256	     /* incomplete ones at a time, 64 KiB each at most */
#define UNIT 8		     /* offsets count these */
#define SIZE_MOST 65535	     /* of an IP packet's payload */
#define WORDS 128	     /* of 64 units each: 64 KiB */
#define PATIENCE 60000000000 /* nanoseconds; RFC 8200, section 4.5 */

/* One packet in parts. The fragments of a complete one are remembered as `done`, lest copies of
 * them count as a packet of its own. */
struct parts {
	struct fragment_key key;
	int64_t time;
	bool used;
	bool done;
	uint8_t *bytes;
	size_t room;
	size_t total; /* 0: the last fragment has not come */
	size_t reach; /* behind the furthest byte */
	size_t got;   /* units that are there */
	uint64_t units[WORDS];
};

struct fragments {
	struct parts packets[PACKETS];
	size_t next;	/* where a new one goes: the oldest */
	uint8_t *whole; /* what was given out last */
	uint64_t lost;
};

struct fragments *
fragments_new(void)
{
	return calloc(1, sizeof(struct fragments));
}

void
fragments_free(struct fragments *fragments)
{
	if (fragments == NULL)
		return;
	for (size_t i = 0; i < PACKETS; i++)
		free(fragments->packets[i].bytes);
	free(fragments->whole);
	free(fragments);
}

static void
parts_begin(
    struct fragments *fragments, struct parts *parts, const struct fragment_key *key, int64_t time)
{
	if (parts->used && !parts->done)
		fragments->lost++;
	free(parts->bytes);
	*parts = (struct parts){.key = *key, .time = time, .used = true};
}

static struct parts *
parts_find(struct fragments *fragments, const struct fragment_key *key, int64_t time)
{
	struct parts *parts;

	for (size_t i = 0; i < PACKETS; i++) {
		parts = &fragments->packets[i];
		if (!parts->used || memcmp(&parts->key, key, sizeof(*key)) != 0)
			continue;
		/* identifications are used again */
		if (time - parts->time > PATIENCE)
			parts_begin(fragments, parts, key, time);
		return parts;
	}
	parts = &fragments->packets[fragments->next];
	fragments->next = (fragments->next + 1) % PACKETS;
	parts_begin(fragments, parts, key, time);
	return parts;
}

/* Make room for `size` bytes. */
static bool
parts_grow(struct parts *parts, size_t size)
{
	size_t room = parts->room > 0 ? parts->room : 2048;
	uint8_t *bytes;

	if (parts->bytes != NULL && size <= parts->room)
		return true;
	while (room < size)
		room *= 2;
	bytes = realloc(parts->bytes, room);
	if (bytes == NULL)
		return false;
	parts->bytes = bytes;
	parts->room = room;
	return true;
}

/* Copy what is new: of bytes that come twice the first copy counts. */
static void
parts_fill(struct parts *parts, size_t offset, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += UNIT) {
		size_t unit = (offset + at) / UNIT, length = size - at < UNIT ? size - at : UNIT;
		uint64_t bit = (uint64_t)1 << unit % 64;
		if (parts->units[unit / 64] & bit)
			continue;
		parts->units[unit / 64] |= bit;
		parts->got++;
		memcpy(parts->bytes + offset + at, bytes + at, length);
	}
}

enum packet_status
fragments_add(struct fragments *fragments, const struct fragment_key *key,
    const struct fragment_place *place, int64_t time, struct packet_view *view)
{
	size_t end = place->offset + view->wire;
	struct parts *parts;

	if (view->wire == 0 || end > SIZE_MOST || (place->more && view->wire % UNIT != 0))
		return PACKET_BAD;
	if (view->left < view->wire)
		return PACKET_CUT;
	parts = parts_find(fragments, key, time);
	if (parts->done)
		return PACKET_FRAGMENT;
	if (parts->total != 0 && (end > parts->total || (!place->more && end != parts->total)))
		return PACKET_BAD;
	if (!place->more && end < parts->reach)
		return PACKET_BAD;
	if (!parts_grow(parts, end))
		return PACKET_FRAGMENT; /* never complete then: counted as lost */
	if (parts->reach < end)
		parts->reach = end;
	if (!place->more)
		parts->total = end;
	parts_fill(parts, place->offset, view->at, view->wire);
	if (parts->total == 0 || parts->got != (parts->total + UNIT - 1) / UNIT)
		return PACKET_FRAGMENT;
	free(fragments->whole);
	fragments->whole = parts->bytes;
	*view = (struct packet_view){parts->bytes, parts->total, parts->total};
	parts->bytes = NULL;
	parts->done = true;
	return PACKET_SEGMENT;
}

uint64_t
fragments_lost(const struct fragments *fragments, bool all)
{
	uint64_t lost = fragments->lost;

	for (size_t i = 0; all && i < PACKETS; i++)
		lost += fragments->packets[i].used && !fragments->packets[i].done;
	return lost;
}
