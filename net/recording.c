#include "net/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/units.h"
#include "net/recorder_state.h"

#define CONTROLS_MAX 65536 /* opens and closes in the queue; connections beyond it get no log */

static void
recorder_tell_lost(struct recorder *recorder)
{
	if (recorder->lost != NULL)
		recorder->lost(recorder->lost_context);
}

static void
recording_say_ended(struct recording *recording, const char *why)
{
	struct recorder *recorder = recording->recorder;
	char address[ADDRESS_TEXT_MAX];
	uint64_t n = atomic_load_explicit(&recording->number, memory_order_relaxed);

	if (!notice_ration_take(&recorder->ration, loop_now(recorder->loop)))
		recorder_set_summary(recorder);
	else if (n > 0)
		notice(NOTICE_ERROR, "%s_%" PRIu64 ": %s, recording ends after %" PRIu64 " bytes",
		    recorder->root, n, why, recording->queued);
	else
		notice(NOTICE_ERROR,
		    "%s: connection of %s: %s, recording ends after %" PRIu64 " bytes",
		    recorder->root, address_format(&recording->info->client, address), why,
		    recording->queued);
}

/* End the recording for good, at the last record that was queued. */
static void
recording_end(struct recording *recording, const char *why)
{
	struct recorder *recorder = recording->recorder;

	recording->ended = true;
	metrics_add(recorder->metrics, COUNTER_LOG_FAILURES, 1);
	recording_say_ended(recording, why);
	recorder_tell_lost(recorder);
	if (recorder->close_on_error)
		tap_kill(recording->observer.tap);
}

static void
recording_stall(struct recording *recording)
{
	char time[UNITS_TEXT_MAX];
	char why[UNITS_TEXT_MAX + 32] = "log queue full for ";

	strlcat(why, units_format_time(recording->recorder->stall, time), sizeof(why));
	recording_end(recording, why);
}

static bool
recording_has_ended(struct recording *recording)
{
	return recording->ended || atomic_load_explicit(&recording->failed, memory_order_relaxed);
}

/* May one more record be queued? */
static bool
recording_goes_on(struct recording *recording)
{
	if (recording_has_ended(recording))
		return false;
	if (!recorder_sheds(recording->recorder))
		return true;
	recording_stall(recording);
	return false;
}

static void
recording_lose(struct recording *recording, uint64_t bytes)
{
	recording->lost += bytes;
	metrics_add(recording->recorder->metrics, COUNTER_LOST_BYTES, (int64_t)bytes);
}

static struct recording *
recording_of(struct observer *observer)
{
	return (struct recording *)(void *)observer;
}

/* Paths live as long as the relay: they go along, behind the structs. */
static size_t
peers_room(const struct conn_info *info)
{
	size_t room = 0;

	if (info->client.family == AF_UNIX && info->client.u.path != NULL)
		room += strlen(info->client.u.path) + 1;
	if (info->server.family == AF_UNIX && info->server.u.path != NULL)
		room += strlen(info->server.u.path) + 1;
	return room;
}

static void
peer_copy(struct address *to, const struct address *from, char **behind)
{
	*to = *from;
	if (from->family != AF_UNIX || from->u.path == NULL)
		return;
	size_t size = strlen(from->u.path) + 1;
	to->u.path = memcpy(*behind, from->u.path, size);
	*behind += size;
}

static void
peers_copy(struct op_open *peers, const struct conn_info *info, char *behind)
{
	peer_copy(&peers->client, &info->client, &behind);
	peer_copy(&peers->server, &info->server, &behind);
	peers->scripted = info->scripted;
}

static void
recording_open(struct observer *observer, const struct conn_info *info)
{
	struct recording *recording = recording_of(observer);
	struct recorder *recorder = recording->recorder;
	struct op *op = NULL;

	recording->info = info;
	if (atomic_load_explicit(&recorder->queue.controls, memory_order_relaxed) < CONTROLS_MAX)
		op = recorder_op(recorder, recording, OP_OPEN, info->opened,
		    sizeof(struct op_open) + peers_room(info));
	if (op == NULL) {
		recording->ended = recording->unlogged = true;
		recorder->unlogged++;
		recorder_set_summary(recorder);
		metrics_add(recorder->metrics, COUNTER_LOG_FAILURES, 1);
		recorder_tell_lost(recorder);
		if (recorder->close_on_error)
			tap_kill(observer->tap);
		return;
	}
	recording->wall = recorder_wall(recorder);
	struct op_open *opening = op_payload(op);
	peers_copy(opening, info, (char *)(opening + 1));
	recorder_count_control(recorder);
}

static struct op *
recording_copy(struct recording *recording, const struct slice *slice, int64_t time)
{
	struct op *op = recorder_op(recording->recorder, recording, OP_DATA, time, slice->size);

	if (op != NULL)
		memcpy(op_payload(op), slice->data, slice->size);
	return op;
}

static struct op *
recording_refer(struct recording *recording, const struct slice *slice, int64_t time)
{
	struct recorder *recorder = recording->recorder;
	struct slice kept = slice_keep(slice, CHUNK_COPY_MAX);

	if (kept.chunk == NULL)
		return NULL;
	struct op *op = recorder_op(recorder, recording, OP_SLICE, time, sizeof(kept));
	if (op == NULL) {
		slice_drop(&kept);
		return NULL;
	}
	memcpy(op_payload(op), &kept, sizeof(kept));
	recorder->batch->referenced += slice_held(&kept);
	recorder->referenced += slice_held(&kept);
	return op;
}

static void
recording_data(struct observer *observer, enum side side, const struct slice *slice, int64_t time)
{
	struct recording *recording = recording_of(observer);
	struct recorder *recorder = recording->recorder;

	if (!recording_goes_on(recording)) {
		recording_lose(recording, slice->size);
		return;
	}
	struct op *op = slice->size <= CHUNK_COPY_MAX ? recording_copy(recording, slice, time)
						      : recording_refer(recording, slice, time);
	if (op == NULL) {
		recording_end(recording, "no memory for its log");
		recording_lose(recording, slice->size);
		return;
	}
	op->side = (uint8_t)side;
	op->size = (uint32_t)slice->size;
	recording->queued += slice->size;
	if (recorder->referenced >= HAND_OVER_REFERENCED)
		recorder_push(recorder);
}

/* A hup or err record; it is no loss, and so no end of the recording, if it cannot be queued. */
static void
recording_side_ended(struct observer *observer, enum side side, enum record_type type, int64_t time)
{
	struct recording *recording = recording_of(observer);

	recording->end_side = (uint8_t)side;
	recording->end_type = (uint8_t)type;
	if (recording_has_ended(recording))
		return;
	struct op *op = recorder_op(
	    recording->recorder, recording, type == RECORD_HUP ? OP_HUP : OP_ERR, time, 0);
	if (op != NULL)
		op->side = (uint8_t)side;
	else
		recording_end(recording, "no memory for its log");
}

static void
recording_eof(struct observer *observer, enum side side, int64_t time)
{
	recording_side_ended(observer, side, RECORD_HUP, time);
}

static void
recording_error(struct observer *observer, enum side side, int error, int64_t time)
{
	(void)error;
	recording_side_ended(observer, side, RECORD_ERR, time);
}

static void
recording_close(struct observer *observer, enum close_reason reason, int64_t time)
{
	struct recording *recording = recording_of(observer);
	struct recorder *recorder = recording->recorder;
	const struct conn_info *info = recording->info;

	recorder->open--;
	if (recording->is_blocked)
		TAILQ_REMOVE(&recorder->blocked, recording, blocked);
	if (recording->unlogged) {
		free(recording);
		return;
	}
	struct op *op = recorder_op(
	    recorder, recording, OP_CLOSE, time, sizeof(struct op_close) + peers_room(info));
	recording->closed = true;
	if (op == NULL) { /* the writer can never be told: its log stays as it is */
		metrics_add(recorder->metrics, COUNTER_LOG_FAILURES, 1);
		notice(NOTICE_ERROR, "%s: no memory to close a log", recorder->root);
		return;
	}
	struct op_close *closing = op_payload(op);
	*closing = (struct op_close){.opened = info->opened,
	    .connected = info->connected,
	    .bytes = {info->bytes[0], info->bytes[1]},
	    .lost = recording->lost,
	    .end_side = recording->end_side,
	    .end_type = recording->end_type,
	    .reason = (uint8_t)reason};
	peers_copy(&closing->peers, info, (char *)(closing + 1));
	recorder_count_control(recorder);
	if (recorder->open == 0)
		recorder_hand_over_last(recorder);
}

static bool
recording_ready(struct observer *observer)
{
	struct recording *recording = recording_of(observer);
	struct recorder *recorder = recording->recorder;

	if (!recorder->blocking || recording_has_ended(recording))
		return true;
	if (!recording->is_blocked) {
		recording->is_blocked = true;
		TAILQ_INSERT_TAIL(&recorder->blocked, recording, blocked);
	}
	return false;
}

static const struct observer_ops recording_ops = {
    .open = recording_open,
    .data = recording_data,
    .eof = recording_eof,
    .error = recording_error,
    .close = recording_close,
    .ready = recording_ready,
};

int
recorder_attach(struct recorder *recorder, struct tap *tap)
{
	struct recording *recording = calloc(1, sizeof(*recording));

	if (recording == NULL) {
		metrics_add(recorder->metrics, COUNTER_LOG_FAILURES, 1);
		return -1;
	}
	recording->observer.ops = &recording_ops;
	recording->recorder = recorder;
	recording->log.fd = -1;
	tap_add(tap, &recording->observer);
	recorder->open++;
	return 0;
}
