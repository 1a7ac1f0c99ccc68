#include "netreplay/opening.h"

#include <string.h>

/* So close to the end of what is known of the recording, a mask may match what is cut there. */
#define CUT_MATCH 1024

/* Where a comparison has come to. */
struct cursor {
	size_t recorded, live;
	size_t settled; /* recorded bytes before it are no part of a further match */
};

/* How many bytes are the same from the cursor on, of those that both have. */
static size_t
common_bytes(const struct opening *recorded, const struct opening *live, const struct cursor *at)
{
	size_t left = recorded->size - at->recorded, came = live->size - at->live;
	size_t size = left < came ? left : came, same = 0;
	const unsigned char *a, *b;

	if (size == 0)
		return 0; /* and there may be no bytes to point to */
	a = recorded->bytes + at->recorded;
	b = live->bytes + at->live;
	if (memcmp(a, b, size) == 0)
		return size;
	while (a[same] == b[same])
		same++;
	return same;
}

/* The mask match that covers the place of the difference in the recording, or ends just there. */
static bool
match_at(const struct mask_set *masks, const struct opening *recorded, const struct cursor *at,
    struct mask_match *match)
{
	size_t from = at->settled;

	while (mask_set_find(masks, recorded->bytes, recorded->size, from, at->recorded + 1, true,
	    recorded->ended, match)) {
		if (match->end >= at->recorded)
			return true;
		from = match->end;
	}
	return false;
}

/* Pass over a difference that a mask excuses. OPENING_BEYOND stands for having done so. */
static enum opening_fit
pass_mask(const struct mask_set *masks, const struct opening *recorded, const struct opening *live,
    struct cursor *at)
{
	struct mask_match match;
	size_t start, begin, end;

	if (masks == NULL || masks->count == 0 || !match_at(masks, recorded, at, &match))
		return OPENING_DEPARTS;
	/* The bytes before the difference are the same: so is the distance back. */
	start = at->live - (at->recorded - match.begin);
	if (pattern_find(masks->masks[match.mask].pattern, live->bytes, live->size, start, true,
		live->ended, &begin, &end) &&
	    begin == start && !(match.end == at->recorded && end == at->live)) {
		*at = (struct cursor){.recorded = match.end, .live = end, .settled = match.end};
		return OPENING_BEYOND;
	}
	if (!live->ended && live->size - start < match.end - match.begin) {
		at->recorded = match.begin;
		return OPENING_MAYBE;
	}
	return OPENING_DEPARTS;
}

/* One of the two is used up. */
static enum opening_fit
end_of(const struct opening *recorded, const struct opening *live, const struct cursor *at,
    size_t *reached)
{
	bool live_over = at->live == live->size, recorded_over = at->recorded == recorded->size;

	*reached = at->recorded;
	if (!live_over)
		return recorded->ended ? OPENING_DEPARTS : OPENING_BEYOND;
	if (!live->ended)
		return OPENING_FITS;
	if (!recorded_over)
		return OPENING_DEPARTS;
	return recorded->ended ? OPENING_FITS : OPENING_BEYOND;
}

enum opening_fit
opening_compare(const struct mask_set *masks, const struct opening *recorded,
    const struct opening *live, size_t *reached)
{
	struct cursor at = {0};
	enum opening_fit fit = OPENING_BEYOND;

	while (fit == OPENING_BEYOND) {
		size_t same = common_bytes(recorded, live, &at), left, came;

		at.recorded += same;
		at.live += same;
		left = recorded->size - at.recorded;
		came = live->size - at.live;
		/* One of them used up may still be the shorter match of a mask. */
		if ((left == 0 && came == 0) || (came == 0 && !live->ended))
			return end_of(recorded, live, &at, reached);
		fit = pass_mask(masks, recorded, live, &at);
		if (fit == OPENING_DEPARTS && (left == 0 || came == 0))
			return end_of(recorded, live, &at, reached);
	}
	if (fit == OPENING_DEPARTS && masks != NULL && masks->count > 0 && !recorded->ended &&
	    recorded->size - at.recorded < CUT_MATCH)
		fit = OPENING_BEYOND;
	*reached = at.recorded;
	return fit;
}
