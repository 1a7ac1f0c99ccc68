#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/socket.h"
#include "net/tracer.h"
#include "netreplay/guest_private.h"

/* -- small things -- */

int64_t
guest_now(const struct guest *guest)
{
	return loop_now(guest->host->loop);
}

struct opening
guest_live(const struct guest *guest)
{
	return (struct opening){guest->live, guest->live_size, guest->ended};
}

void
guest_wake(struct guest *guest)
{
	loop_timer_set(guest->host->loop, &guest->timer, guest_now(guest));
}

/* -- its end -- */

static void
guest_task(struct task *task)
{
	struct guest *guest = CONTAINER_OF(task, struct guest, task);
	struct host *host = guest->host;

	if (guest->state != GUEST_CLOSED) {
		guest_finish(guest, "it could not be recorded", true);
		return;
	}
	free(guest->live);
	free(guest);
	if (host->gone != NULL)
		host->gone(host->context);
}

static void
guest_close(struct guest *guest, enum close_reason reason, bool reset)
{
	struct host *host = guest->host;

	if (guest->log != NULL)
		guest_leave(guest);
	guest->state = GUEST_CLOSED;
	loop_timer_cancel(host->loop, &guest->timer);
	loop_unwatch(host->loop, &guest->end.watch);
	guest->end.ops->close(&guest->end, reset);
	if (reset && !guest->broken)
		tap_error(&guest->tap, SIDE_SERVER, ECONNRESET, guest_now(guest));
	else if (!guest->finished && !guest->broken)
		tap_eof(&guest->tap, SIDE_SERVER, guest_now(guest));
	tap_close(&guest->tap, reason, guest_now(guest));
	LIST_REMOVE(guest, all);
	metrics_add(host->metrics, COUNTER_OPEN, -1);
	loop_later(host->loop, &guest->task);
}

/* How the client's end differs from the recorded one; NULL: it does not. */
static const char *
guest_compare_end(const struct guest *guest)
{
	if (guest->host->settings->compare == COMPARE_NONE || !guest->cue.client_ended ||
	    !guest->ended || guest->unclear || guest->reset == guest->cue.client_reset)
		return NULL;
	return guest->reset ? "the client's stream is reset, in the recording it was ended"
			    : "the client's stream is ended, in the recording it was reset";
}

static void
guest_report(struct guest *guest, enum report_result result, const char *reason)
{
	struct host *host = guest->host;
	char name[ADDRESS_TEXT_MAX];
	struct report_connection connection = {
	    .name = address_format(&guest->tap.info.client, name),
	    .key = guest,
	    .result = result,
	    .reason = reason,
	    .duration = guest_now(guest) - guest->tap.info.opened};

	if (guest->log != NULL)
		connection.name = guest->log->item->name;
	if (guest->align != NULL) {
		connection.compared = align_compared(guest->align, ALIGN_RECORDED);
		if (host->settings->compare != COMPARE_NONE)
			connection.differences = align_differences(guest->align);
	}
	if (result == REPORT_EQUAL) {
		connection.reason = guest_compare_end(guest);
		connection.differences += connection.reason != NULL;
		if (connection.differences > 0)
			connection.result = REPORT_DIFFERENT;
	}
	host->connections[connection.result]++;
	host->compared += connection.compared;
	host->differences += connection.differences;
	if (report_connection(host->report, &connection) == -1)
		notice(
		    NOTICE_ERROR, "%s is not in the report: %s", connection.name, strerror(errno));
}

void
guest_finish(struct guest *guest, const char *reason, bool reset)
{
	if (guest->align != NULL && guest->requests != NULL)
		guest_compare_rest(guest);
	guest_report(guest, reason != NULL ? REPORT_FAILED : REPORT_EQUAL, reason);
	guest_close(guest, guest->ended && reason == NULL ? CLOSE_ENDED : CLOSE_KILLED, reset);
}

void
guest_fail(struct guest *guest, const char *reason)
{
	guest_finish(guest, reason, false);
}

void
guest_dismiss(struct guest *guest)
{
	char client[ADDRESS_TEXT_MAX];

	if (guest->log != NULL)
		deck_give_back(&guest->host->deck, guest->log);
	notice(NOTICE_VERBOSE, "%s came and went without a byte",
	    address_format(&guest->tap.info.client, client));
	guest_close(guest, CLOSE_ENDED, false);
}

void
guest_stop_all(struct host *host)
{
	struct guest *guest, *next;

	host->gone = NULL;
	LIST_FOREACH_SAFE (guest, &host->guests, all, next) {
		if (guest->log != NULL)
			guest_report(guest, REPORT_SKIPPED, "ended by a signal");
		guest_close(guest, CLOSE_KILLED, false);
	}
}

/* -- receiving -- */

/* Keep what it sent. Beyond OPENING_MAX its log is settled and nothing needs to be kept. */
static int
guest_keep(struct guest *guest, const struct slice *slice)
{
	size_t needed = guest->live_size + slice->size;

	if (needed > guest->live_capacity) {
		size_t capacity = needed < 512 ? 512 : 2 * needed;
		unsigned char *grown = realloc(guest->live, capacity);

		if (grown == NULL)
			return -1;
		guest->live = grown;
		guest->live_capacity = capacity;
	}
	memcpy(guest->live + guest->live_size, slice->data, slice->size);
	guest->live_size += slice->size;
	return 0;
}

static void
guest_received(struct guest *guest, const struct slice *slice)
{
	int result;

	tap_data(&guest->tap, SIDE_CLIENT, slice, guest_now(guest));
	metrics_add(guest->host->metrics, COUNTER_CLIENT_BYTES, (int64_t)slice->size);
	guest->received += slice->size;
	guest->received_at = guest->progress = guest_now(guest);
	result = guest->open ? guest_keep(guest, slice)
			     : align_feed(guest->align, ALIGN_LIVE, slice->data, slice->size);
	if (result == -1)
		guest_finish(guest, strerror(errno), true);
}

static void
guest_ended(struct guest *guest, int error)
{
	guest->ended = true;
	guest->reset = error != 0;
	guest->unclear = guest->broken;
	guest->received_at = guest->progress = guest_now(guest);
	if (error == 0) {
		tap_eof(&guest->tap, SIDE_CLIENT, guest_now(guest));
		return;
	}
	guest->broken = true;
	tap_error(&guest->tap, SIDE_CLIENT, error, guest_now(guest));
	metrics_add(guest->host->metrics, COUNTER_FAILED, 1);
}

static void
guest_receive(struct guest *guest)
{
	unsigned char *space;
	struct slice slice;
	size_t size;
	ssize_t got;

	space = chunk_pool_space(guest->host->pool, &size);
	if (space == NULL) {
		guest_finish(guest, strerror(errno), true);
		return;
	}
	if (guest->open && size > OPENING_MAX)
		size = OPENING_MAX;
	got = guest->end.ops->receive(&guest->end, space, size);
	if (got > 0) {
		slice = chunk_pool_slice(guest->host->pool, (size_t)got);
		guest_received(guest, &slice);
	} else if (got == 0) {
		guest_ended(guest, 0);
	} else if (errno != EAGAIN && errno != EINTR) {
		guest_ended(guest, errno);
	}
}

/* -- what the loop tells -- */

/* The one place that says what is waited for. */
static void
guest_update(struct guest *guest)
{
	struct host *host = guest->host;
	int64_t until = guest_until(guest);
	short interest = 0;

	if (guest->state == GUEST_CLOSED)
		return;
	if (!guest->ended && !guest->held_back)
		interest |= POLLIN;
	if ((guest->pending_size > 0 || guest->sending) && !guest->broken && !guest->held_back)
		interest |= POLLOUT;
	if (loop_watch(host->loop, &guest->end.watch, interest) == -1)
		guest_finish(guest, strerror(errno), true);
	else if (until != 0)
		loop_timer_set(host->loop, &guest->timer, until);
	else
		loop_timer_cancel(host->loop, &guest->timer);
}

static void
guest_advance(struct guest *guest)
{
	if (guest->state == GUEST_WAITING)
		guest_match(guest);
	if (guest->state == GUEST_PLAYING)
		guest_play(guest);
	guest_update(guest);
}

static void
guest_timer(struct timer *timer)
{
	struct guest *guest = CONTAINER_OF(timer, struct guest, timer);

	guest_advance(guest);
	if (guest->state != GUEST_CLOSED && guest_is_late(guest)) {
		guest_expire(guest);
		guest_update(guest);
	}
}

static void
guest_ready(struct watch *watch, short events)
{
	struct guest *guest = CONTAINER_OF(watch, struct guest, end.watch);

	if ((events & (POLLIN | POLLERR | POLLHUP)) && !guest->ended) {
		guest->held_back = !tap_ready(&guest->tap);
		if (!guest->held_back)
			guest_receive(guest);
	}
	if (guest->state != GUEST_CLOSED)
		guest_advance(guest);
}

static void
guest_resume(struct tap *tap)
{
	struct guest *guest = CONTAINER_OF(tap, struct guest, tap);

	guest->held_back = false;
	guest_wake(guest);
}

static void
guest_kill(struct tap *tap)
{
	struct guest *guest = CONTAINER_OF(tap, struct guest, tap);

	loop_later(guest->host->loop, &guest->task);
}

static const struct tap_ops guest_tap_ops = {
    .resume = guest_resume,
    .kill = guest_kill,
};

/* -- its beginning -- */

int
guest_new(struct host *host, int fd, const struct address *client)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	struct conn_info *info;

	if (guest == NULL)
		return -1;
	guest->host = host;
	guest->open = true;
	guest->task.run = guest_task;
	guest->end.ops = &end_socket_ops;
	watch_init(&guest->end.watch, fd, guest_ready);
	timer_init(&guest->timer, guest_timer);
	tap_init(&guest->tap, &guest_tap_ops);
	info = &guest->tap.info;
	info->id = ++host->last_id;
	info->client = *client;
	socket_name(fd, &info->server);
	info->opened = info->connected = info->last = guest_now(guest);
	guest->received_at = guest->floor = guest->progress = info->opened;
	if (host->recorder != NULL && recorder_attach(host->recorder, &guest->tap) == -1)
		notice(NOTICE_WARNING, "a connection is not recorded: %s", strerror(errno));
	if (host->settings->verbose > 0)
		tracer_attach(&guest->tap);
	LIST_INSERT_HEAD(&host->guests, guest, all);
	metrics_add(host->metrics, COUNTER_OPEN, 1);
	metrics_add(host->metrics, COUNTER_ACCEPTED, 1);
	tap_open(&guest->tap);
	guest_advance(guest);
	return 0;
}
