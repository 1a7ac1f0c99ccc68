#include "format/base64.h"

#include <string.h>

#define TEXT_SIZE 4096 /* a multiple of 4 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
group_encode(const unsigned char group[3], char text[4])
{
	text[0] = digits[group[0] >> 2];
	text[1] = digits[(group[0] & 3) << 4 | group[1] >> 4];
	text[2] = digits[(group[1] & 15) << 2 | group[2] >> 6];
	text[3] = digits[group[2] & 63];
}

void
base64_put(struct base64 *state, const unsigned char *data, size_t size, FILE *stream)
{
	char text[TEXT_SIZE];
	size_t length = 0;

	while (state->count > 0 && state->count < 3 && size > 0) {
		state->rest[state->count++] = *data++;
		size--;
	}
	if (state->count == 3) {
		group_encode(state->rest, text);
		length = 4;
		state->count = 0;
	}
	for (; size >= 3; data += 3, size -= 3) {
		if (length == TEXT_SIZE) {
			fwrite(text, 1, length, stream);
			length = 0;
		}
		group_encode(data, text + length);
		length += 4;
	}
	if (length > 0)
		fwrite(text, 1, length, stream);
	if (size > 0) {
		memcpy(state->rest, data, size);
		state->count = size;
	}
}

void
base64_finish(struct base64 *state, FILE *stream)
{
	unsigned char group[3] = {0};
	char text[4];

	if (state->count == 0)
		return;
	memcpy(group, state->rest, state->count);
	group_encode(group, text);
	text[3] = '=';
	if (state->count == 1)
		text[2] = '=';
	fwrite(text, 1, sizeof(text), stream);
	state->count = 0;
}
