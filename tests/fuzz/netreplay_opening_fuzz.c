/* The beginning of what a client sends and of what one had sent: what is met never exceeds either,
 * and a stream always fits itself. */
#include "netreplay/opening.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(int condition)
{
	if (!condition)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const patterns[] = {"[0-9]+", "id=[a-z]*;", "Date: .*", "x{2,3}"};
	struct opening recorded, live;
	struct mask_set masks;
	char error[256];
	size_t half, reached;
	enum opening_fit fit;

	if (size < 4)
		return 0;
	mask_set_init(&masks);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (data[0] >> i & 1)
			expect(mask_set_add(&masks, patterns[i], error, sizeof(error)) == 0);
	half = ((size_t)data[1] << 8 | data[2]) % (size - 2);
	recorded = (struct opening){data + 3, half, (data[0] & 0x40) != 0};
	live = (struct opening){data + 3 + half, size - 3 - half, (data[0] & 0x80) != 0};
	fit = opening_compare(&masks, &recorded, &live, &reached);
	expect(reached <= recorded.size);
	if (masks.count == 0 && fit == OPENING_FITS)
		expect(reached == live.size);
	fit = opening_compare(&masks, &recorded, &recorded, &reached);
	expect(fit != OPENING_DEPARTS && reached <= recorded.size);
	mask_set_release(&masks);
	return 0;
}
