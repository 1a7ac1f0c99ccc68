/* Two streams compared: differences are in order, do not overlap, and what is not told is alike;
 * the pieces in which the streams come change nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/align.h"

#define TOLD_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *bytes[2];
	size_t sizes[2];
	int open_end; /* the recorded one was cut: what is behind it is no difference */
};

struct told {
	uint64_t offset[2], size[2];
};

struct run {
	const struct input *input;
	size_t count;
	struct told told[TOLD_MAX];
};

static void
expect(int condition)
{
	if (!condition)
		abort();
}

static void
differ(void *context, const struct align_difference *difference)
{
	struct run *run = context;

	for (int i = 0; i < 2; i++) {
		const uint8_t *begin = run->input->bytes[i] + difference->offset[i];
		expect(difference->offset[i] + difference->size[i] <= run->input->sizes[i]);
		expect(memcmp(difference->bytes[i], begin, difference->shown[i]) == 0);
		expect(memcmp(difference->before[i], begin - difference->before_size[i],
			   difference->before_size[i]) == 0);
		expect(memcmp(difference->after[i], begin + difference->size[i],
			   difference->after_size[i]) == 0);
	}
	expect(difference->size[0] + difference->size[1] > 0);
	if (run->count == TOLD_MAX)
		return;
	memcpy(run->told[run->count].offset, difference->offset, sizeof(difference->offset));
	memcpy(run->told[run->count++].size, difference->size, sizeof(difference->size));
}

static void
masked(void *context, const struct align_masked *match)
{
	const struct run *run = context;

	for (int i = 0; i < 2; i++) {
		expect(match->size[i] > 0);
		expect(match->offset[i] + match->size[i] <= run->input->sizes[i]);
		expect(memcmp(match->bytes[i], run->input->bytes[i] + match->offset[i],
			   match->size[i]) == 0);
	}
}

/* Feed both in pieces, whichever `order` says next; 0: all at once. */
static void
run_streams(struct run *run, const struct mask_set *masks, uint32_t order)
{
	const struct align_config config = {masks, differ, masked, run, false};
	struct align *align = align_new(&config);
	size_t at[2] = {0, 0};
	uint64_t reached = 0;

	expect(align != NULL);
	run->count = 0;
	while (at[0] <= run->input->sizes[0] || at[1] <= run->input->sizes[1]) {
		enum align_stream stream;
		size_t left, piece;
		order = order * 1103515245 + (order > 0 ? 12345 : 0);
		stream = (order >> 16 & 1) ? ALIGN_LIVE : ALIGN_RECORDED;
		if (at[stream] > run->input->sizes[stream])
			stream = 1 - stream;
		left = run->input->sizes[stream] - at[stream];
		piece = order == 0 ? left : 1 + (order >> 20) % 40;
		if (left == 0) {
			if (run->input->open_end)
				align_open_end(align);
			expect(align_end(align, stream) == 0);
			at[stream]++;
			continue;
		}
		if (piece > left)
			piece = left;
		expect(
		    align_feed(align, stream, run->input->bytes[stream] + at[stream], piece) == 0);
		at[stream] += piece;
		reached = align_reached(align, run->input->sizes[0]);
		expect(reached <= run->input->sizes[0]);
	}
	expect(align_compared(align, ALIGN_RECORDED) == run->input->sizes[0]);
	expect(align_compared(align, ALIGN_LIVE) == run->input->sizes[1]);
	align_free(align);
}

static void
expect_reconstructs(const struct run *run, int exactly)
{
	const struct input *input = run->input;
	uint64_t at[2] = {0, 0};

	for (size_t i = 0; i <= run->count; i++) {
		const struct told end = {{input->sizes[0], input->sizes[1]}, {0, 0}};
		const struct told *told = i < run->count ? &run->told[i] : &end;
		expect(told->offset[0] >= at[0] && told->offset[1] >= at[1]);
		if (exactly)
			expect((told->offset[0] - at[0] == told->offset[1] - at[1] ||
				   (input->open_end && i == run->count &&
				       told->offset[0] - at[0] <= told->offset[1] - at[1])) &&
			       memcmp(input->bytes[0] + at[0], input->bytes[1] + at[1],
				   told->offset[0] - at[0]) == 0);
		for (int k = 0; k < 2; k++)
			at[k] = told->offset[k] + told->size[k];
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const patterns[] = {
	    "[0-9]+", "id=[a-z]*;", "<(.|\\n)*>", "Date: .*", "x{2,3}"};
	static struct run whole, pieces;
	struct input input;
	struct mask_set masks;
	char error[256];
	size_t half;

	if (size < 4)
		return 0;
	mask_set_init(&masks);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (data[0] >> i & 1)
			expect(mask_set_add(&masks, patterns[i], error, sizeof(error)) == 0);
	half = ((size_t)data[1] << 8 | data[2]) % (size - 2);
	input = (struct input){
	    {data + 3, data + 3 + half}, {half, size - 3 - half}, (data[0] & 0x80) != 0};
	whole.input = pieces.input = &input;
	run_streams(&whole, &masks, 0);
	run_streams(&pieces, &masks, 1 + data[0] + ((uint32_t)data[2] << 8));
	expect_reconstructs(&whole, masks.count == 0);
	expect(whole.count == pieces.count);
	expect(memcmp(whole.told, pieces.told, whole.count * sizeof(whole.told[0])) == 0);
	mask_set_release(&masks);
	return 0;
}
