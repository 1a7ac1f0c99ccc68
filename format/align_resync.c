#include <errno.h>

#include "format/align_split.h"

#define STRETCH_LEAST 256 /* symbols looked at first; most differences are small */
#define NEARBY 8	  /* so many places aside of the nearest one others are tried ... */
#define NEARBY_SUM 64	  /* ... if it is no further away than that */

/* Where both may go on alike. */
struct meeting {
	size_t place[2];
	size_t run;  /* how long */
	bool open;   /* at least: further bytes will tell */
	bool to_end; /* to the common end */
};

/* Is `one` to be taken rather than `other`? The longer one; then bytes replaced rather than
 * inserted or lost; then the nearer one. */
static bool
is_better(const struct meeting *one, const struct meeting *other)
{
	bool aside[2] = {one->place[0] != one->place[1], other->place[0] != other->place[1]};

	if (one->to_end != other->to_end)
		return one->to_end;
	if (one->run != other->run && !one->to_end)
		return one->run > other->run;
	if (aside[0] != aside[1])
		return !aside[0];
	return one->place[0] + one->place[1] < other->place[0] + other->place[1];
}

static void
meeting_measure(const struct align_symbols symbols[2], struct meeting *meeting)
{
	size_t i = meeting->place[0], j = meeting->place[1];

	meeting->run = align_symbols_run(symbols, i, j, SIZE_MAX, &meeting->open);
	meeting->to_end = symbols[0].complete && symbols[1].complete &&
			  i + meeting->run == symbols[0].count &&
			  j + meeting->run == symbols[1].count;
}

/* The first place on a diagonal, the other stream being `aside` symbols ahead, where both go on
 * alike; false if there is none with a sum up to `most`. */
static bool
diagonal_meet(
    const struct align_symbols symbols[2], long aside, size_t most, struct meeting *meeting)
{
	size_t i = aside < 0 ? (size_t)-aside : 0, j = aside > 0 ? (size_t)aside : 0;

	for (; i + j <= most && i <= symbols[0].count && j <= symbols[1].count; i++, j++) {
		if (!align_symbols_agree(symbols, i, j))
			continue;
		meeting->place[0] = i;
		meeting->place[1] = j;
		meeting_measure(symbols, meeting);
		return true;
	}
	return false;
}

/* Have both streams been read so far that nothing nearer than a sum of `most` can show up? */
static bool
is_read(const struct align_symbols symbols[2], size_t most)
{
	for (int i = 0; i < 2; i++)
		if (!symbols[i].complete && symbols[i].count < most + ALIGN_AGREE)
			return false;
	return true;
}

/*
 * Among bytes that repeat themselves, as zeros, the nearest place is often the wrong one: a byte
 * replaced there looks like one inserted, until the zeros end. So places nearby are tried too, and
 * the one is taken from which both are alike for longest. Returns false if it takes more bytes to
 * tell; `last`: there won't be more.
 */
static bool
nearby_choose(const struct align_symbols symbols[2], bool last, struct meeting *best)
{
	size_t sum = best->place[0] + best->place[1], most = 2 * sum + 2;
	long nearest = (long)best->place[1] - (long)best->place[0];
	long aside = sum <= NEARBY_SUM / 2 ? NEARBY : 0;
	size_t open;

	if (most < (size_t)aside)
		most = (size_t)aside; /* the first place on each of these diagonals */
	if (!last && !is_read(symbols, most))
		return false;
	meeting_measure(symbols, best);
	open = best->open;
	for (long i = -aside; i <= aside; i++) {
		struct meeting meeting;
		if (i == nearest || !diagonal_meet(symbols, i, most, &meeting))
			continue;
		open += meeting.open;
		if (is_better(&meeting, best))
			*best = meeting;
	}
	return last || open == best->open; /* else another one may turn out to be longer */
}

/* Masks that were met between two differences. */
static void
masked_tell(struct align *align, const struct align_symbols symbols[2], const struct align_run *run)
{
	for (size_t i = 0; i < run->length; i++) {
		struct align_token tokens[2];
		uint32_t code = symbols[0].codes[run->place[0] + i];
		if (code < 256)
			continue;
		for (int k = 0; k < 2; k++) {
			const uint32_t *places = symbols[k].places + run->place[k] + i;
			uint64_t at = align->streams[k].at;
			tokens[k] =
			    (struct align_token){code - 256, at + places[0], at + places[1]};
		}
		align_masked_tell(align, &tokens[0], &tokens[1]);
	}
}

/* Tell what differs up to there, passing it: several differences if there is enough between them
 * that is alike. */
static void
differences_tell(struct align *align, const struct align_symbols symbols[2], const size_t place[2])
{
	struct align_bytes *streams = align->streams;
	uint64_t from[2] = {streams[0].at, streams[1].at}, until[2];
	struct align_runs runs = {.runs = NULL};

	if (align->open == NULL)
		align_split(&runs, symbols, place);
	for (size_t i = 0; i < runs.count; i++) {
		const struct align_run *run = &runs.runs[i];
		for (int k = 0; k < 2; k++)
			until[k] = streams[k].at + symbols[k].places[run->place[k]];
		align_tell(align, from, until);
		masked_tell(align, symbols, run);
		for (int k = 0; k < 2; k++)
			from[k] = streams[k].at + symbols[k].places[run->place[k] + run->length];
	}
	align_runs_release(&runs);
	for (int k = 0; k < 2; k++)
		until[k] = streams[k].at + symbols[k].places[place[k]];
	align_tell(align, from, until);
	for (int k = 0; k < 2; k++)
		streams[k].at = streams[k].anchor = until[k];
}

/* Look again when there is an eighth more, at least `needed` bytes, or all that is asked for. */
static void
look_later(struct align *align, size_t needed)
{
	size_t most = ALIGN_WINDOW + (align->config.masks != NULL ? PATTERN_MATCH_MAX : 0);
	size_t live = align_bytes_ahead(&align->streams[ALIGN_LIVE]);
	size_t goals[2];

	/* the nearest place is no further away than there are bytes of both */
	if (!align->streams[ALIGN_LIVE].ended && 2 * live + STRETCH_LEAST < most)
		most = 2 * live + STRETCH_LEAST;
	if (align->lookahead < most)
		align->lookahead = most;
	goals[ALIGN_RECORDED] = align->lookahead;
	goals[ALIGN_LIVE] = ALIGN_WINDOW;
	for (int i = 0; i < 2; i++) {
		struct align_bytes *bytes = &align->streams[i];
		size_t ahead = align_bytes_ahead(bytes), wanted = ahead + ahead / 8 + 1;
		if (wanted < needed)
			wanted = needed;
		if (ahead < goals[i] && wanted > goals[i])
			wanted = goals[i];
		bytes->due = bytes->at + wanted;
	}
}

/* Nothing is alike within the window: drop what is the furthest behind. */
static enum align_verdict
window_pass(struct align *align, const struct align_symbols symbols[2])
{
	size_t sizes[2];

	for (int i = 0; i < 2; i++) {
		const struct align_symbols *own = &symbols[i], *other = &symbols[1 - i];
		sizes[i] = 0;
		if (other->complete && other->count == 0)
			sizes[i] = own->places[own->count]; /* nothing left to be like it */
		else if (own->full)
			sizes[i] = own->places[own->count / 2];
	}
	for (int i = 0; i < 2; i++)
		if (sizes[i] > 0 && align_swallow(align, (enum align_stream)i, sizes[i]) != 0)
			return ALIGN_NO_MEMORY;
	return sizes[0] + sizes[1] > 0 ? ALIGN_REFUSED : ALIGN_WAITING;
}

/* Try with what was read; `last`: more will not be looked at. `*needed`: so many bytes it takes. */
static enum align_verdict
stretch_try(struct align *align, const struct align_symbols symbols[2], bool last, size_t *needed)
{
	struct meeting best;
	bool no_memory, found = align_symbols_meet(symbols, best.place, &no_memory);

	if (no_memory)
		return ALIGN_NO_MEMORY;
	if (found && (last || is_read(symbols, best.place[0] + best.place[1])) &&
	    nearby_choose(symbols, last, &best)) {
		differences_tell(align, symbols, best.place);
		return ALIGN_PASSED;
	}
	if (found)
		*needed = best.place[0] + best.place[1] + ALIGN_AGREE;
	return last ? window_pass(align, symbols) : ALIGN_WAITING;
}

/* Is that all of the stream, or of the window, or all that can matter? */
static bool
is_settled(const struct align_symbols *own, const struct align_symbols *other, size_t size)
{
	return own->complete || (own->full && size >= ALIGN_WINDOW) ||
	       (other->complete && other->count == 0);
}

/* Try with stretches of `size` bytes. `*longer`: if it takes more, there is more. */
static enum align_verdict
stretches_try(struct align *align, size_t size, bool *longer, size_t *needed)
{
	struct align_symbols symbols[2] = {{0}};
	enum align_verdict verdict = ALIGN_NO_MEMORY;
	bool last;

	if (align_symbols_read(&symbols[0], align, ALIGN_RECORDED, size) != 0 ||
	    align_symbols_read(&symbols[1], align, ALIGN_LIVE, size) != 0)
		goto release;
	last = is_settled(&symbols[0], &symbols[1], size) &&
	       is_settled(&symbols[1], &symbols[0], size);
	verdict = stretch_try(align, symbols, last, needed);
	*longer = (symbols[0].full || symbols[1].full) && !last;
release:
	align_symbols_release(&symbols[0]);
	align_symbols_release(&symbols[1]);
	return verdict;
}

enum align_verdict
align_resync(struct align *align)
{
	enum align_verdict verdict;
	size_t needed = ALIGN_AGREE + 1;

	do {
		bool longer = true;
		verdict = ALIGN_WAITING;
		for (size_t size = STRETCH_LEAST;
		     size <= ALIGN_WINDOW && longer && verdict == ALIGN_WAITING; size *= 4)
			verdict = stretches_try(align, size, &longer, &needed);
	} while (verdict == ALIGN_REFUSED); /* part of it was dropped */
	if (verdict == ALIGN_WAITING)
		look_later(align, needed);
	return verdict;
}
