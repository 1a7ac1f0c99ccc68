/* IP packets that came in fragments, put together. Private to packet*.c. */
#ifndef FORMAT_PACKET_FRAGMENT_H
#define FORMAT_PACKET_FRAGMENT_H

#include "format/packet.h"
#include "format/packet_view.h"

struct fragments;

/* What the fragments of one packet have in common. Comparable by memcmp(3). */
struct fragment_key {
	uint8_t from[16], to[16];
	uint32_t id;
	uint32_t protocol;
};

/* Where one fragment belongs. */
struct fragment_place {
	size_t offset;
	bool more; /* it is not the last one */
};

struct fragments *fragments_new(void);
void fragments_free(struct fragments *fragments);

/*
 * Add the fragment whose payload is `view`. Returns PACKET_SEGMENT when all are there, `view` then
 * being the whole payload, good until the next call; else PACKET_FRAGMENT, PACKET_CUT or
 * PACKET_BAD.
 */
enum packet_status fragments_add(struct fragments *fragments, const struct fragment_key *key,
    const struct fragment_place *place, int64_t time, struct packet_view *view);

/* See packet_fragments_lost(). */
uint64_t fragments_lost(const struct fragments *fragments, bool all);

#endif
