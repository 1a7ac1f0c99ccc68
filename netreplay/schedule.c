#include "netreplay/schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/times.h"
#include "net/notice.h"
#include "netreplay/plan.h"

struct schedule {
	struct play *play;
	const struct logset *set;
	struct plan plan;
	struct carry_table **tables; /* one a copy; NULL: nothing is carried */
	/* the run under way */
	size_t next, last;   /* entries still to begin: [next, last) */
	uint64_t next_copy;  /* of the next entry */
	size_t active, over; /* sessions */
	int64_t began;	     /* loop time of the run's beginning */
	int64_t base;	     /* what that is on the shared clock, silences cut */
	struct timer timer;  /* when the next entry begins */
	/* recorded ends in order: in fast mode a connection begins when as many are over as were in
	 * the recording */
	int64_t *ends;
	size_t ended;	/* of these before the next entry's start */
	size_t skipped; /* entries that an earlier run has played */
};

static int64_t
schedule_due(void *context, int64_t time)
{
	const struct schedule *schedule = context;
	int64_t since = times_subtract(plan_time(&schedule->plan, time), schedule->base);

	/* From the beginning each time, so that errors never add up. */
	return times_add(schedule->began, times_divide(since, schedule->play->settings->speed));
}

static int64_t
schedule_upcoming(void *context)
{
	const struct schedule *schedule = context;

	return schedule->next < schedule->last ? schedule->plan.entries[schedule->next].start
					       : INT64_MAX;
}

static void
schedule_stop_if_over(struct schedule *schedule)
{
	if (schedule->active == 0 &&
	    (schedule->next == schedule->last || schedule->play->interrupted))
		loop_stop(schedule->play->loop);
}

/* May the next entry begin? If only its time has not come the timer is set. */
static bool
schedule_may_begin(struct schedule *schedule)
{
	const struct plan_entry *entry = &schedule->plan.entries[schedule->next];
	const struct settings *settings = schedule->play->settings;
	int64_t due;

	if (settings->fast) {
		while (schedule->ended < schedule->plan.count &&
		       schedule->ends[schedule->ended] <= entry->start)
			schedule->ended++;
		return schedule->ended <= schedule->skipped ||
		       schedule->over >=
			   (schedule->ended - schedule->skipped) * (size_t)settings->clients;
	}
	due = schedule_due(schedule, entry->start);
	if (due <= loop_now(schedule->play->loop))
		return true;
	loop_timer_set(schedule->play->loop, &schedule->timer, due);
	return false;
}

static void
schedule_begin_due(struct schedule *schedule)
{
	struct play *play = schedule->play;

	while (schedule->next < schedule->last && !play->interrupted &&
	       (schedule->next_copy > 0 || schedule_may_begin(schedule))) {
		const struct plan_entry *entry = &schedule->plan.entries[schedule->next];
		uint64_t copy = schedule->next_copy;
		struct carry_table *table =
		    schedule->tables != NULL ? schedule->tables[copy] : NULL;

		schedule->active++;
		if (session_start(play, &schedule->set->items[entry->item], table, copy) == NULL) {
			notice(NOTICE_ERROR, "%s: %s", schedule->set->items[entry->item].name,
			    strerror(errno));
			play->connections[REPORT_FAILED]++;
			schedule->active--;
			schedule->over++;
		}
		session_order_changed(play, table);
		if (++schedule->next_copy == (uint64_t)play->settings->clients) {
			schedule->next_copy = 0;
			schedule->next++;
		}
	}
	schedule_stop_if_over(schedule);
}

static void
schedule_timer(struct timer *timer)
{
	schedule_begin_due(CONTAINER_OF(timer, struct schedule, timer));
}

static void
schedule_done(void *context, uint64_t copy)
{
	struct schedule *schedule = context;

	(void)copy;
	schedule->active--;
	schedule->over++;
	schedule_begin_due(schedule);
}

static int
end_compare(const void *a, const void *b)
{
	const int64_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

/* What fast timing needs to keep the recorded overlap. */
static int
schedule_sort_ends(struct schedule *schedule)
{
	schedule->ends = calloc(schedule->plan.count + 1, sizeof(*schedule->ends));
	if (schedule->ends == NULL)
		return -1;
	for (size_t i = 0; i < schedule->plan.count; i++) {
		const struct plan_entry *entry = &schedule->plan.entries[i];

		/* one that took no time ended after it began: it must not wait for itself */
		schedule->ends[i] = entry->end > entry->start ? entry->end : entry->start + 1;
	}
	qsort(schedule->ends, schedule->plan.count, sizeof(*schedule->ends), end_compare);
	return 0;
}

static int
schedule_make_tables(struct schedule *schedule)
{
	const struct settings *settings = schedule->play->settings;

	if (carry_set_count(settings->carry) == 0)
		return 0;
	schedule->tables = calloc((size_t)settings->clients, sizeof(*schedule->tables));
	return schedule->tables != NULL ? 0 : -1;
}

/* Every run begins with nothing learned. */
static int
schedule_renew_tables(struct schedule *schedule)
{
	for (long long i = 0; schedule->tables != NULL && i < schedule->play->settings->clients;
	     i++) {
		carry_table_free(schedule->tables[i]);
		schedule->tables[i] = carry_table_new(schedule->play->settings->carry);
		if (schedule->tables[i] == NULL)
			return -1;
	}
	return 0;
}

struct schedule *
schedule_new(struct play *play, struct logset *set)
{
	const struct settings *settings = play->settings;
	struct schedule *schedule = calloc(1, sizeof(*schedule));

	if (schedule == NULL)
		return NULL;
	schedule->play = play;
	schedule->set = set;
	timer_init(&schedule->timer, schedule_timer);
	if (plan_init(&schedule->plan, set, settings->shard, settings->shards, settings->fast,
		settings->fast ? 0 : settings->max_gap) == -1 ||
	    (settings->fast && schedule_sort_ends(schedule) == -1) ||
	    schedule_make_tables(schedule) == -1) {
		schedule_free(schedule);
		return NULL;
	}
	play->due = schedule_due;
	play->upcoming = schedule_upcoming;
	play->done = schedule_done;
	play->context = schedule;
	return schedule;
}

void
schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	for (long long i = 0; schedule->tables != NULL && i < schedule->play->settings->clients;
	     i++)
		carry_table_free(schedule->tables[i]);
	free(schedule->tables);
	free(schedule->ends);
	plan_release(&schedule->plan);
	free(schedule);
}

uint64_t
schedule_total(const struct schedule *schedule)
{
	return schedule->plan.count * (uint64_t)schedule->play->settings->clients;
}

size_t
schedule_logs(const struct schedule *schedule)
{
	return schedule->plan.count;
}

int
schedule_run(struct schedule *schedule, size_t first, size_t count)
{
	struct loop *loop = schedule->play->loop;

	if (count == 0 || schedule->play->interrupted)
		return 0;
	if (schedule_renew_tables(schedule) == -1)
		return -1;
	schedule->next = schedule->skipped = first;
	schedule->last = first + count;
	schedule->next_copy = 0;
	schedule->active = schedule->over = schedule->ended = 0;
	schedule->began = loop_refresh(loop);
	schedule->base = plan_time(&schedule->plan, schedule->plan.entries[first].start);
	loop_timer_set(loop, &schedule->timer, schedule->began);
	return loop_run(loop);
}

void
schedule_fail(struct schedule *schedule, size_t entry, const char *reason)
{
	struct play *play = schedule->play;
	const struct plan_entry *failed = &schedule->plan.entries[entry];
	struct report_connection connection = {.name = schedule->set->items[failed->item].name,
	    .key = failed,
	    .result = REPORT_FAILED,
	    .reason = reason};

	for (long long i = 0; i < play->settings->clients; i++) {
		play->connections[REPORT_FAILED]++;
		if (play->report != NULL)
			report_connection(play->report, &connection);
	}
}

void
schedule_interrupt(struct schedule *schedule)
{
	schedule->play->interrupted = true;
	loop_timer_cancel(schedule->play->loop, &schedule->timer);
	session_abort_all(schedule->play);
	schedule_stop_if_over(schedule);
}
