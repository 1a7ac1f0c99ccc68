#include "netreplay/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INTERVAL (INT64_C(200) * 1000 * 1000)

struct progress {
	const struct play *play;
	uint64_t total;
	int64_t began;
	struct timer timer;
};

static void
progress_show(struct timer *timer)
{
	struct progress *progress = CONTAINER_OF(timer, struct progress, timer);
	const struct play *play = progress->play;
	const uint64_t *done = play->connections;
	int64_t now = loop_now(play->loop);

	fprintf(stderr, "\r%llu of %llu connections, %llu different, %llu failed, %.1f s\033[K",
	    (unsigned long long)(done[REPORT_EQUAL] + done[REPORT_DIFFERENT] + done[REPORT_FAILED] +
				 done[REPORT_SKIPPED]),
	    (unsigned long long)progress->total, (unsigned long long)done[REPORT_DIFFERENT],
	    (unsigned long long)done[REPORT_FAILED], (double)(now - progress->began) / 1e9);
	loop_timer_set(play->loop, timer, now + INTERVAL);
}

struct progress *
progress_start(const struct play *play, uint64_t total, bool wanted)
{
	struct progress *progress;

	if (!wanted || !isatty(STDERR_FILENO))
		return NULL;
	progress = calloc(1, sizeof(*progress));
	if (progress == NULL)
		return NULL;
	progress->play = play;
	progress->total = total;
	progress->began = loop_now(play->loop);
	timer_init(&progress->timer, progress_show);
	loop_timer_set(play->loop, &progress->timer, progress->began + INTERVAL);
	return progress;
}

void
progress_stop(struct progress *progress)
{
	if (progress == NULL)
		return;
	loop_timer_cancel(progress->play->loop, &progress->timer);
	fputs("\r\033[K", stderr);
	free(progress);
}
