#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netmirror/mirror.h"

struct mirror {
	struct observer observer; /* first: an observer's pointer is its mirror's */
	const struct mirror_config *config;
	bool failed;  /* a side has */
	bool closed;  /* the connection is */
	size_t alive; /* legs that are not over, and the connection itself */
	struct task task;
	struct mirror_leg {
		struct leg leg;
		struct answers *answers; /* NULL: not compared, or not any more */
	} legs[];
};

static struct mirror *
mirror_of(struct observer *observer)
{
	return (struct mirror *)(void *)observer;
}

static void
mirror_release(struct task *task)
{
	struct mirror *mirror = CONTAINER_OF(task, struct mirror, task);
	const struct mirror_config *config = mirror->config;

	free(mirror);
	config->gone(config->context);
}

static void
mirror_less(struct mirror *mirror)
{
	if (--mirror->alive == 0)
		loop_later(mirror->config->legs->service->loop, &mirror->task);
}

/* -- what legs tell -- */

static struct mirror_leg *
mirror_leg(const struct leg *leg)
{
	return CONTAINER_OF(leg, struct mirror_leg, leg);
}

static void
mirror_leg_judge(struct mirror_leg *each)
{
	answers_finish(each->answers, each->leg.reason);
	each->answers = NULL;
}

static void
mirror_leg_over(struct leg *leg)
{
	struct mirror *mirror = leg->owner;
	struct mirror_leg *each = mirror_leg(leg);

	if (mirror->closed || each->answers == NULL || !answers_wait_for_server(each->answers))
		mirror_leg_judge(each);
	mirror_less(mirror);
}

static void
mirror_leg_received(struct leg *leg, const struct slice *slice)
{
	struct answers *answers = mirror_leg(leg)->answers;

	if (answers_take(answers, slice) == -1)
		leg_drop(leg, answers_failure(answers));
}

static bool
mirror_leg_wanted(const struct leg *leg)
{
	return answers_wanted(mirror_leg(leg)->answers);
}

static void
mirror_leg_ended(struct leg *leg, int error)
{
	answers_take_end(mirror_leg(leg)->answers, error);
}

static const struct leg_ops dropping = {.over = mirror_leg_over};

static const struct leg_ops comparing = {
    .received = mirror_leg_received,
    .wanted = mirror_leg_wanted,
    .ended = mirror_leg_ended,
    .over = mirror_leg_over,
};

/* -- what the connection tells -- */

static void
mirror_open(struct observer *observer, const struct conn_info *info)
{
	struct mirror *mirror = mirror_of(observer);
	const struct mirror_config *config = mirror->config;

	for (size_t i = 0; i < config->target_count; i++) {
		struct mirror_leg *each = &mirror->legs[i];
		const struct target *target = &config->targets[i];

		if (config->answers != NULL)
			each->answers =
			    answers_new(config->answers, info, target->tally->name, i == 0);
		if (config->answers != NULL && each->answers == NULL)
			notice(NOTICE_WARNING, "connection %llu is not compared: %s",
			    (unsigned long long)info->id, strerror(errno));
		leg_start(&each->leg, config->legs, target,
		    each->answers != NULL ? &comparing : &dropping, mirror);
	}
}

static void
mirror_client_data(struct mirror *mirror, const struct slice *slice, int64_t time)
{
	struct slice shared = {NULL, NULL, 0};

	for (size_t i = 0; i < mirror->config->target_count; i++) {
		struct mirror_leg *each = &mirror->legs[i];

		if (each->answers != NULL)
			answers_ask(each->answers, time);
		leg_send(&each->leg, slice, &shared);
	}
	slice_drop(&shared);
}

static void
mirror_server_data(struct mirror *mirror, const struct slice *slice, int64_t time)
{
	struct slice shared = {NULL, NULL, 0};

	for (size_t i = 0; i < mirror->config->target_count; i++) {
		struct mirror_leg *each = &mirror->legs[i];

		if (each->answers == NULL)
			continue;
		if (answers_expect(each->answers, slice, &shared, time) == -1)
			leg_drop(&each->leg, "its answers are too far behind the server's");
		else
			leg_resume(&each->leg);
	}
	slice_drop(&shared);
}

static void
mirror_data(struct observer *observer, enum side side, const struct slice *slice, int64_t time)
{
	if (side == SIDE_CLIENT)
		mirror_client_data(mirror_of(observer), slice, time);
	else
		mirror_server_data(mirror_of(observer), slice, time);
}

static void
mirror_server_ended(struct mirror *mirror, int error)
{
	for (size_t i = 0; i < mirror->config->target_count; i++)
		if (mirror->legs[i].answers != NULL)
			answers_expect_end(mirror->legs[i].answers, error);
}

/* A half-closed connection goes on for the observers until both sides have ended. */
static void
mirror_eof(struct observer *observer, enum side side, int64_t time)
{
	(void)time;
	if (side == SIDE_SERVER)
		mirror_server_ended(mirror_of(observer), 0);
}

static void
mirror_error(struct observer *observer, enum side side, int error, int64_t time)
{
	(void)side;
	(void)time;
	mirror_of(observer)->failed = true;
	mirror_server_ended(mirror_of(observer), error);
}

static void
mirror_close(struct observer *observer, enum close_reason reason, int64_t time)
{
	struct mirror *mirror = mirror_of(observer);
	bool failed = mirror->failed || reason != CLOSE_ENDED;

	(void)time;
	mirror->closed = true;
	for (size_t i = 0; i < mirror->config->target_count; i++) {
		struct leg *leg = &mirror->legs[i].leg;

		if (leg->state == LEG_OVER)
			mirror_leg_judge(&mirror->legs[i]);
		else
			leg_end(leg, failed ? LEG_FAILS : LEG_ENDS);
	}
	mirror_less(mirror);
}

static const struct observer_ops mirror_ops = {
    .open = mirror_open,
    .data = mirror_data,
    .eof = mirror_eof,
    .error = mirror_error,
    .close = mirror_close,
};

int
mirror_attach(const struct mirror_config *config, struct tap *tap)
{
	struct mirror *mirror =
	    calloc(1, sizeof(*mirror) + config->target_count * sizeof(mirror->legs[0]));

	if (mirror == NULL)
		return -1;
	mirror->observer.ops = &mirror_ops;
	mirror->config = config;
	mirror->alive = config->target_count + 1;
	mirror->task.run = mirror_release;
	tap_add(tap, &mirror->observer);
	return 0;
}
