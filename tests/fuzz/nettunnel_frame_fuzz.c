/* What comes over a link: decoding never reads out of bounds, every frame that is taken encodes to
 * the same bytes, and how the bytes were cut does not matter. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nettunnel/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy that ends where its memory ends, so that the sanitizer sees a byte read too far. */
static ssize_t
decode(const uint8_t *data, size_t size, struct frame *frame, const char **error)
{
	unsigned char *copy = malloc(size > 0 ? size : 1);
	ssize_t result;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	result = frame_decode(copy, size, frame, error);
	if (result > 0 &&
	    (frame->payload != copy + FRAME_HEADER || frame->size + FRAME_HEADER != (size_t)result))
		abort();
	free(copy);
	return result;
}

static void
check(const uint8_t *data, size_t size, const struct frame *frame)
{
	unsigned char header[FRAME_HEADER];
	struct frame cut;
	const char *error = NULL;

	frame_encode(header, frame->type, frame->stream, frame->size);
	if (memcmp(header, data, FRAME_HEADER) != 0 || size > FRAME_MAX)
		abort();
	if (frame->size > 8 && frame->number != 0)
		abort();
	if (decode(data, size - 1, &cut, &error) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *error = NULL;
	struct frame frame;
	ssize_t taken;

	while ((taken = decode(data, size, &frame, &error)) > 0) {
		if (error != NULL)
			abort();
		check(data, (size_t)taken, &frame);
		data += taken;
		size -= (size_t)taken;
	}
	if (taken == -1 && error == NULL)
		abort();
	if (taken == 0 && size > FRAME_MAX)
		abort();
	return 0;
}
