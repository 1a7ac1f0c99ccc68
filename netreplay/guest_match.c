#include <string.h>

#include "netreplay/guest_private.h"

/* Does `log` come before `other` in the order in which logs are played? NULL comes last. */
static bool
comes_before(const struct deck_log *log, const struct deck_log *other)
{
	if (log == NULL || other == NULL)
		return log != NULL;
	return log->uses != other->uses ? log->uses < other->uses : log < other;
}

static struct deck_choice
guest_choose(const struct guest *guest)
{
	struct opening live = guest_live(guest);
	struct deck_choice choice;

	deck_choose(&guest->host->deck, &guest->host->masks, &live, &choice);
	if (choice.answers == NULL)
		choice.answers = choice.fits;
	return choice;
}

static bool
guest_fits(const struct guest *guest, const struct deck_log *log)
{
	struct opening live = guest_live(guest);
	size_t reached;

	return deck_fit(log, &guest->host->masks, &live, NULL, &reached) != OPENING_DEPARTS;
}

/* Could another log take its log's place now? */
static bool
guest_may_change(const struct guest *guest)
{
	return guest->state == GUEST_PLAYING && guest->open && !guest->departed &&
	       !guest->sending && !guest->broken;
}

static void
guest_change(struct guest *guest, struct deck_log *log)
{
	deck_give_back(&guest->host->deck, guest->log);
	guest_leave(guest);
	guest_begin(guest, log);
}

/*
 * A log that fits this guest but was given to another one, who could as well do with a free one:
 * two clients may be greeted before either has told what it wants. The other one changes.
 */
static struct deck_log *
guest_claim(struct guest *guest)
{
	struct host *host = guest->host;
	struct guest *holder;

	LIST_FOREACH (holder, &host->guests, all) {
		struct deck_log *log = holder->log;
		struct deck_log *instead;

		if (holder == guest || !guest_may_change(holder) ||
		    deck_is_free(&host->deck, log) || !guest_fits(guest, log))
			continue;
		instead = guest_choose(holder).answers;
		if (instead == NULL)
			continue;
		guest_change(holder, instead);
		if (holder->state == GUEST_PLAYING)
			guest_wake(holder);
		return log;
	}
	return NULL;
}

bool
guest_match_closest(struct guest *guest)
{
	struct deck_log *closest = guest_choose(guest).closest;

	if (closest == NULL)
		return false;
	guest_begin(guest, closest);
	return true;
}

/* What was sent fits no free log. */
static void
guest_mismatch(struct guest *guest)
{
	struct deck_log *log = guest_claim(guest);

	if (log != NULL) {
		guest_begin(guest, log);
		return;
	}
	guest->departed = true;
	if (!guest_match_closest(guest))
		guest_finish(guest, "no log is left for this client", false);
}

void
guest_match(struct guest *guest)
{
	struct opening live = guest_live(guest);
	struct deck_choice choice;
	int64_t settled = guest->progress + guest->host->settings->settle;

	guest->settling = false;
	guest->due = 0;
	deck_choose(&guest->host->deck, &guest->host->masks, &live, &choice);
	if (choice.answers != NULL) {
		/* It may be one that speaks first, and would not understand a greeting. */
		if (live.size == 0 && !live.ended && guest_now(guest) < settled &&
		    comes_before(choice.speaks, choice.answers)) {
			guest->settling = true;
			guest->due = settled;
			return;
		}
		guest_begin(guest, choice.answers);
	} else if (live.size == 0 && live.ended) {
		guest_dismiss(guest);
	} else if (live.size > 0 && (choice.fits == NULL || live.ended)) {
		guest_mismatch(guest);
	} else if (live.size >= OPENING_MAX) {
		guest_begin(guest, choice.fits);
	}
}

void
guest_consider(struct guest *guest)
{
	struct host *host = guest->host;
	struct opening live = guest_live(guest);
	struct deck_log *other;
	size_t reached;

	if (!guest_may_change(guest) ||
	    deck_fit(guest->log, &host->masks, &live, &guest->more, &reached) != OPENING_DEPARTS)
		return;
	deck_give_back(&host->deck, guest->log);
	other = guest_choose(guest).answers;
	if (other == NULL)
		other = guest_claim(guest);
	deck_take(&host->deck, guest->log);
	if (other != NULL) {
		guest_change(guest, other);
	} else if (live.size == 0 && live.ended) {
		guest_dismiss(guest);
	} else {
		guest->departed = true;
	}
}
