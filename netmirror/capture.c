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
	struct reassembly_config reassembly = {.ops = &captured_ops,
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
