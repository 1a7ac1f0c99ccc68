/* A recording and two replays of it: whatever is learned can be read back as masks, line by line,
 * and hides nothing of a replay that is the recording itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netreplay/learn.h"

#define RUNS 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(int condition)
{
	if (!condition)
		abort();
}

static void
differ(void *context, const struct align_difference *difference)
{
	expect(learn_difference(context, "log", difference) == 0);
}

static void
compare(struct learn *learn, const struct mask_set *masks, const uint8_t *const bytes[2],
    const size_t sizes[2])
{
	const struct align_config config = {.masks = masks, .differ = differ, .context = learn};
	struct align *align = align_new(&config);

	expect(align != NULL);
	for (int i = 0; i < 2; i++) {
		expect(align_feed(align, (enum align_stream)i, bytes[i], sizes[i]) == 0);
		expect(align_end(align, (enum align_stream)i) == 0);
	}
	align_free(align);
}

static void
expect_readable(const struct learn *learn)
{
	struct mask_set masks;
	char *text = NULL, *line, *rest, error[256];
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	expect(stream != NULL && learn_write(learn, stream) == 0 && fclose(stream) == 0);
	mask_set_init(&masks);
	for (rest = text; (line = strsep(&rest, "\n")) != NULL;) {
		for (const char *at = line; *at != '\0'; at++)
			expect(*at >= ' ' && *at <= '~');
		if (line[0] != '\0' && line[0] != '#')
			expect(mask_set_add(&masks, line, error, sizeof(error)) == 0);
	}
	mask_set_release(&masks);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t part = size / (RUNS + 1);
	const size_t sizes[2] = {part, part};
	struct learn *learn = learn_new();
	struct mask_set masks;
	char error[512];

	expect(learn != NULL);
	mask_set_init(&masks);
	for (size_t i = 1; i <= RUNS; i++) {
		const uint8_t *const bytes[2] = {data, data + i * part};

		compare(learn, &masks, bytes, sizes);
		if (learn_apply(learn, &masks, error, sizeof(error)) == -1)
			expect(error[0] != '\0');
	}
	expect_readable(learn);
	learn_free(learn);
	mask_set_release(&masks);
	return 0;
}
