#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/times.h"
#include "format/units.h"
#include "netreplay/guest_private.h"

#define PIECES 16			 /* sent in one go before others have their turn */
#define DRAIN (INT64_C(5) * 1000 * 1000) /* the kernel does not tell when its queue is empty */

/* -- what is due -- */

/* Take note of what has come. Returns false if the guest is over. */
static bool
guest_listen(struct guest *guest)
{
	guest_consider(guest);
	if (guest->state != GUEST_PLAYING)
		return false;
	if (!guest->open)
		return guest_prompt(guest);
	if (!guest_feed(guest, guest->live_size))
		return false;
	if (guest->live_size >= OPENING_MAX) {
		guest->open = false;
		free(guest->live);
		guest->live = NULL;
		guest->live_size = guest->fed = guest->live_capacity = 0;
		guest->live_at_send = 0;
	}
	return true;
}

/* Has all come that the client had sent before the cue? */
static bool
guest_prompted(struct guest *guest)
{
	uint64_t cause = guest->cue.cause;

	if (guest->requests_ended && cause > guest->requested)
		cause = guest->requested; /* the log is cut short */
	if (align_reached(guest->align, cause) < cause)
		return false;
	if (guest->cue.type == CUE_DONE) {
		if (!guest->cue.client_ended)
			guest_shut(guest); /* the log leaves open how it ended */
		return guest->ended;
	}
	return !guest->cue.client_ended || guest->ended;
}

static int64_t
guest_scale(const struct guest *guest, int64_t time)
{
	const struct settings *settings = guest->host->settings;

	if (settings->fast)
		return 0;
	if (settings->max_gap > 0 && time > settings->max_gap)
		time = settings->max_gap;
	return times_divide(time, settings->speed);
}

/* The client will not send what the cue waits for. */
static void
guest_ended_early(struct guest *guest)
{
	bool told;

	if (guest->received == 0) {
		guest_dismiss(guest);
		return;
	}
	guest_compare_rest(guest);
	told =
	    guest->host->settings->compare != COMPARE_NONE && align_differences(guest->align) > 0;
	if (guest->broken)
		guest_fail(guest, "the client reset the connection before it had sent all");
	else if (told)
		guest_finish(guest, NULL, false);
	else
		guest_fail(guest, "the client ended its stream before it had sent all");
}

/* May the cue be followed now? */
static bool
guest_is_due(struct guest *guest)
{
	if (guest->due == 0) {
		if (!guest_prompted(guest)) {
			if (guest->ended)
				guest_ended_early(guest);
			return false;
		}
		if (guest->base == 0)
			guest->base =
			    guest->received_at > guest->floor ? guest->received_at : guest->floor;
		guest->due = times_add(guest->base, guest_scale(guest, guest->cue.after));
		guest->floor = guest->due;
	}
	return guest->broken || guest->due <= guest_now(guest);
}

/* -- following a cue -- */

static void
guest_followed(struct guest *guest)
{
	guest->cued = guest->sending = false;
	guest->due = 0;
	guest->progress = guest_now(guest);
}

static void
guest_send_piece(struct guest *guest)
{
	ssize_t size = cues_data(guest->cues, &guest->pending);

	if (size == -1)
		guest_fail(guest, cues_message(guest->cues));
	else if (size == 0)
		guest_followed(guest);
	else
		guest->pending_size = (size_t)size;
}

static void
guest_reset(struct guest *guest)
{
	/* A reset would throw away what the kernel has not delivered yet. */
	if (!guest->broken && guest->end.ops->unsent(&guest->end) > 0 &&
	    guest_now(guest) < times_add(guest->floor, guest->host->settings->timeout))
		guest->due = guest_now(guest) + DRAIN;
	else
		guest_finish(guest, NULL, true);
}

static void
guest_done(struct guest *guest)
{
	if (guest->discarded > 0 && !guest->cue.client_failed)
		guest_fail(guest, "the client closed the connection before it was sent all");
	else
		guest_finish(guest, NULL, false);
}

static void
guest_follow(struct guest *guest)
{
	switch (guest->cue.type) {
	case CUE_SEND:
		guest->sending = true;
		return;
	case CUE_END:
		guest_shut(guest);
		guest_followed(guest);
		return;
	case CUE_RESET:
		guest_reset(guest);
		return;
	case CUE_DONE:
		guest_done(guest);
	}
}

void
guest_play(struct guest *guest)
{
	int pieces = 0;

	while (guest->state == GUEST_PLAYING) {
		if (!guest_flush(guest))
			return;
		if (guest->sending) {
			guest->held_back = !tap_ready(&guest->tap);
			if (guest->held_back || pieces++ == PIECES)
				return;
			guest_send_piece(guest);
			continue;
		}
		if (!guest_listen(guest) || (!guest->cued && !guest_next_cue(guest)))
			return;
		if (!guest_is_due(guest))
			return;
		guest_follow(guest);
	}
}

/* -- waiting -- */

/* When to give up waiting for the client; 0 while it is not the client that is waited for. */
static int64_t
guest_deadline(const struct guest *guest)
{
	const struct host *host = guest->host;
	int64_t patience = host->deck.patience;

	if (guest->held_back || (guest->sending ? guest->broken : guest->due != 0))
		return 0;
	if (guest->state == GUEST_PLAYING)
		patience = guest->sending ? 0 : guest->cue.patience;
	return times_add(guest->progress + host->settings->timeout, patience);
}

int64_t
guest_until(const struct guest *guest)
{
	int64_t deadline = guest_deadline(guest);

	if (guest->held_back)
		return 0;
	if (guest->sending && guest->broken)
		return guest_now(guest);
	return deadline != 0 ? deadline : guest->due;
}

bool
guest_is_late(const struct guest *guest)
{
	int64_t deadline = guest_deadline(guest);

	return deadline != 0 && deadline <= guest_now(guest);
}

/* What a guest that has a log has failed to do. */
static void
guest_expire_playing(struct guest *guest)
{
	char reason[160], time[UNITS_TEXT_MAX];
	unsigned long long received = guest->received, cause = guest->cue.cause;
	bool all_sent = align_reached(guest->align, cause) >= cause;

	units_format_time(guest_deadline(guest) - guest->progress, time);
	guest_compare_rest(guest);
	if (guest->sending)
		snprintf(reason, sizeof(reason), "the client has read nothing for %s", time);
	else if (!all_sent)
		snprintf(reason, sizeof(reason),
		    "the client sent %llu bytes (recorded: %llu) and then nothing for %s", received,
		    cause, time);
	else if (guest->cue.type == CUE_DONE && !guest->cue.client_ended)
		reason[0] = '\0'; /* how it ended was not recorded */
	else if (align_differences(guest->align) > 0)
		snprintf(reason, sizeof(reason),
		    "the client waits for more than was recorded, %s long", time);
	else
		snprintf(
		    reason, sizeof(reason), "the client has not ended its stream for %s", time);
	guest_finish(guest, reason[0] != '\0' ? reason : NULL, false);
}

void
guest_expire(struct guest *guest)
{
	if (guest->state == GUEST_WAITING && guest->received == 0) {
		if (deck_left(&guest->host->deck) == 0)
			guest_dismiss(guest);
		else
			guest_fail(guest, "the client sent nothing");
		return;
	}
	if (guest->state == GUEST_WAITING && !guest_match_closest(guest)) {
		guest_fail(guest, "no log is left for this client");
		return;
	}
	if (guest->state == GUEST_PLAYING)
		guest_expire_playing(guest);
}
