#include <string.h>

#include "format/align_private.h"

int
align_scan_init(struct mask_scan *scan, const struct align *align, enum align_stream stream,
    uint64_t from, uint64_t before)
{
	const struct align_bytes *bytes = &align->streams[stream];
	const struct automaton_span span = {.data = bytes->data,
	    .size = bytes->size,
	    .from = (size_t)(from - bytes->base),
	    .before = (size_t)(before - bytes->base),
	    .at_start = bytes->base == 0,
	    .at_end = bytes->ended};

	return mask_scan_init(scan, align->config.masks, &span);
}

/* The next match of a scan, from the stream's anchor on. */
static void
scan_next(const struct align *align, struct mask_scan *scan, enum align_stream stream,
    struct mask_scan_match *next)
{
	const struct align_bytes *bytes = &align->streams[stream];

	mask_scan_next(scan, (size_t)(bytes->anchor - bytes->base), next);
}

/* May the stream be searched from its anchor on? Searching again with every byte that comes would
 * take time with the square of a long match. */
static bool
credit_take(struct align *align, enum align_stream stream)
{
	const struct align_bytes *bytes = &align->streams[stream];
	uint64_t cost = align_bytes_end(bytes) - bytes->anchor;

	if (bytes->ended)
		return true;
	if (cost > align->credit)
		return false;
	align->credit -= cost;
	return true;
}

static struct align_token
token_of(const struct align_bytes *bytes, const struct mask_match *match)
{
	return (struct align_token){
	    match->mask, bytes->base + match->begin, bytes->base + match->end};
}

/* Find the recorded stream's first token, if one begins at or before `at`. */
static enum align_verdict
recorded_token(struct align *align, struct mask_scan *scan)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct mask_scan_match next;

	/* all that was asked for is looked at in any case */
	if (align_bytes_ahead(recorded) < align->lookahead && !credit_take(align, ALIGN_RECORDED))
		return ALIGN_WAITING;
	scan_next(align, scan, ALIGN_RECORDED, &next);
	if (!next.certain) {
		while (align->lookahead <= align_bytes_ahead(recorded))
			align->lookahead *= 4;
		return ALIGN_WAITING;
	}
	if (!next.found)
		return ALIGN_REFUSED;
	align->token = token_of(recorded, &next.match);
	align->token_known = true;
	return ALIGN_PASSED;
}

void
align_masked_tell(
    struct align *align, const struct align_token *recorded, const struct align_token *live)
{
	const struct align_token *tokens[2] = {recorded, live};
	struct align_masked masked = {.mask = recorded->mask};

	for (int i = 0; i < 2; i++) {
		masked.offset[i] = tokens[i]->begin;
		masked.bytes[i] = align_bytes_from(&align->streams[i], tokens[i]->begin);
		masked.size[i] = (size_t)(tokens[i]->end - tokens[i]->begin);
	}
	if (align->config.masked == NULL || align->live_told == live->end)
		return;
	if (masked.size[0] == masked.size[1] &&
	    memcmp(masked.bytes[0], masked.bytes[1], masked.size[0]) == 0)
		return;
	align->live_told = live->end;
	align->config.masked(align->config.context, &masked);
}

void
align_token_tell(struct align *align)
{
	if (align->live_known)
		align_masked_tell(align, &align->token, &align->live);
}

/* Where in the live stream a match begins that meets the recorded one. */
static uint64_t
live_place(const struct align *align)
{
	return align->streams[ALIGN_LIVE].anchor +
	       (align->token.begin - align->streams[ALIGN_RECORDED].anchor);
}

static bool
token_meets(const struct align *align, const struct mask_scan_match *next)
{
	return next->found && next->match.mask == align->token.mask &&
	       align->streams[ALIGN_LIVE].base + next->match.begin == live_place(align);
}

/* The match that meets the recorded one may become longer: how far would it lead as it stands? */
static void
live_guess(struct align *align, const struct mask_scan_match *next)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	uint64_t ahead[2];
	size_t common;

	align->live_known = token_meets(align, next);
	align->tentative = 0;
	if (!align->live_known)
		return;
	align->live = token_of(live, &next->match);
	ahead[0] = align_bytes_end(recorded) - align->token.end;
	ahead[1] = align_bytes_end(live) - align->live.end;
	if (ahead[1] > ahead[0])
		return;
	common = align_common(align_bytes_from(recorded, align->token.end),
	    align_bytes_from(live, align->live.end), (size_t)ahead[1]);
	if (common == ahead[1])
		align->tentative = align->token.end + common;
}

/* Find what meets the recorded token. */
static enum align_verdict
live_token(struct align *align, struct mask_scan *scan)
{
	struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];
	struct mask_scan_match next;
	struct align_token token;

	if (!credit_take(align, ALIGN_LIVE)) {
		align->tentative = 0;
		return ALIGN_WAITING;
	}
	scan_next(align, scan, ALIGN_LIVE, &next);
	if (!next.certain && live->base + next.alive <= live_place(align)) {
		live_guess(align, &next);
		return ALIGN_WAITING;
	}
	if (!token_meets(align, &next))
		return ALIGN_REFUSED;
	token = token_of(live, &next.match);
	align_masked_tell(align, &align->token, &token);
	recorded->anchor = align->token.end;
	live->anchor = token.end;
	align->token_known = align->live_known = false;
	align->tentative = 0;
	return ALIGN_PASSED;
}

/* Go from token to token, up to those that cover `at`. */
static enum align_verdict
tokens_walk(struct align *align, struct mask_scan scans[2])
{
	struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];

	for (;;) {
		enum align_verdict verdict = ALIGN_PASSED;
		if (!align->token_known)
			verdict = recorded_token(align, &scans[ALIGN_RECORDED]);
		if (verdict == ALIGN_PASSED)
			verdict = live_token(align, &scans[ALIGN_LIVE]);
		if (verdict != ALIGN_PASSED)
			return verdict;
		/* matches before `at` are alike in both; then the next ones may be at the
		 * difference */
		if (recorded->anchor > recorded->at || live->anchor > live->at ||
		    recorded->at - recorded->anchor != live->at - live->anchor)
			break;
	}
	recorded->at = recorded->anchor;
	live->at = live->anchor;
	return ALIGN_PASSED;
}

enum align_verdict
align_tokens(struct align *align)
{
	struct mask_scan scans[2] = {{.found = NULL}, {.found = NULL}};
	enum align_verdict verdict = ALIGN_NO_MEMORY;
	bool ready = true;

	for (int i = 0; i < 2 && ready; i++) {
		const struct align_bytes *bytes = &align->streams[i];
		ready = align_scan_init(&scans[i], align, (enum align_stream)i, bytes->anchor,
			    bytes->at + 1) == 0;
	}
	if (ready)
		verdict = tokens_walk(align, scans);
	mask_scan_release(&scans[0]);
	mask_scan_release(&scans[1]);
	return verdict;
}

/* Find the recorded match that `at` is within. */
static bool
token_around(struct align *align)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	size_t from = (size_t)(recorded->anchor - recorded->base);
	struct mask_scan_match next;
	struct mask_scan scan;

	if (align_scan_init(&scan, align, ALIGN_RECORDED, recorded->anchor, recorded->at) != 0)
		return false;
	do {
		mask_scan_next(&scan, from, &next);
		from = next.match.end;
	} while (next.found && recorded->base + from <= recorded->at);
	mask_scan_release(&scan);
	if (next.found)
		align->token = token_of(recorded, &next.match);
	return next.found;
}

void
align_token_unfinished(struct align *align)
{
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	struct mask_scan_match next;
	struct align_token token;
	struct mask_scan scan;
	uint64_t place;

	if (!token_around(align))
		return;
	place = live->at - (align->streams[ALIGN_RECORDED].at - align->token.begin);
	if (align_scan_init(&scan, align, ALIGN_LIVE, place, place + 1) != 0)
		return;
	mask_scan_next(&scan, (size_t)(place - live->base), &next);
	mask_scan_release(&scan);
	if (!next.found || next.match.mask != align->token.mask)
		return;
	token = token_of(live, &next.match);
	if (token.end == align_bytes_end(live))
		align_masked_tell(align, &align->token, &token);
}
