#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netreplay/guest_private.h"

static void
guest_differ(void *context, const struct align_difference *difference)
{
	struct guest *guest = context;

	if (guest->host->settings->compare != COMPARE_NONE)
		report_difference(
		    guest->host->report, guest, guest->log->item->name, SIDE_CLIENT, difference);
}

bool
guest_prompt(struct guest *guest)
{
	const unsigned char *piece;
	ssize_t size;

	while (!guest->requests_ended && align_wanted(guest->align) > 0) {
		size = requests_next(guest->requests, &piece);
		if (size == -1) {
			guest->requests_ended = true;
			guest_fail(guest, requests_message(guest->requests));
			return false;
		}
		guest->requests_ended = size == 0;
		guest->requested += (uint64_t)size;
		if (guest->counter != NULL && size > 0)
			mask_counter_feed(guest->counter, piece, (size_t)size);
		if ((size > 0 ? align_feed(guest->align, ALIGN_RECORDED, piece, (size_t)size)
			      : align_end(guest->align, ALIGN_RECORDED)) == -1) {
			guest_fail(guest, strerror(errno));
			return false;
		}
	}
	return true;
}

bool
guest_feed(struct guest *guest, size_t until)
{
	if (until > guest->fed && align_feed(guest->align, ALIGN_LIVE, guest->live + guest->fed,
				      until - guest->fed) == -1) {
		guest_fail(guest, strerror(errno));
		return false;
	}
	guest->fed = until;
	return guest_prompt(guest);
}

bool
guest_next_cue(struct guest *guest)
{
	struct cue before = guest->cue;

	if (cues_next(guest->cues, &guest->cue) == -1) {
		guest_fail(guest, cues_message(guest->cues));
		return false;
	}
	guest->cued = true;
	guest->due = 0;
	if (guest->cue.cause != before.cause || guest->cue.client_ended != before.client_ended)
		guest->base = 0;
	return true;
}

/* It was sent something from another log: what this one had sent by then is not sent again. */
static bool
guest_catch_up(struct guest *guest)
{
	uint64_t reached, passed = 0;

	if (!guest_feed(guest, guest->live_at_send))
		return false;
	reached = align_reached(guest->align, 0);
	while (guest->cue.type == CUE_SEND && guest->cue.cause <= reached && passed < guest->sent) {
		passed += guest->cue.size;
		if (!guest_next_cue(guest))
			return false;
	}
	return true;
}

void
guest_begin(struct guest *guest, struct deck_log *log)
{
	struct host *host = guest->host;
	struct align_config config = {.masks = &host->masks,
	    .differ = guest_differ,
	    .context = guest,
	    .sizes_only = host->settings->compare != COMPARE_BYTES};

	deck_take(&host->deck, log);
	host->playing++;
	guest->state = GUEST_PLAYING;
	guest->log = log;
	guest->settling = false;
	guest->cues = cues_open(log->item);
	guest->requests = requests_open(log->item);
	guest->align = align_new(&config);
	if (host->masks.count > 0)
		guest->counter = mask_counter_new(&host->masks);
	if (guest->cues == NULL || guest->requests == NULL || guest->align == NULL) {
		guest_fail(guest, strerror(errno));
		return;
	}
	if (guest_next_cue(guest) && guest_prompt(guest) && guest->sent > 0)
		guest_catch_up(guest);
}

void
guest_leave(struct guest *guest)
{
	guest->host->playing--;
	cues_free(guest->cues);
	requests_free(guest->requests);
	align_free(guest->align);
	mask_counter_free(guest->counter);
	free((void *)(uintptr_t)guest->more.bytes);
	guest->log = NULL;
	guest->cues = NULL;
	guest->requests = NULL;
	guest->align = NULL;
	guest->counter = NULL;
	guest->more = (struct opening){0};
	guest->cue = (struct cue){0};
	guest->cued = guest->requests_ended = guest->compared = guest->sending = false;
	guest->requested = guest->fed = 0;
	guest->pending_size = 0;
	guest->base = guest->due = 0;
}

void
guest_compare_rest(struct guest *guest)
{
	const unsigned char *piece;
	ssize_t size;

	if (guest->compared)
		return;
	guest->compared = true;
	if (guest->live_size > guest->fed)
		align_feed(guest->align, ALIGN_LIVE, guest->live + guest->fed,
		    guest->live_size - guest->fed);
	guest->fed = guest->live_size;
	while (!guest->requests_ended && (size = requests_next(guest->requests, &piece)) > 0) {
		if (guest->counter != NULL)
			mask_counter_feed(guest->counter, piece, (size_t)size);
		align_feed(guest->align, ALIGN_RECORDED, piece, (size_t)size);
	}
	if (!guest->requests_ended)
		align_end(guest->align, ALIGN_RECORDED);
	guest->requests_ended = true;
	align_end(guest->align, ALIGN_LIVE);
	if (guest->counter != NULL)
		mask_counter_end(guest->counter);
}
