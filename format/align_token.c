#include <string.h>

#include "format/align_private.h"

void
align_search(const struct align *align, enum align_stream stream, uint64_t from, uint64_t before,
    struct automaton_match *match)
{
	const struct align_bytes *bytes = &align->streams[stream];
	const struct automaton_span span = {.data = bytes->data,
	    .size = bytes->size,
	    .from = (size_t)(from - bytes->base),
	    .before = (size_t)(before - bytes->base),
	    .at_start = bytes->base == 0,
	    .at_end = bytes->ended};

	automaton_search(align->config.masks->automaton, &span, match);
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
token_of(const struct align_bytes *bytes, const struct automaton_match *match)
{
	return (struct align_token){
	    match->pattern, bytes->base + match->begin, bytes->base + match->end};
}

/* Find the recorded stream's first token, if one begins at or before `at`. */
static enum align_verdict
recorded_token(struct align *align)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct automaton_match match;

	/* all that was asked for is looked at in any case */
	if (align_bytes_ahead(recorded) < align->lookahead && !credit_take(align, ALIGN_RECORDED))
		return ALIGN_WAITING;
	align_search(align, ALIGN_RECORDED, recorded->anchor, recorded->at + 1, &match);
	if (!match.certain) {
		size_t most = ALIGN_WINDOW + PATTERN_MATCH_MAX;
		if (align_bytes_ahead(recorded) >= align->lookahead && align->lookahead < most)
			align->lookahead *= 4;
		return ALIGN_WAITING;
	}
	if (!match.found)
		return ALIGN_REFUSED;
	align->token = token_of(recorded, &match);
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

/* Is that the match that meets the recorded one? */
static bool
token_meets(const struct align *align, const struct automaton_match *match)
{
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	uint64_t place =
	    live->anchor + (align->token.begin - align->streams[ALIGN_RECORDED].anchor);

	return match->found && match->pattern == align->token.mask &&
	       live->base + match->begin == place;
}

/* The match that meets the recorded one may become longer: how far would it lead as it stands? */
static void
live_guess(struct align *align, const struct automaton_match *match)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	uint64_t ahead[2];
	size_t common;

	align->live_known = token_meets(align, match);
	align->tentative = 0;
	if (!align->live_known)
		return;
	align->live = token_of(live, match);
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
live_token(struct align *align)
{
	struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];
	uint64_t place = live->anchor + (align->token.begin - recorded->anchor);
	struct automaton_match match;
	struct align_token token;

	if (!credit_take(align, ALIGN_LIVE)) {
		align->tentative = 0;
		return ALIGN_WAITING;
	}
	align_search(align, ALIGN_LIVE, live->anchor, place + 1, &match);
	if (!match.certain) {
		live_guess(align, &match);
		return ALIGN_WAITING;
	}
	if (!token_meets(align, &match))
		return ALIGN_REFUSED;
	token = token_of(live, &match);
	align_masked_tell(align, &align->token, &token);
	recorded->anchor = align->token.end;
	live->anchor = token.end;
	align->token_known = align->live_known = false;
	align->tentative = 0;
	return ALIGN_PASSED;
}

enum align_verdict
align_tokens(struct align *align)
{
	struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];

	for (;;) {
		enum align_verdict verdict =
		    align->token_known ? ALIGN_PASSED : recorded_token(align);
		if (verdict == ALIGN_PASSED)
			verdict = live_token(align);
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

void
align_token_unfinished(struct align *align)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	struct automaton_match match;
	uint64_t from = recorded->anchor;
	struct align_token token;

	for (;; from = align->token.end) {
		align_search(align, ALIGN_RECORDED, from, recorded->at, &match);
		if (!match.found)
			return;
		align->token = token_of(recorded, &match);
		if (align->token.end > recorded->at)
			break;
	}
	align_search(
	    align, ALIGN_LIVE, live->at - (recorded->at - align->token.begin), live->at, &match);
	if (!match.found || match.pattern != align->token.mask)
		return;
	token = token_of(live, &match);
	if (token.end == align_bytes_end(live))
		align_masked_tell(align, &align->token, &token);
}
