/* An observer of a reassembly that holds it to its promises: order, times, sizes. */
#ifndef TESTS_FUZZ_STREAM_CHECK_H
#define TESTS_FUZZ_STREAM_CHECK_H

#include <stdint.h>
#include <stdlib.h>

#include "format/reassembly.h"

struct stream_check {
	int64_t time;
	uint64_t bytes[2];
	int ended[2];
	int over; /* a reset or a gap was told */
};

static int stream_check_open; /* streams whose end() is owed */

static inline void
stream_expect(int condition)
{
	if (!condition)
		abort();
}

/* Read all bytes, so that a sanitizer sees whether they are there. */
static inline void
stream_touch(const uint8_t *data, size_t size)
{
	static volatile uint8_t sum;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + data[i]);
}

static struct stream_check *
stream_check_at(struct tcp_stream *stream, int64_t time)
{
	struct stream_check *check = stream->user;

	stream_expect(check != NULL && !check->over && time >= check->time);
	check->time = time;
	return check;
}

static void
stream_check_opened(void *context, struct tcp_stream *stream, int64_t time)
{
	struct stream_check *check = calloc(1, sizeof(*check));

	(void)context;
	stream_expect(check != NULL && stream->user == NULL);
	check->time = time;
	stream->user = check;
	stream_check_open++;
}

static void
stream_check_data(void *context, struct tcp_stream *stream, enum side side, const uint8_t *data,
    size_t size, int64_t time)
{
	struct stream_check *check = stream_check_at(stream, time);

	(void)context;
	stream_expect(size > 0 && !check->ended[side] && stream->bytes[side] == check->bytes[side]);
	stream_touch(data, size);
	check->bytes[side] += size;
}

static void
stream_check_eof(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	struct stream_check *check = stream_check_at(stream, time);

	(void)context;
	stream_expect(!check->ended[side]);
	check->ended[side] = 1;
}

static void
stream_check_reset(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	(void)context;
	(void)side;
	stream_check_at(stream, time)->over = 1;
}

static void
stream_check_gap(void *context, struct tcp_stream *stream, enum side side, uint64_t offset,
    uint64_t size, int64_t time)
{
	struct stream_check *check = stream_check_at(stream, time);

	(void)context;
	stream_expect(size > 0 && !check->ended[side] && offset == check->bytes[side]);
	check->over = 1;
}

static void
stream_check_ended(void *context, struct tcp_stream *stream, enum stream_end end, int64_t time)
{
	struct stream_check *check = stream->user;

	(void)context;
	stream_expect(check != NULL && time >= check->time);
	stream_expect((end == STREAM_GAP || end == STREAM_RESET) == check->over);
	stream_expect(
	    (end == STREAM_CLOSED) == (check->ended[0] && check->ended[1] && !check->over));
	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++)
		stream_expect(stream->bytes[side] == check->bytes[side]);
	free(check);
	stream_check_open--;
}

static const struct reassembly_ops stream_check_ops = {stream_check_opened, stream_check_data,
    stream_check_eof, stream_check_reset, stream_check_gap, stream_check_ended};

#endif
