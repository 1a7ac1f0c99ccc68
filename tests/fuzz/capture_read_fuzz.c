/* Captures as anybody may hand them to netlog: read, taken apart and reassembled. Nothing is read
 * that is not there, nothing is told that was not captured, and every connection is told in order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/capture_read.h"
#include "format/reassembly.h"
#include "tests/fuzz/stream_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reassembly_config config = {
	    .ops = &stream_check_ops, .hold_stream = 4096, .hold_total = 16384, .streams = 8};
	char error[CAPTURE_ERROR_MAX];
	struct source *source = source_from_memory(data, size);
	struct capture *capture = source == NULL ? NULL : capture_from_source(source, error);
	struct packet_decoder *decoder;
	struct reassembly *reassembly;
	struct packet_segment segment;
	struct packet packet;

	if (capture == NULL)
		return 0;
	decoder = packet_decoder_new();
	reassembly = reassembly_new(&config);
	stream_expect(decoder != NULL && reassembly != NULL);
	while (capture_next(capture, &packet) > 0) {
		stream_expect(packet.captured <= size * 1100 + 64); /* deflate's best ratio */
		if (packet_decode(decoder, &packet, &segment) != PACKET_SEGMENT)
			continue;
		stream_touch(segment.data, segment.size);
		reassembly_add(reassembly, &segment, packet.time);
	}
	reassembly_finish(reassembly);
	stream_expect(stream_check_open == 0);
	reassembly_free(reassembly);
	packet_decoder_free(decoder);
	capture_free(capture);
	return 0;
}
