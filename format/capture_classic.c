#include <stdio.h>
#include <string.h>

#include "format/capture_private.h"

#define MAGIC 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define FILE_HEADER 24
#define PACKET_HEADER 16
#define LINK_TYPE 0x03ffffff /* the bits above tell of checksums behind the packets */
#define SECOND 1000000000

static uint16_t
number_16(const struct capture_classic *classic, const uint8_t *at)
{
	uint16_t number;

	memcpy(&number, at, sizeof(number));
	return classic->swapped ? __builtin_bswap16(number) : number;
}

static uint32_t
number_32(const struct capture_classic *classic, const uint8_t *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof(number));
	return classic->swapped ? __builtin_bswap32(number) : number;
}

int
capture_classic_begin(struct capture_classic *classic, struct capture_input *input)
{
	int result = capture_input_need(input, FILE_HEADER);
	const uint8_t *header = input->bytes;
	uint32_t magic;

	if (result <= 0)
		return result;
	classic->swapped = false;
	magic = number_32(classic, header);
	if (magic != MAGIC && magic != MAGIC_NANOSECONDS) {
		classic->swapped = true;
		magic = number_32(classic, header);
	}
	if (magic != MAGIC && magic != MAGIC_NANOSECONDS)
		return 0;
	classic->fraction = magic == MAGIC ? 1000 : 1;
	if (number_16(classic, header + 4) != 2 || number_16(classic, header + 6) != 4)
		return 0;
	classic->link = (int)(number_32(classic, header + 20) & LINK_TYPE);
	if (!packet_link_known(classic->link))
		return 0;
	input->at = FILE_HEADER;
	return 1;
}

int
capture_classic_next(const struct capture_classic *classic, struct capture_input *input,
    struct packet *packet, char message[CAPTURE_ERROR_MAX])
{
	int result = capture_input_need(input, PACKET_HEADER);
	const uint8_t *header = input->bytes + input->at;
	size_t left = input->end - input->at;

	if (result == 0 && left > 0) {
		snprintf(
		    message, CAPTURE_ERROR_MAX, "truncated: %zu bytes of a packet's header", left);
		return -1;
	}
	if (result <= 0)
		return result;
	packet->captured = number_32(classic, header + 8);
	if (packet->captured > CAPTURE_PACKET_MAX) {
		snprintf(message, CAPTURE_ERROR_MAX,
		    "damaged: a packet of %zu bytes, where %d are the most", packet->captured,
		    CAPTURE_PACKET_MAX);
		return -1;
	}
	result = capture_input_need(input, PACKET_HEADER + packet->captured);
	if (result <= 0) {
		snprintf(message, CAPTURE_ERROR_MAX, "truncated: %zu bytes of a packet's %zu",
		    input->end - input->at - PACKET_HEADER, packet->captured);
		return -1;
	}
	header = input->bytes + input->at;
	packet->link = classic->link;
	packet->time = (int64_t)number_32(classic, header) * SECOND +
		       (int64_t)number_32(classic, header + 4) * classic->fraction % SECOND;
	packet->length = number_32(classic, header + 12);
	packet->bytes = header + PACKET_HEADER;
	input->at += PACKET_HEADER + packet->captured;
	return 1;
}
