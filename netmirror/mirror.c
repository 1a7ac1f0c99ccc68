#include <stdlib.h>
#include <string.h>

#include "netmirror/mirror.h"

struct mirror {
	struct observer observer; /* first: an observer's pointer is its mirror's */
	const struct mirror_config *config;
	bool failed;  /* a side has */
	size_t alive; /* legs that are not over, and the connection itself */
	struct task task;
	struct leg legs[];
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

static void
mirror_leg_over(struct leg *leg)
{
	mirror_less(leg->owner);
}

static const struct leg_ops leg_ops = {.over = mirror_leg_over};

static void
mirror_open(struct observer *observer, const struct conn_info *info)
{
	struct mirror *mirror = mirror_of(observer);
	const struct mirror_config *config = mirror->config;

	(void)info;
	for (size_t i = 0; i < config->target_count; i++)
		leg_start(&mirror->legs[i], config->legs, &config->targets[i], &leg_ops, mirror);
}

static void
mirror_data(struct observer *observer, enum side side, const struct slice *slice, int64_t time)
{
	struct mirror *mirror = mirror_of(observer);
	struct slice shared = {NULL, NULL, 0};

	if (side != SIDE_CLIENT)
		return;
	for (size_t i = 0; i < mirror->config->target_count; i++)
		leg_send(&mirror->legs[i], slice, &shared, time);
	slice_drop(&shared);
}

/* A half-closed connection goes on for the observers until both sides have ended. */
static void
mirror_eof(struct observer *observer, enum side side, int64_t time)
{
	(void)observer;
	(void)side;
	(void)time;
}

static void
mirror_error(struct observer *observer, enum side side, int error, int64_t time)
{
	(void)side;
	(void)error;
	(void)time;
	mirror_of(observer)->failed = true;
}

static void
mirror_close(struct observer *observer, enum close_reason reason, int64_t time)
{
	struct mirror *mirror = mirror_of(observer);

	(void)time;
	for (size_t i = 0; i < mirror->config->target_count; i++) {
		if (reason == CLOSE_KILLED)
			leg_close(&mirror->legs[i]);
		else
			leg_end(&mirror->legs[i],
			    mirror->failed || reason == CLOSE_REFUSED ? LEG_FAILS : LEG_ENDS);
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
