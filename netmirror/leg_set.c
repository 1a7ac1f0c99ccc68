#include <string.h>

#include "netmirror/leg_private.h"

#define SECOND (INT64_C(1000) * 1000 * 1000)

/* -- limits -- */

void
leg_set_trim(struct leg_set *set)
{
	struct leg *leg;

	while (set->service->relays.observed > set->total &&
	       (leg = TAILQ_FIRST(&set->waiting)) != NULL)
		leg_drop(leg, "all queues are full");
}

void
leg_set_crowd_out(struct leg_set *set)
{
	while (set->left_count > set->left_max) {
		struct leg *leg = TAILQ_FIRST(&set->left);

		if (leg->state == LEG_LINGERING)
			leg_over(leg, false);
		else
			leg_drop(leg, "too many connections are over but for observers");
	}
}

/* -- how far observers are behind -- */

/* The waiting legs are in order of their last progress, not of their oldest bytes. */
void
leg_set_measure(struct leg_set *set)
{
	int64_t now = loop_now(set->service->loop);
	struct tally *each;
	struct leg *leg;

	for (each = set->tallies->first; each != NULL; each = each->next)
		tally_put(each, TARGET_LAG, 0);
	TAILQ_FOREACH (leg, &set->waiting, waiting) {
		struct tally *tally = leg->target->tally;
		uint64_t lag = (uint64_t)(now - STAILQ_FIRST(&leg->queue)->time) / 1000;

		if (lag > tally_value(tally, TARGET_LAG))
			tally_put(tally, TARGET_LAG, lag);
	}
}

void
leg_set_watch_lag(struct leg_set *set)
{
	struct loop *loop = set->service->loop;

	if (set->lag.due == 0)
		loop_timer_set(loop, &set->lag, loop_now(loop) + SECOND);
}

static void
leg_set_lag(struct timer *timer)
{
	struct leg_set *set = CONTAINER_OF(timer, struct leg_set, lag);

	leg_set_measure(set);
	if (!TAILQ_EMPTY(&set->waiting))
		leg_set_watch_lag(set);
}

/* -- the end -- */

static void
leg_set_patience(struct timer *timer)
{
	struct leg_set *set = CONTAINER_OF(timer, struct leg_set, patience);
	struct service *service = set->service;
	int64_t now = loop_now(service->loop);

	if (service->ops->count(service->context) == set->held && set->patience_until == 0)
		set->patience_until = now + service->grace;
	if (set->patience_until != 0 && set->patience_until <= now && set->held > 0) {
		notice(NOTICE_WARNING, "grace time is over: %zu connections to observers are ended",
		    set->held);
		leg_set_stop(set);
		return;
	}
	loop_timer_set(service->loop, timer, now + SECOND / 10);
}

void
leg_set_drain(struct leg_set *set)
{
	leg_set_patience(&set->patience);
}

void
leg_set_stop(struct leg_set *set)
{
	struct leg *leg;

	while ((leg = TAILQ_FIRST(&set->left)) != NULL)
		leg_close(leg);
}

/* -- life -- */

void
leg_set_init(struct leg_set *set, struct service *service, struct tally_set *tallies)
{
	memset(set, 0, sizeof(*set));
	set->service = service;
	set->tallies = tallies;
	TAILQ_INIT(&set->waiting);
	TAILQ_INIT(&set->left);
	timer_init(&set->lag, leg_set_lag);
	timer_init(&set->patience, leg_set_patience);
}

void
leg_set_limit(struct leg_set *set, size_t queue, size_t left_max)
{
	set->left_max = left_max;
	set->queue = queue;
	set->total = queue < SIZE_MAX / LEG_QUEUES ? queue * LEG_QUEUES : SIZE_MAX;
}
