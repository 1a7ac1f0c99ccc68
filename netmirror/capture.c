#include "netmirror/capture_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MILLISECOND (INT64_C(1000) * 1000)
#define SECOND (1000 * MILLISECOND)
#define PATIENCE SECOND	      /* for packets that the other side has acknowledged */
#define SILENCE (60 * SECOND) /* of connections whose end may have been dropped */
#define EXPIRE_EVERY (250 * MILLISECOND)

/* One captured connection. */
struct captured {
	struct tap tap;
	struct mirror_capture *capture;
	struct tcp_stream *stream;
	bool server_ended;
	bool blocked;	  /* an observer's ready() said no */
	struct task task; /* kill, or release when closed */
	LIST_ENTRY(captured) all;
};

static struct loop *
capture_loop(const struct mirror_capture *capture)
{
	return capture->config.common->front->service.loop;
}

static struct metrics *
capture_metrics(const struct mirror_capture *capture)
{
	return &capture->config.common->front->metrics;
}

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

/* What time it is for a connection of which no packet tells. */
static int64_t
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

static void
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

static const struct reassembly_ops reassembly_ops = {
    .open = told_open,
    .data = told_data,
    .eof = told_eof,
    .reset = told_reset,
    .gap = told_gap,
    .end = told_end,
};

/* -- packets and time -- */

void
capture_take(struct mirror_capture *capture, const struct packet *packet)
{
	struct packet_segment segment;
	enum packet_status status = packet_decode(capture->decoder, packet, &segment);

	if (capture->shift == 0) /* the first one of a file */
		capture->shift = loop_now(capture_loop(capture)) - packet->time;
	metrics_add(capture_metrics(capture), COUNTER_PACKETS, 1);
	if (status == PACKET_SEGMENT)
		reassembly_add(capture->reassembly, &segment, packet->time);
}

/*
 * How long may a connection be silent? Once packets were dropped its end may have been among them,
 * and nothing else would ever tell. 0: for ever.
 */
static int64_t
silence_allowed(const struct mirror_capture *capture)
{
	const struct service *service = &capture->config.common->front->service;
	int64_t allowed = capture->config.idle_timeout;

	if (capture->dropped > 0 && (allowed == 0 || allowed > SILENCE))
		allowed = SILENCE;
	if (capture->dropped > 0 && capture->draining && allowed > service->grace)
		allowed = service->grace;
	return allowed;
}

static void
end_silent(struct mirror_capture *capture)
{
	int64_t allowed = silence_allowed(capture), now = loop_now(capture_loop(capture));
	struct captured *captured, *next;

	if (allowed == 0)
		return;
	LIST_FOREACH_SAFE (captured, &capture->all, all, next) {
		if (captured->tap.info.last + allowed > now)
			continue;
		metrics_add(capture_metrics(capture), COUNTER_FAILED, 1);
		tap_error(&captured->tap, SIDE_CLIENT, ETIMEDOUT, now);
		captured_close(captured, CLOSE_ENDED, now);
	}
}

static void
capture_tick(struct timer *timer)
{
	struct mirror_capture *capture = CONTAINER_OF(timer, struct mirror_capture, tick);
	struct timespec clock;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &clock);
	now = (int64_t)clock.tv_sec * SECOND + clock.tv_nsec;
	capture->shift = loop_refresh(capture_loop(capture)) - now;
	reassembly_expire(capture->reassembly, now);
	mirror_capture_measure(capture);
	end_silent(capture);
	loop_timer_set(
	    capture_loop(capture), timer, loop_now(capture_loop(capture)) + EXPIRE_EVERY);
}

void
mirror_capture_measure(struct mirror_capture *capture)
{
	uint64_t dropped = capture_input_dropped(capture);
	int64_t now = loop_now(capture_loop(capture));

	if (dropped == capture->dropped)
		return;
	metrics_add(capture_metrics(capture), COUNTER_PACKETS_DROPPED,
	    (int64_t)(dropped - capture->dropped));
	capture->dropped = dropped;
	if (now < capture->told + 5 * SECOND && capture->told != 0)
		return;
	capture->told = now;
	notice(NOTICE_WARNING, "the kernel has dropped %llu packets so far (see --buffer)",
	    (unsigned long long)dropped);
}

void
capture_end_of_file(struct mirror_capture *capture)
{
	reassembly_finish(capture->reassembly);
	capture->config.finished(capture->config.context);
}

/* -- life -- */

size_t
mirror_capture_count(const struct mirror_capture *capture)
{
	return capture->count;
}

bool
mirror_capture_damaged(const struct mirror_capture *capture)
{
	return capture->damaged;
}

void
mirror_capture_drain(struct mirror_capture *capture)
{
	capture->draining = true;
}

void
mirror_capture_stop(struct mirror_capture *capture)
{
	struct captured *captured;

	capture_input_pause(capture, true);
	capture->draining = true;
	while ((captured = LIST_FIRST(&capture->all)) != NULL)
		captured_close(captured, CLOSE_KILLED, captured_now(captured));
}

struct mirror_capture *
mirror_capture_new(const struct capture_config *config)
{
	struct mirror_capture *capture = calloc(1, sizeof(*capture));
	struct reassembly_config reassembly = {.ops = &reassembly_ops,
	    .context = capture,
	    .streams = config->connections,
	    .patience = PATIENCE,
	    .server_port = config->port,
	    .client_only = !config->answers,
	    .begun_only = true};

	if (capture == NULL)
		return NULL;
	capture->config = *config;
	capture->begun = loop_now(capture_loop(capture));
	LIST_INIT(&capture->all);
	own_init(&capture->own, config->port);
	timer_init(&capture->tick, capture_tick);
	capture->decoder = packet_decoder_new();
	capture->reassembly = reassembly_new(&reassembly);
	if (capture->decoder == NULL || capture->reassembly == NULL) {
		notice(NOTICE_ERROR, "capture: %s", strerror(errno));
		goto fail;
	}
	if (capture_input_open(capture) == -1)
		goto fail;
	config->common->legs.own = &capture->own;
	if (config->file == NULL)
		capture_tick(&capture->tick);
	return capture;
fail:
	mirror_capture_free(capture);
	return NULL;
}

void
mirror_capture_free(struct mirror_capture *capture)
{
	if (capture == NULL)
		return;
	loop_timer_cancel(capture_loop(capture), &capture->tick);
	capture_input_close(capture);
	reassembly_free(capture->reassembly);
	packet_decoder_free(capture->decoder);
	own_release(&capture->own);
	free(capture);
}
