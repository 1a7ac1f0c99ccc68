/*
 * Segments in any order with any flags: the reassembly keeps its promises, and what it tells of a
 * side is what that side sent. The input is a list of commands, so that mutations stay meaningful:
 * each is a connection, a side, flags, a place in the stream and a size; the byte at a place is
 * known from the place alone.
 */
#include <string.h>

#include "format/reassembly.h"
#include "tests/fuzz/stream_check.h"

#define COMMAND 8
#define ISN(side) ((side) == 0 ? 0xfffffff0u : 100u) /* one of them wraps */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t
byte_at(unsigned side, uint32_t place)
{
	return (uint8_t)(place * 31 + place / 256 * 7 + side * 101);
}

static void
checked_data(void *context, struct tcp_stream *stream, enum side side, const uint8_t *data,
    size_t size, int64_t time)
{
	/* what began in the middle began anywhere; a stream used again by a SYN begins elsewhere */
	const struct stream_check *check = stream->user;
	uint32_t first = (uint32_t)check->bytes[side];
	unsigned sender = stream->ends[side].port == 80;

	if ((side == SIDE_CLIENT ? stream->begun : stream->accepted >= 0) && *(const int *)context)
		for (size_t i = 0; i < size; i++)
			stream_expect(data[i] == byte_at(sender, first + (uint32_t)i));
	stream_check_data(context, stream, side, data, size, time);
}

static const struct reassembly_ops ops = {stream_check_opened, checked_data, stream_check_eof,
    stream_check_reset, stream_check_gap, stream_check_ended};

/* One command as a segment; its payload goes to `bytes`. Returns whether it keeps to the rules that
 * checked_data() counts on. */
static int
command_segment(const uint8_t *command, uint8_t *bytes, struct packet_segment *segment)
{
	unsigned side = command[0] & 1;
	unsigned connection = command[0] >> 1 & 3;
	uint32_t place = command[2] | (uint32_t)(command[3] & 15) << 8;
	struct packet_end client = {.port = (uint16_t)(1024 + connection)}, server = {.port = 80};

	*segment = (struct packet_segment){.from = side == 0 ? client : server,
	    .to = side == 0 ? server : client,
	    .flags = command[1] & (PACKET_FIN | PACKET_SYN | PACKET_RST | PACKET_ACK),
	    .data = bytes,
	    .size = command[4],
	    .missing = command[3] >> 4 == 15 ? command[5] : 0};
	segment->seq = ISN(side) + 1 + place;
	segment->ack = ISN(1 - side) + 1 + (command[6] | (uint32_t)(command[7] & 15) << 8);
	for (size_t i = 0; i < segment->size; i++)
		bytes[i] = byte_at(side, place + (uint32_t)i);
	if ((segment->flags & PACKET_SYN) == 0)
		return 1;
	/* the byte of a SYN is before all; the rare one elsewhere begins another connection */
	segment->seq--;
	if ((segment->flags & PACKET_ACK) != 0 && place == 0)
		segment->ack = ISN(1 - side) + 1;
	return place == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int checked = 1;
	struct reassembly_config config = {.ops = &ops,
	    .context = &checked,
	    .streams = 3,
	    .hold_stream = 2048,
	    .hold_total = 4096};
	struct packet_segment segment;
	uint8_t bytes[256];
	int64_t time = 0;

	if (size == 0)
		return 0;
	config.patience = data[0] & 1 ? 50 : 0;
	config.client_only = (data[0] & 2) != 0;
	config.begun_only = (data[0] & 4) != 0;
	config.server_port = data[0] & 8 ? 80 : 0;
	struct reassembly *reassembly = reassembly_new(&config);
	stream_expect(reassembly != NULL);
	for (data++, size--; size >= COMMAND; data += COMMAND, size -= COMMAND) {
		checked &= command_segment(data, bytes, &segment);
		time += data[5] - 20;
		reassembly_add(reassembly, &segment, time);
		memset(bytes, 0xee, sizeof(bytes)); /* what is held is held as a copy */
	}
	reassembly_finish(reassembly);
	stream_expect(stream_check_open == 0);
	reassembly_free(reassembly);
	return 0;
}
