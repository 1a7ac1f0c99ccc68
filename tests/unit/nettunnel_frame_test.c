#include "nettunnel/frame.h"
#include "tests/unit/test.h"

static unsigned char buffer[FRAME_MAX + 1];

static void
round_trip(enum frame_type type, uint64_t stream, const void *payload, size_t size, uint64_t number)
{
	struct frame frame;
	const char *error = NULL;

	frame_encode(buffer, type, stream, size);
	if (size > 0)
		memcpy(buffer + FRAME_HEADER, payload, size);
	for (size_t cut = 0; cut < FRAME_HEADER + size; cut++)
		EXPECT(frame_decode(buffer, cut, &frame, &error) == 0);
	/* What follows does not matter. */
	EXPECT(frame_decode(buffer, FRAME_HEADER + size + 1, &frame, &error) ==
	       (ssize_t)(FRAME_HEADER + size));
	EXPECT(frame.type == type && frame.stream == stream && frame.size == size);
	EXPECT(frame.payload == buffer + FRAME_HEADER && frame.number == number);
	EXPECT(error == NULL);
}

static void
refused(unsigned char type, uint64_t stream, size_t size, const char *reason)
{
	struct frame frame;
	const char *error = NULL;

	frame_encode(buffer, (enum frame_type)type, stream, size);
	/* The header alone is enough to refuse it: nothing is waited for. */
	EXPECT(frame_decode(buffer, FRAME_HEADER, &frame, &error) == -1);
	EXPECT(error != NULL && strcmp(error, reason) == 0);
}

static void
test_round_trips(void)
{
	static unsigned char data[FRAME_DATA_MAX];

	round_trip(FRAME_OPEN, 1, "127.0.0.1:9", 11, 0);
	round_trip(FRAME_OPEN, UINT64_MAX, NULL, 0, 0);
	round_trip(FRAME_DATA, 7, "x", 1, 0);
	round_trip(FRAME_DATA, 7, data, sizeof(data), 0);
	round_trip(FRAME_WINDOW, 7, "\x00\x01\x00\x00", 4, 65536);
	round_trip(FRAME_END, 7, NULL, 0, 0);
	round_trip(FRAME_RESET, 7, "\x02", 1, FRAME_REFUSED);
	round_trip(FRAME_DRAIN, 0, NULL, 0, 0);
	round_trip(FRAME_BYE, 0, NULL, 0, 0);
	round_trip(FRAME_ACK, 0, "\x01\x02\x03\x04\x05\x06\x07\x08", 8, 0x0102030405060708);
	round_trip(FRAME_PING, 0, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, UINT64_MAX);
	round_trip(FRAME_PONG, 0, "\0\0\0\0\0\0\0\0", 8, 0);
}

static void
test_refused(void)
{
	refused(0, 0, 0, "unknown type of frame");
	refused(FRAME_PONG + 1, 0, 0, "unknown type of frame");
	refused(255, 0, 0, "unknown type of frame");
	refused(FRAME_DATA, 1, 0, "frame of an impossible size");
	refused(FRAME_DATA, 1, FRAME_DATA_MAX + 1, "frame of an impossible size");
	refused(FRAME_DATA, 1, 0xffffff, "frame of an impossible size");
	refused(FRAME_OPEN, 1, FRAME_TEXT_MAX + 1, "frame of an impossible size");
	refused(FRAME_WINDOW, 1, 3, "frame of an impossible size");
	refused(FRAME_END, 1, 1, "frame of an impossible size");
	refused(FRAME_DATA, 0, 1, "frame without a stream");
	refused(FRAME_PING, 1, 8, "frame with a stream");
}

int
main(void)
{
	test_round_trips();
	test_refused();
	puts("ok nettunnel_frame_test");
	return 0;
}
