#include "net/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "net/record_writer.h"
#include "net/recorder_state.h"
#include "net/thread.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)
#define QUEUE_SIZE (64 * 1024 * 1024)
#define HAND_OVER_AFTER (20 * MILLISECOND) /* however little there is: what a crash may lose */
#define HAND_OVER_CONTROLS 48  /* or so many opens and closes: the writer's longest work */
#define AGAIN_MIN MILLISECOND  /* when to look again whether the writer is done with these */
#define AGAIN_SHARE 100	       /* of the time that it has been behind */
#define LAST_AFTER MILLISECOND /* when nothing is left to record: who waits for the log sees it */
#define HURRY_BEHIND                                                                               \
	(4 * 1024 * 1024) /* the writer may rest while no more than this waits for it */
#define HURRY_AFTER (250 * MILLISECOND) /* and not for longer */
#define HAND_OVER_BATCHES 8		/* full ones: most short connections then are one write */

#define OWNER(timer, member)                                                                       \
	((struct recorder *)(void *)((char *)(timer)-offsetof(struct recorder, member)))

/* -- the queue's bound -- */

static void
recorder_resume(struct recorder *recorder)
{
	struct recording *recording;

	/* Those resumed may fill the queue again: the rest then stays blocked, in order. */
	while (!recorder->blocking && (recording = TAILQ_FIRST(&recorder->blocked)) != NULL) {
		TAILQ_REMOVE(&recorder->blocked, recording, blocked);
		recording->is_blocked = false;
		tap_resume(recording->observer.tap);
	}
}

static void
recorder_unblock(struct recorder *recorder)
{
	recorder->blocking = recorder->shedding = false;
	loop_timer_cancel(recorder->loop, &recorder->stall_timer);
	recorder_resume(recorder);
}

/* Ask the writer for a wake-up; true if the queue has drained before it could see that. */
static bool
recorder_await_drain(struct recorder *recorder)
{
	atomic_store(&recorder->queue.drain_wanted, true);
	return record_queue_drained(&recorder->queue) &&
	       atomic_exchange(&recorder->queue.drain_wanted, false);
}

static void
recorder_check_bound(struct recorder *recorder)
{
	if (recorder->blocking || recorder->shedding || !record_queue_full(&recorder->queue))
		return;
	if (recorder_await_drain(recorder))
		return;
	recorder->blocking = true;
	loop_timer_set(
	    recorder->loop, &recorder->stall_timer, loop_now(recorder->loop) + recorder->stall);
}

static void
recorder_stalled(struct timer *timer)
{
	struct recorder *recorder = OWNER(timer, stall_timer);

	/* a disk that is only slow has made room, if not as much as is waited for */
	recorder->shedding = record_queue_full(&recorder->queue);
	recorder->blocking = false;
	recorder_resume(recorder);
}

bool
recorder_sheds(struct recorder *recorder)
{
	/* The wake-up that tells it may still be on its way. */
	if (recorder->shedding && record_queue_drained(&recorder->queue))
		recorder->shedding = false;
	return recorder->shedding;
}

/* Log of a recording that the writer has given up: --on-log-error close. */
static void
recorder_take_failed(struct recorder *recorder)
{
	struct record_queue *queue = &recorder->queue;
	struct recording *recording;

	thread_pace_lock(&queue->pace, &queue->mutex);
	while ((recording = SLIST_FIRST(&queue->failed)) != NULL) {
		SLIST_REMOVE_HEAD(&queue->failed, next_failed);
		recording->is_reported = false;
		if (recording->finished)
			free(recording);
		else if (!recording->closed)
			tap_kill(recording->observer.tap);
	}
	pthread_mutex_unlock(&queue->mutex);
}

static void
recorder_woken(void *context)
{
	struct recorder *recorder = context;

	recorder_take_failed(recorder);
	if (!recorder->blocking && !recorder->shedding)
		return;
	if (record_queue_drained(&recorder->queue) || recorder_await_drain(recorder)) {
		atomic_store(&recorder->queue.drain_wanted, false);
		recorder_unblock(recorder);
	}
}

/* -- batches -- */

/* Is the writer to get on with it, though the processors have other work? */
static void
recorder_check_pace(struct recorder *recorder)
{
	int64_t now = loop_now(recorder->loop);
	size_t held = record_queue_held(&recorder->queue);

	if (held == 0)
		recorder->drained = now;
	if (held > HURRY_BEHIND || recorder->referenced >= HAND_OVER_REFERENCED ||
	    now - recorder->drained >= HURRY_AFTER)
		thread_pace_hurry(&recorder->queue.pace, now);
}

/* The writer is behind: when to look again whether it can be given what there is now? Opens and
 * closes in short pieces fill the gaps that clients and servers leave on the processors. */
static int64_t
recorder_again(const struct recorder *recorder)
{
	int64_t now = loop_now(recorder->loop);
	int64_t pause = (now - recorder->drained) / AGAIN_SHARE;

	if (recorder->batch == NULL || recorder->batch->controls < HAND_OVER_CONTROLS ||
	    pause > HAND_OVER_AFTER)
		pause = HAND_OVER_AFTER;
	return now + (pause > AGAIN_MIN ? pause : AGAIN_MIN);
}

/* What was handed over last is not to wait for ever on a machine that is busy with something else.
 */
static void
recorder_look_after(struct timer *timer)
{
	struct recorder *recorder = OWNER(timer, look_after);

	recorder_check_pace(recorder);
	if (record_queue_held(&recorder->queue) > 0)
		loop_timer_set(recorder->loop, timer, loop_now(recorder->loop) + HURRY_AFTER);
}

void
recorder_push(struct recorder *recorder)
{
	recorder_check_pace(recorder);
	if (recorder->look_after.due == 0)
		loop_timer_set(
		    recorder->loop, &recorder->look_after, loop_now(recorder->loop) + HURRY_AFTER);
	record_queue_free_finished(&recorder->queue);
	if (recorder->batch != NULL) {
		STAILQ_INSERT_TAIL(&recorder->filled, recorder->batch, next);
		recorder->batch = NULL;
	}
	recorder->filled_count = 0;
	recorder->referenced = 0;
	record_queue_push(&recorder->queue, &recorder->filled);
	atomic_store_explicit(&recorder->metrics->counters[COUNTER_LOG_QUEUE],
	    record_queue_held(&recorder->queue), memory_order_relaxed);
	recorder_check_bound(recorder);
}

static void
recorder_hand_over(struct timer *timer)
{
	struct recorder *recorder = OWNER(timer, hand_over);

	if (recorder->batch == NULL && recorder->filled_count == 0)
		return;
	/* A writer that is behind gets fuller batches rather than more of them. */
	if (record_queue_held(&recorder->queue) > 0) {
		recorder_check_pace(recorder);
		loop_timer_set(recorder->loop, timer, recorder_again(recorder));
	} else {
		recorder_push(recorder);
	}
}

void
recorder_hand_over_last(struct recorder *recorder)
{
	loop_timer_set(recorder->loop, &recorder->hand_over, loop_now(recorder->loop) + LAST_AFTER);
}

/* The batch is full. */
static void
recorder_seal(struct recorder *recorder)
{
	STAILQ_INSERT_TAIL(&recorder->filled, recorder->batch, next);
	recorder->batch = NULL;
	if (++recorder->filled_count == HAND_OVER_BATCHES)
		recorder_push(recorder);
}

/* Room for one operation with `size` bytes behind it; NULL if there is no memory. */
struct op *
recorder_op(struct recorder *recorder, struct recording *recording, enum op_kind kind, int64_t time,
    size_t size)
{
	size_t room = op_room(size);

	if (recorder->batch != NULL && recorder->batch->used + room > BATCH_ARENA)
		recorder_seal(recorder);
	if (recorder->batch == NULL)
		recorder->batch = record_queue_batch(&recorder->queue);
	if (recorder->batch == NULL)
		return NULL;
	if (recorder->hand_over.due == 0)
		loop_timer_set(recorder->loop, &recorder->hand_over,
		    loop_now(recorder->loop) + HAND_OVER_AFTER);
	struct op *op = (struct op *)(void *)(recorder->batch->arena + recorder->batch->used);
	recorder->batch->used += room;
	*op = (struct op){
	    .recording = recording, .time = time, .behind = (uint16_t)size, .kind = (uint8_t)kind};
	return op;
}

void
recorder_count_control(struct recorder *recorder)
{
	if (++recorder->batch->controls == HAND_OVER_CONTROLS)
		loop_timer_set(recorder->loop, &recorder->hand_over, loop_now(recorder->loop));
}

/* -- the wall clock -- */

static bool
recorder_wall_has_moved(const struct recorder *recorder, int64_t wall)
{
	return llabs(wall - recorder->wall) >= MILLISECOND;
}

int64_t
recorder_wall(struct recorder *recorder)
{
	/* What is less than that is the time between the readings of two clocks, and would only
	 * disturb the order of what happens on several connections. */
	if (recorder_wall_has_moved(recorder, thread_wall_offset())) {
		/* again: it may have been another process that ran between the two */
		int64_t wall = thread_wall_offset();
		if (recorder_wall_has_moved(recorder, wall))
			recorder->wall = wall;
	}
	return recorder->wall;
}

/* -- what is told once a second -- */

void
recorder_set_summary(struct recorder *recorder)
{
	if (recorder->summary.due == 0)
		loop_timer_set(
		    recorder->loop, &recorder->summary, loop_now(recorder->loop) + SECOND);
}

static void
recorder_say_rest(struct recorder *recorder, int64_t now)
{
	uint64_t rest = notice_ration_rest(&recorder->ration, now);

	if (rest > 0)
		notice(NOTICE_ERROR, "%s: log queue full: %" PRIu64 " more recordings have ended",
		    recorder->root, rest);
	if (recorder->unlogged > 0)
		notice(NOTICE_ERROR, "%s: log queue full: %" PRIu64 " connections got no log",
		    recorder->root, recorder->unlogged);
	recorder->unlogged = 0;
}

static void
recorder_summary(struct timer *timer)
{
	struct recorder *recorder = OWNER(timer, summary);

	recorder_say_rest(recorder, loop_now(recorder->loop));
	if (recorder->ration.withheld > 0)
		recorder_set_summary(recorder);
}

/* -- life -- */

struct recorder *
recorder_new(struct loop *loop, const struct recorder_config *config)
{
	struct recorder_config mine = *config;
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (recorder == NULL)
		return NULL;
	size_t bound = config->queue_size > 0 ? config->queue_size : QUEUE_SIZE;
	if (record_queue_init(&recorder->queue, bound) != 0) {
		free(recorder);
		return NULL;
	}
	if (mine.metrics == NULL)
		mine.metrics = &recorder->unused;
	recorder->loop = loop;
	recorder->metrics = mine.metrics;
	recorder->lost = config->lost;
	recorder->lost_context = config->lost_context;
	recorder->stall = config->stall;
	recorder->close_on_error = config->close_on_error;
	TAILQ_INIT(&recorder->blocked);
	STAILQ_INIT(&recorder->filled);
	timer_init(&recorder->hand_over, recorder_hand_over);
	timer_init(&recorder->look_after, recorder_look_after);
	timer_init(&recorder->stall_timer, recorder_stalled);
	timer_init(&recorder->summary, recorder_summary);
	loop_on_wake(loop, recorder_woken, recorder);
	int64_t epoch = loop_refresh(loop);
	recorder->wall = thread_wall_offset();
	recorder->root = strdup(config->root);
	if (recorder->root == NULL)
		goto failed;
	mine.root = recorder->root;
	recorder->writer = record_writer_new(&mine, &recorder->queue, loop, epoch);
	if (recorder->writer == NULL || record_writer_start(recorder->writer) != 0)
		goto failed;
	recorder->started = true;
	return recorder;
failed:;
	int error = errno;
	recorder_free(recorder);
	errno = error;
	return NULL;
}

int
recorder_finish(struct recorder *recorder)
{
	struct record_queue *queue = &recorder->queue;
	int64_t patience = recorder->stall > SECOND ? recorder->stall : SECOND;
	int64_t since = thread_clock();
	unsigned before = atomic_load_explicit(&queue->progress, memory_order_relaxed);

	if (!recorder->started)
		return 0;
	if (recorder->batch != NULL || recorder->filled_count > 0)
		recorder_push(recorder);
	recorder_say_rest(recorder, INT64_MAX);
	thread_pace_hurry(&queue->pace, thread_clock());
	record_queue_stop(queue);
	while (!record_queue_ended(queue, thread_clock() + 50 * MILLISECOND)) {
		unsigned progress = atomic_load_explicit(&queue->progress, memory_order_relaxed);
		if (progress != before)
			since = thread_clock();
		before = progress;
		if (thread_clock() - since > patience) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	record_writer_join(recorder->writer);
	recorder->started = false;
	recorder_take_failed(recorder);
	return 0;
}

bool
recorder_complete(const struct recorder *recorder)
{
	return metrics_get(recorder->metrics, COUNTER_LOST_BYTES) == 0 &&
	       metrics_get(recorder->metrics, COUNTER_LOG_FAILURES) == 0 &&
	       record_writer_index_complete(recorder->writer);
}

void
recorder_free(struct recorder *recorder)
{
	if (recorder == NULL)
		return;
	if (recorder->started)
		recorder_finish(recorder);
	loop_timer_cancel(recorder->loop, &recorder->hand_over);
	loop_timer_cancel(recorder->loop, &recorder->look_after);
	loop_timer_cancel(recorder->loop, &recorder->stall_timer);
	loop_timer_cancel(recorder->loop, &recorder->summary);
	free(recorder->batch);
	record_writer_free(recorder->writer);
	record_queue_release(&recorder->queue);
	free(recorder->root);
	free(recorder);
}
