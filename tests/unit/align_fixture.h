/* What the tests of the alignment share: two streams compared in pieces, and what is told kept. */
#ifndef TESTS_UNIT_ALIGN_FIXTURE_H
#define TESTS_UNIT_ALIGN_FIXTURE_H

#include "format/align_private.h"

#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define TOLD_MAX 4096

struct told {
	uint64_t offset[2], size[2];
};

struct run {
	struct align *align;
	struct mask_set masks;
	struct told told[TOLD_MAX];
	size_t count;
	size_t masked;
	struct align_masked last_masked;
	char masked_text[2][64];
};

static void
differ(void *context, const struct align_difference *difference)
{
	struct run *run = context;
	struct told *told = &run->told[run->count++];

	EXPECT(run->count < TOLD_MAX);
	for (int i = 0; i < 2; i++) {
		told->offset[i] = difference->offset[i];
		told->size[i] = difference->size[i];
		EXPECT(difference->shown[i] ==
		       (told->size[i] < ALIGN_SHOW ? told->size[i] : ALIGN_SHOW));
		EXPECT(difference->before_size[i] ==
		       (told->offset[i] < ALIGN_CONTEXT ? told->offset[i] : ALIGN_CONTEXT));
	}
}

static void
masked(void *context, const struct align_masked *match)
{
	struct run *run = context;

	run->masked++;
	run->last_masked = *match;
	for (int i = 0; i < 2; i++)
		snprintf(run->masked_text[i], sizeof(run->masked_text[i]), "%.*s",
		    (int)match->size[i], (const char *)match->bytes[i]);
}

static void
run_begin(struct run *run, const char *const *patterns, bool sizes_only)
{
	struct align_config config = {&run->masks, differ, masked, run, .sizes_only = sizes_only};
	char error[256];

	run->count = run->masked = 0;
	mask_set_init(&run->masks);
	for (; patterns != NULL && *patterns != NULL; patterns++)
		EXPECT(mask_set_add(&run->masks, *patterns, error, sizeof(error)) == 0);
	run->align = align_new(&config);
	EXPECT(run->align != NULL);
}

static void
run_finish(struct run *run)
{
	EXPECT(align_differences(run->align) == run->count);
	align_free(run->align);
	run->align = NULL;
	mask_set_release(&run->masks);
}

/* Compare in pieces: 0: recorded first and all at once; else live bytes in pieces of up to that
 * size, recorded ones as they are wanted. */
static void
run_streams(struct run *run, const char *const *patterns, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size, size_t piece)
{
	const unsigned char *bytes[2] = {recorded, live};
	size_t at[2] = {0, 0};
	bool ended = false;

	run_begin(run, patterns, false);
	if (piece == 0) {
		EXPECT(align_feed(run->align, ALIGN_RECORDED, recorded, recorded_size) == 0);
		EXPECT(align_end(run->align, ALIGN_RECORDED) == 0);
		EXPECT(align_feed(run->align, ALIGN_LIVE, live, live_size) == 0);
		EXPECT(align_end(run->align, ALIGN_LIVE) == 0);
		return;
	}
	for (;;) {
		size_t wanted;
		while (!ended && (wanted = align_wanted(run->align)) > 0) {
			size_t size = wanted < piece ? wanted : piece;
			if (size > recorded_size - at[0])
				size = recorded_size - at[0];
			EXPECT(align_feed(run->align, ALIGN_RECORDED, bytes[0] + at[0], size) == 0);
			at[0] += size;
			if (at[0] == recorded_size) {
				EXPECT(align_end(run->align, ALIGN_RECORDED) == 0);
				ended = true;
			}
		}
		if (at[1] > live_size)
			break;
		if (at[1] == live_size) {
			EXPECT(align_end(run->align, ALIGN_LIVE) == 0);
			at[1]++;
			continue;
		}
		size_t size = 1 + pick(piece);
		if (size > live_size - at[1])
			size = live_size - at[1];
		EXPECT(align_feed(run->align, ALIGN_LIVE, bytes[1] + at[1], size) == 0);
		at[1] += size;
	}
	if (!ended)
		EXPECT(align_end(run->align, ALIGN_RECORDED) == 0);
}

#endif
