#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netmirror/capture_private.h"

/* -- time -- */

/*
 * A packet's time by the loop's clock, by which taps go. Those of a file follow one another as they
 * did in the capture, however fast it is read: they may lie in the future.
 */
static int64_t
captured_time(const struct captured *captured, int64_t time)
{
	const struct mirror_capture *capture = captured->capture;
	int64_t now = loop_now(capture_loop(capture)), last = captured->tap.info.last;

	time += capture->shift;
	if (capture->config.file == NULL && time > now)
		time = now;
	return time > last ? time : last;
}

int64_t
captured_now(const struct captured *captured)
{
	const struct mirror_capture *capture = captured->capture;

	return capture->config.file != NULL ? captured->tap.info.last
					    : loop_now(capture_loop(capture));
}

/* -- the end of a connection -- */

static void
captured_release(struct task *task)
{
	free(CONTAINER_OF(task, struct captured, task));
}

static void
captured_unblock(struct captured *captured)
{
	struct mirror_capture *capture = captured->capture;

	if (!captured->blocked)
		return;
	captured->blocked = false;
	if (--capture->blocked == 0)
		capture_input_pause(capture, false);
}

void
captured_close(struct captured *captured, enum close_reason reason, int64_t time)
{
	struct mirror_capture *capture = captured->capture;

	captured->stream->user = NULL;
	captured->stream->ignored = true;
	captured_unblock(captured);
	LIST_REMOVE(captured, all);
	capture->count--;
	metrics_add(capture_metrics(capture), COUNTER_OPEN, -1);
	if (reason == CLOSE_KILLED)
		metrics_add(capture_metrics(capture), COUNTER_KILLED, 1);
	tap_close(&captured->tap, reason, time);
	captured->task.run = captured_release;
	loop_later(capture_loop(capture), &captured->task);
	service_check(&capture->config.common->front->service);
}

static void
captured_kill(struct task *task)
{
	struct captured *captured = CONTAINER_OF(task, struct captured, task);

	captured_close(captured, CLOSE_KILLED, captured_now(captured));
}

/* -- what observers may ask -- */

static void
tap_asks_resume(struct tap *tap)
{
	captured_unblock(CONTAINER_OF(tap, struct captured, tap));
}

static void
tap_asks_kill(struct tap *tap)
{
	struct captured *captured = CONTAINER_OF(tap, struct captured, tap);

	loop_later(capture_loop(captured->capture), &captured->task);
}

static const struct tap_ops tap_ops = {
    .resume = tap_asks_resume,
    .kill = tap_asks_kill,
};

/* -- what the reassembly tells -- */

static void
address_from_end(struct address *address, const struct packet_end *end)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	memset(address, 0, sizeof(*address));
	address->port = end->port;
	if (memcmp(end->address, mapped, sizeof(mapped)) == 0) {
		address->family = AF_INET;
		memcpy(address->u.bytes, end->address + sizeof(mapped), 4);
	} else {
		address->family = AF_INET6;
		memcpy(address->u.bytes, end->address, 16);
	}
}

static void
told_open(void *context, struct tcp_stream *stream, int64_t time)
{
	struct mirror_capture *capture = context;
	struct relay_set *relays = &capture->config.common->front->service.relays;
	struct captured *captured;
	struct address client;

	address_from_end(&client, &stream->ends[SIDE_CLIENT]);
	if (capture->draining || own_has(&capture->own, &client)) {
		stream->ignored = true;
		return;
	}
	captured = calloc(1, sizeof(*captured));
	if (captured == NULL) {
		notice(NOTICE_WARNING, "a connection is not mirrored: %s", strerror(errno));
		stream->ignored = true;
		return;
	}
	captured->capture = capture;
	captured->stream = stream;
	captured->task.run = captured_kill;
	tap_init(&captured->tap, &tap_ops);
	captured->tap.info.id = ++relays->last_id;
	captured->tap.info.client = client;
	address_from_end(&captured->tap.info.server, &stream->ends[SIDE_SERVER]);
	captured->tap.info.last = capture->begun;
	captured->tap.info.opened = captured->tap.info.last = captured_time(captured, time);
	stream->user = captured;
	LIST_INSERT_HEAD(&capture->all, captured, all);
	capture->count++;
	metrics_add(capture_metrics(capture), COUNTER_ACCEPTED, 1);
	metrics_add(capture_metrics(capture), COUNTER_OPEN, 1);
	site_observe(capture->config.site, &captured->tap);
	tap_open(&captured->tap);
}

/* Have it told that the server has accepted, as soon as that is known. */
static void
captured_connect(struct captured *captured)
{
	const struct tcp_stream *stream = captured->stream;

	if (captured->tap.info.connected == 0 && stream->accepted != -1)
		tap_connected(&captured->tap, captured_time(captured, stream->accepted));
}

static void
captured_data(
    struct captured *captured, enum side side, const uint8_t *data, size_t size, int64_t time)
{
	struct mirror_capture *capture = captured->capture;
	struct chunk_pool *pool = capture->config.common->front->service.relays.pool;

	metrics_add(capture_metrics(capture),
	    side == SIDE_CLIENT ? COUNTER_CLIENT_BYTES : COUNTER_SERVER_BYTES, (int64_t)size);
	while (size > 0) {
		size_t room, piece;
		unsigned char *space = chunk_pool_space(pool, &room);
		struct slice slice;

		if (space == NULL) {
			loop_later(capture_loop(capture), &captured->task);
			return;
		}
		piece = size < room ? size : room;
		memcpy(space, data, piece);
		slice = chunk_pool_slice(pool, piece);
		tap_data(&captured->tap, side, &slice, captured_time(captured, time));
		data += piece;
		size -= piece;
	}
	if (!captured->blocked && !tap_ready(&captured->tap)) {
		captured->blocked = true;
		capture->blocked++;
		capture_input_pause(capture, true);
	}
}

static void
told_data(void *context, struct tcp_stream *stream, enum side side, const uint8_t *data,
    size_t size, int64_t time)
{
	(void)context;
	if (stream->user == NULL)
		return;
	captured_connect(stream->user);
	captured_data(stream->user, side, data, size, time);
}

/* Is the filter such that nothing of the server is captured? Then its end will not be either. */
static bool
is_one_sided(const struct captured *captured)
{
	const struct tcp_stream *stream = captured->stream;

	return stream->accepted == -1 && stream->bytes[SIDE_SERVER] == 0 && !captured->server_ended;
}

static void
told_eof(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	struct captured *captured = stream->user;

	(void)context;
	if (captured == NULL)
		return;
	captured_connect(captured);
	tap_eof(&captured->tap, side, captured_time(captured, time));
	if (side == SIDE_SERVER)
		captured->server_ended = true;
	else if (is_one_sided(captured))
		captured_close(captured, CLOSE_ENDED, captured_time(captured, time));
}

static void
told_reset(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	struct mirror_capture *capture = context;
	struct captured *captured = stream->user;

	if (captured == NULL)
		return;
	captured_connect(captured);
	metrics_add(capture_metrics(capture), COUNTER_FAILED, 1);
	tap_error(&captured->tap, side, ECONNRESET, captured_time(captured, time));
}

static void
told_gap(void *context, struct tcp_stream *stream, enum side side, uint64_t offset, uint64_t size,
    int64_t time)
{
	struct mirror_capture *capture = context;
	struct captured *captured = stream->user;
	int64_t now = loop_now(capture_loop(capture));
	char client[ADDRESS_TEXT_MAX];
	uint64_t withheld = notice_ration_rest(&capture->ration, now);

	if (captured == NULL)
		return;
	metrics_add(capture_metrics(capture), COUNTER_GAPS, 1);
	if (withheld > 0)
		notice(NOTICE_WARNING, "%llu more connections have gaps",
		    (unsigned long long)withheld);
	if (notice_ration_take(&capture->ration, now))
		notice(NOTICE_WARNING,
		    "connection %llu from %s: %llu bytes of the %s are missing behind byte %llu: "
		    "it "
		    "is ended",
		    (unsigned long long)captured->tap.info.id,
		    address_format(&captured->tap.info.client, client), (unsigned long long)size,
		    side == SIDE_CLIENT ? "client" : "server", (unsigned long long)offset);
	tap_error(&captured->tap, side, ENODATA, captured_time(captured, time));
	captured_close(captured, CLOSE_ENDED, captured_time(captured, time));
}

static void
told_end(void *context, struct tcp_stream *stream, enum stream_end end, int64_t time)
{
	struct mirror_capture *capture = context;
	struct captured *captured = stream->user;

	if (captured == NULL)
		return;
	time = captured_time(captured, time);
	if (end == STREAM_REFUSED)
		metrics_add(capture_metrics(capture), COUNTER_REFUSED, 1);
	/* Nobody knows how it went on: the observers see a reset behind what is known. */
	if (end == STREAM_UNFINISHED || end == STREAM_EVICTED)
		tap_error(&captured->tap, SIDE_CLIENT, ENODATA, time);
	captured_close(captured, end == STREAM_REFUSED ? CLOSE_REFUSED : CLOSE_ENDED, time);
}

const struct reassembly_ops captured_ops = {
    .open = told_open,
    .data = told_data,
    .eof = told_eof,
    .reset = told_reset,
    .gap = told_gap,
    .end = told_end,
};
