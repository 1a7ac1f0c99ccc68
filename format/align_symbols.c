#include "format/align_symbols.h"

#include <stdlib.h>
#include <string.h>

/* -- reading -- */

void
align_symbols_release(struct align_symbols *symbols)
{
	free(symbols->codes);
	free(symbols->places);
	*symbols = (struct align_symbols){.codes = NULL};
}

static void
bytes_put(struct align_symbols *symbols, const unsigned char *data, size_t from, size_t until)
{
	for (size_t i = from; i < until; i++) {
		symbols->codes[symbols->count] = data[i];
		symbols->places[symbols->count++] = (uint32_t)i;
	}
}

/* Put the bytes and the matches between `at` and `at + size`; a match may end behind it. `*done`
 * tells how far that led. Returns -1 with errno. */
static int
matches_put(struct align_symbols *symbols, const struct align *align, enum align_stream stream,
    size_t size, size_t *done)
{
	const struct align_bytes *bytes = &align->streams[stream];
	const unsigned char *data = align_bytes_from(bytes, bytes->at);
	size_t skipped = (size_t)(bytes->at - bytes->base);
	struct mask_scan_match next;
	struct mask_scan scan;

	if (align_scan_init(&scan, align, stream, bytes->at, bytes->at + size) != 0)
		return -1;
	do {
		size_t until = size;
		mask_scan_next(&scan, skipped + *done, &next);
		if (!next.certain && next.alive - skipped < until)
			until = next.alive - skipped;
		else if (next.certain && next.found)
			until = next.match.begin - skipped;
		bytes_put(symbols, data, *done, until);
		*done = until;
		if (!next.certain || !next.found)
			break;
		symbols->codes[symbols->count] = 256 + (uint32_t)next.match.mask;
		symbols->places[symbols->count++] = (uint32_t)*done;
		*done = next.match.end - skipped;
	} while (*done < size);
	mask_scan_release(&scan);
	return 0;
}

int
align_symbols_read(
    struct align_symbols *symbols, const struct align *align, enum align_stream stream, size_t size)
{
	const struct align_bytes *bytes = &align->streams[stream];
	size_t ahead = align_bytes_ahead(bytes), wanted = size, done = 0;

	*symbols = (struct align_symbols){.codes = NULL};
	if (size > ahead)
		size = ahead;
	symbols->codes = reallocarray(NULL, size + 1, sizeof(*symbols->codes));
	symbols->places = reallocarray(NULL, size + 1, sizeof(*symbols->places));
	if (symbols->codes == NULL || symbols->places == NULL)
		return -1;
	if (size > 0 && (align->config.masks == NULL || align->config.sizes_only)) {
		bytes_put(symbols, align_bytes_from(bytes, bytes->at), 0, size);
		done = size;
	} else if (size > 0) {
		if (matches_put(symbols, align, stream, size, &done) != 0)
			return -1;
	}
	symbols->places[symbols->count] = (uint32_t)done;
	symbols->complete = bytes->ended && done == ahead;
	symbols->full = !symbols->complete && done >= wanted;
	return 0;
}

/* -- comparing -- */

size_t
align_symbols_run(
    const struct align_symbols symbols[2], size_t i, size_t j, size_t most, bool *open)
{
	const struct align_symbols *one = &symbols[0], *other = &symbols[1];
	size_t run = 0,
	       rest = one->count - i < other->count - j ? one->count - i : other->count - j;

	if (rest > most)
		rest = most;
	while (run < rest && one->codes[i + run] == other->codes[j + run])
		run++;
	*open = run < most && ((i + run == one->count && !one->complete) ||
				  (j + run == other->count && !other->complete));
	return run;
}

bool
align_symbols_agree(const struct align_symbols symbols[2], size_t i, size_t j)
{
	bool open;
	size_t run = align_symbols_run(symbols, i, j, ALIGN_AGREE, &open);

	return run == ALIGN_AGREE ||
	       (symbols[0].complete && symbols[1].complete && i + run == symbols[0].count &&
		   j + run == symbols[1].count);
}

/* -- the first place from which both are alike -- */

/* Where in the one each group of ALIGN_AGREE symbols stands first, by a hash of the group. */
struct groups {
	uint32_t *slots; /* place + 1, 0 is free */
	uint32_t mask;
	const struct align_symbols *symbols;
};

#define FACTOR UINT32_C(0x9e3779b1)

static uint32_t
factor_power(void)
{
	uint32_t power = 1;

	for (int i = 0; i < ALIGN_AGREE - 1; i++)
		power *= FACTOR;
	return power;
}

static uint32_t
hash_first(const uint32_t *codes)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < ALIGN_AGREE; i++)
		hash = hash * FACTOR + codes[i] + 1;
	return hash;
}

/* The hash of the group one further. */
static uint32_t
hash_next(uint32_t hash, const uint32_t *codes, uint32_t power)
{
	return (hash - (codes[0] + 1) * power) * FACTOR + codes[ALIGN_AGREE] + 1;
}

/* The slot of such a group, or the free one where it belongs. */
static uint32_t *
groups_slot(const struct groups *groups, uint32_t hash, const uint32_t *codes)
{
	uint32_t at = (hash ^ hash >> 15) * UINT32_C(0x85ebca6b);

	for (at ^= at >> 13;; at++) {
		uint32_t *slot = &groups->slots[at & groups->mask];
		if (*slot == 0 || memcmp(groups->symbols->codes + *slot - 1, codes,
				      ALIGN_AGREE * sizeof(*codes)) == 0)
			return slot;
	}
}

static int
groups_init(struct groups *groups, const struct align_symbols *symbols)
{
	uint32_t size = 64, power = factor_power(), hash;

	while (size < 2 * symbols->count)
		size *= 2;
	groups->symbols = symbols;
	groups->mask = size - 1;
	groups->slots = calloc(size, sizeof(*groups->slots));
	if (groups->slots == NULL)
		return -1;
	hash = symbols->count >= ALIGN_AGREE ? hash_first(symbols->codes) : 0;
	for (size_t i = 0; i + ALIGN_AGREE <= symbols->count; i++) {
		uint32_t *slot = groups_slot(groups, hash, symbols->codes + i);
		if (*slot == 0)
			*slot = (uint32_t)i + 1;
		if (i + ALIGN_AGREE < symbols->count)
			hash = hash_next(hash, symbols->codes + i, power);
	}
	return 0;
}

/* The longest common end of two complete streams begins there. */
static void
ends_meet(const struct align_symbols symbols[2], size_t place[2])
{
	size_t i = symbols[0].count, j = symbols[1].count;

	while (i > 0 && j > 0 && symbols[0].codes[i - 1] == symbols[1].codes[j - 1]) {
		i--;
		j--;
	}
	place[0] = i;
	place[1] = j;
}

static size_t
distance(size_t i, size_t j)
{
	return i > j ? i - j : j - i;
}

bool
align_symbols_meet(const struct align_symbols symbols[2], size_t place[2], bool *no_memory)
{
	const struct align_symbols *other = &symbols[1];
	uint32_t power = factor_power(), hash;
	size_t best = SIZE_MAX;
	struct groups groups;

	*no_memory = false;
	if (symbols[0].complete && other->complete) {
		ends_meet(symbols, place);
		best = place[0] + place[1];
	}
	if (symbols[0].count < ALIGN_AGREE || other->count < ALIGN_AGREE)
		return best != SIZE_MAX;
	*no_memory = groups_init(&groups, &symbols[0]) != 0;
	if (*no_memory)
		return false;
	hash = hash_first(other->codes);
	for (size_t j = 0; j + ALIGN_AGREE <= other->count && j <= best; j++) {
		uint32_t slot = *groups_slot(&groups, hash, other->codes + j);
		size_t i = slot - 1;
		if (slot != 0 &&
		    (i + j < best ||
			(i + j == best && distance(i, j) < distance(place[0], place[1])))) {
			place[0] = i;
			place[1] = j;
			best = i + j;
		}
		if (j + ALIGN_AGREE < other->count)
			hash = hash_next(hash, other->codes + j, power);
	}
	free(groups.slots);
	return best != SIZE_MAX;
}
