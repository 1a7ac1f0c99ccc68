#include "format/align_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CREDIT_BYTE 1024 /* a byte that comes pays for that many searched */
#define CREDIT_MAX (1024 * 1024)
#define CAPACITY_LEAST 64
#define CAPACITY_IDLE 512 /* a buffer that is larger and all but empty is given back */
#define SCAN_STEP 4096
#define LOOKAHEAD_LEAST 1024
#define TAIL 8 /* so many last bytes of an answer tell that it is complete */

void
align_free(struct align *align)
{
	if (align == NULL)
		return;
	free(align->streams[0].data);
	free(align->streams[1].data);
	free(align->open);
	free(align);
}

/* -- the bytes that are held -- */

static int
bytes_resize(struct align_bytes *bytes, size_t capacity)
{
	unsigned char *data = realloc(bytes->data, capacity);

	if (data == NULL)
		return -1;
	bytes->data = data;
	bytes->capacity = capacity;
	return 0;
}

static int
bytes_append(struct align_bytes *bytes, const unsigned char *data, size_t size)
{
	size_t capacity = bytes->capacity;

	while (capacity < bytes->size + size)
		capacity *= 2;
	if (capacity > bytes->capacity && bytes_resize(bytes, capacity) != 0)
		return -1;
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return 0;
}

/* Drop what is no longer needed. */
static void
bytes_trim(struct align_bytes *bytes)
{
	uint64_t keep = bytes->at > ALIGN_CONTEXT ? bytes->at - ALIGN_CONTEXT : 0;
	size_t drop, left, capacity;

	if (bytes->anchor < keep)
		keep = bytes->anchor;
	drop = keep > bytes->base ? (size_t)(keep - bytes->base) : 0;
	left = bytes->size - drop;
	/* what is moved is never more than what goes: a byte is moved once on average */
	if (drop == 0 || drop < left)
		return;
	memmove(bytes->data, bytes->data + drop, left);
	bytes->base += drop;
	bytes->size = left;
	if (bytes->capacity <= CAPACITY_IDLE || left > bytes->capacity / 8)
		return;
	for (capacity = CAPACITY_LEAST; capacity < left; capacity *= 2)
		;
	(void)bytes_resize(bytes, capacity); /* if that fails, it stays large */
}

/* -- what is alike -- */

size_t
align_common(const unsigned char *one, const unsigned char *other, size_t size)
{
	size_t at = 0;

	while (size - at >= 256 && memcmp(one + at, other + at, 256) == 0)
		at += 256;
	while (at < size && one[at] == other[at])
		at++;
	return at;
}

/* Move the anchors up to where no match that covers `at` can begin, judging by what both streams
 * have in common. Returns -1 with errno. */
static int
anchors_scan(struct align *align)
{
	struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];
	size_t size = (size_t)(recorded->at - recorded->base);
	size_t from = (size_t)(recorded->anchor - recorded->base);
	const struct automaton_span span = {
	    recorded->data, size, from, size, recorded->base == 0, false};
	struct mask_scan_match next;
	struct mask_scan scan;
	uint64_t anchor;

	if (mask_scan_init(&scan, align->config.masks, &span) != 0)
		return -1;
	while (mask_scan_next(&scan, from, &next), next.certain && next.found)
		from = next.match.end;
	mask_scan_release(&scan);
	anchor = recorded->base + (next.certain ? size : next.alive);
	live->anchor += anchor - recorded->anchor;
	recorded->anchor = anchor;
	align->scan_due = recorded->at + SCAN_STEP + (recorded->at - anchor);
	return 0;
}

/* Pass over what both have in common. Returns -1 with errno. */
static int
equal_pass(struct align *align)
{
	struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];
	size_t ahead[2] = {align_bytes_ahead(recorded), align_bytes_ahead(live)};
	size_t common = ahead[0] < ahead[1] ? ahead[0] : ahead[1];
	const unsigned char *begin, *newline;

	if (common == 0)
		return 0;
	begin = align_bytes_from(recorded, recorded->at);
	if (!align->config.sizes_only)
		common = align_common(begin, align_bytes_from(live, live->at), common);
	recorded->at += common;
	live->at += common;
	if (align->config.masks == NULL || align->config.sizes_only) {
		recorded->anchor = recorded->at;
		live->anchor = live->at;
		return 0;
	}
	newline = align->in_lines ? memrchr(begin, '\n', common) : NULL;
	if (newline != NULL) {
		size_t behind = common - (size_t)(newline + 1 - begin);
		recorded->anchor = recorded->at - behind;
		live->anchor = live->at - behind;
	} else if (recorded->at >= align->scan_due &&
		   recorded->at - recorded->anchor >= SCAN_STEP) {
		return anchors_scan(align);
	}
	return 0;
}

/* Pass over what the live stream has behind an end that is none. */
static void
surplus_pass(struct align *align)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	struct align_bytes *live = &align->streams[ALIGN_LIVE];

	if (align->open_end && recorded->ended && align_bytes_ahead(recorded) == 0)
		live->at = live->anchor = align_bytes_end(live);
}

/* Do the streams differ at `at`, as far as one can see? */
static bool
differs_here(const struct align *align)
{
	const struct align_bytes *one = &align->streams[0], *other = &align->streams[1];
	size_t ahead[2] = {align_bytes_ahead(one), align_bytes_ahead(other)};

	return (ahead[0] > 0 || one->ended) && (ahead[1] > 0 || other->ended) &&
	       ahead[0] + ahead[1] > 0;
}

static bool
is_due(const struct align *align)
{
	for (int i = 0; i < 2; i++)
		if (align_bytes_end(&align->streams[i]) >= align->streams[i].due)
			return true;
	return false;
}

static void
state_enter(struct align *align, enum align_state state)
{
	align->state = state;
	align->streams[0].due = align->streams[1].due = 0;
	align->lookahead = state == ALIGN_EQUAL ? 0 : LOOKAHEAD_LEAST;
	align->token_known = align->live_known = false;
	align->tentative = 0;
}

/* Go on as far as the bytes that are there allow. Returns -1 with errno. */
static int
align_process(struct align *align)
{
	bool masked = align->config.masks != NULL && !align->config.sizes_only;
	enum align_verdict verdict;

	for (;;) {
		if (align->state == ALIGN_EQUAL) {
			if (equal_pass(align) != 0)
				return -1;
			surplus_pass(align);
			if (!differs_here(align))
				return 0;
			state_enter(align, masked ? ALIGN_TOKEN : ALIGN_DIFFER);
		}
		if (!is_due(align))
			return 0;
		verdict = align->state == ALIGN_TOKEN ? align_tokens(align) : align_resync(align);
		switch (verdict) {
		case ALIGN_PASSED:
			state_enter(align, ALIGN_EQUAL);
			break;
		case ALIGN_REFUSED:
			state_enter(align, ALIGN_DIFFER);
			break;
		case ALIGN_WAITING:
			return 0;
		case ALIGN_NO_MEMORY:
			return -1;
		}
	}
}

struct align *
align_new(const struct align_config *config)
{
	struct align *align = calloc(1, sizeof(*align));

	if (align == NULL)
		return NULL;
	align->config = *config;
	if (config->masks != NULL && config->masks->count == 0)
		align->config.masks = NULL;
	align->in_lines = config->masks != NULL && mask_set_in_lines(config->masks);
	align->scan_due = SCAN_STEP;
	/* there is always a buffer: an address, if not a byte */
	for (int i = 0; i < 2; i++) {
		if (bytes_resize(&align->streams[i], CAPACITY_LEAST) != 0) {
			align_free(align);
			return NULL;
		}
	}
	return align;
}

int
align_feed(struct align *align, enum align_stream stream, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	while (size > 0) {
		size_t piece = size < ALIGN_WINDOW ? size : ALIGN_WINDOW;
		if (bytes_append(&align->streams[stream], bytes, piece) != 0)
			return -1;
		bytes += piece;
		size -= piece;
		align->credit += (uint64_t)piece * CREDIT_BYTE;
		if (align->credit > CREDIT_MAX)
			align->credit = CREDIT_MAX;
		if (align_process(align) != 0)
			return -1;
		bytes_trim(&align->streams[ALIGN_RECORDED]);
		bytes_trim(&align->streams[ALIGN_LIVE]);
	}
	return 0;
}

int
align_end(struct align *align, enum align_stream stream)
{
	align->streams[stream].ended = true;
	align->streams[stream].due = 0;
	align->credit = CREDIT_MAX;
	if (align_process(align) != 0)
		return -1;
	bytes_trim(&align->streams[ALIGN_RECORDED]);
	bytes_trim(&align->streams[ALIGN_LIVE]);
	return 0;
}

void
align_open_end(struct align *align)
{
	align->open_end = true;
}

size_t
align_wanted(const struct align *align)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	size_t held = align_bytes_ahead(recorded), wanted = align->lookahead;

	if (recorded->ended)
		return 0;
	if (align->state == ALIGN_EQUAL)
		wanted = align_bytes_ahead(live) + (live->ended ? 1 : 0);
	else if (align->target > recorded->at && align->target - recorded->at <= ALIGN_WINDOW &&
		 align->target - recorded->at > wanted)
		wanted = (size_t)(align->target - recorded->at);
	return wanted > held ? wanted - held : 0;
}

/* Do the live bytes end as the recorded ones do before `target`? Bytes of earlier targets do not
 * count, and about as many as were recorded must have come. */
static bool
tail_is_alike(const struct align *align, uint64_t target)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];
	uint64_t begin[2], expected, come;
	size_t tail;

	for (int i = 0; i < 2; i++) {
		const struct align_bytes *bytes = &align->streams[i];
		begin[i] = bytes->at > align->since[i] ? bytes->at : align->since[i];
	}
	if (target <= begin[ALIGN_RECORDED] || target > align_bytes_end(recorded))
		return false;
	expected = target - begin[ALIGN_RECORDED];
	come = align_bytes_end(live) > begin[ALIGN_LIVE] ? align_bytes_end(live) - begin[ALIGN_LIVE]
							 : 0;
	tail = expected / 2 < TAIL ? (size_t)(expected + 1) / 2 : TAIL;
	return come >= (expected + 1) / 2 && memcmp(align_bytes_from(recorded, target) - tail,
						 live->data + live->size - tail, tail) == 0;
}

uint64_t
align_reached(struct align *align, uint64_t target)
{
	const struct align_bytes *recorded = &align->streams[ALIGN_RECORDED];
	const struct align_bytes *live = &align->streams[ALIGN_LIVE];

	if (target > align->target) {
		align->since[ALIGN_RECORDED] = align->target;
		align->since[ALIGN_LIVE] = align->asked_live;
		align->target = target;
	}
	align->asked_live = align_bytes_end(live);
	if (align->state == ALIGN_EQUAL || recorded->at >= target)
		return recorded->at;
	if (align->tentative >= target) {
		bool touching = align->live_known && align->live.end == align_bytes_end(live);
		uint64_t end = align->token.end < target ? align->token.end : target;
		/* a shorter one is likelier to be the beginning of one as long */
		if (!touching || align->live.end - align->live.begin >= end - align->token.begin) {
			align_token_tell(align);
			return align->tentative;
		}
	}
	return tail_is_alike(align, target) ? target : recorded->at;
}

void
align_settle(struct align *align)
{
	if (align->config.masks == NULL || align->config.sizes_only)
		return;
	if (align->state == ALIGN_EQUAL)
		align_token_unfinished(align);
	else
		align_token_tell(align);
}

uint64_t
align_differences(const struct align *align)
{
	return align->differences;
}

uint64_t
align_compared(const struct align *align, enum align_stream stream)
{
	return align->streams[stream].at;
}
