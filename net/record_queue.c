#include "net/record_queue.h"

#include <stdlib.h>

#include "net/recording.h"
#include "net/thread.h"

#define SPARE_MAX 16 /* empty batches kept */
#define CONTROLS_FULL                                                                              \
	16384 /* more opens and closes make the queue full: creating files may be slow */

int
record_queue_init(struct record_queue *queue, size_t bound)
{
	queue->bound = bound;
	atomic_init(&queue->drain_wanted, false);
	atomic_init(&queue->progress, 0);
	atomic_init(&queue->held, 0);
	atomic_init(&queue->controls, 0);
	STAILQ_INIT(&queue->batches);
	STAILQ_INIT(&queue->spare);
	SLIST_INIT(&queue->failed);
	STAILQ_INIT(&queue->finished);
	thread_pace_init(&queue->pace);
	queue->spare_count = 0;
	queue->waiting = queue->stopping = queue->done = false;
	if (thread_condition_init(&queue->wanted) != 0)
		return -1;
	if (thread_condition_init(&queue->ended) != 0) {
		pthread_cond_destroy(&queue->wanted);
		return -1;
	}
	pthread_mutex_init(&queue->mutex, NULL);
	return 0;
}

void
record_queue_release(struct record_queue *queue)
{
	struct batch *batch;

	while ((batch = STAILQ_FIRST(&queue->spare)) != NULL) {
		STAILQ_REMOVE_HEAD(&queue->spare, next);
		free(batch);
	}
	record_queue_free_finished(queue);
	pthread_cond_destroy(&queue->wanted);
	pthread_cond_destroy(&queue->ended);
	pthread_mutex_destroy(&queue->mutex);
}

struct batch *
record_queue_batch(struct record_queue *queue)
{
	thread_pace_lock(&queue->pace, &queue->mutex);
	struct batch *batch = STAILQ_FIRST(&queue->spare);
	if (batch != NULL) {
		STAILQ_REMOVE_HEAD(&queue->spare, next);
		queue->spare_count--;
	}
	pthread_mutex_unlock(&queue->mutex);
	if (batch == NULL)
		batch = malloc(sizeof(*batch));
	if (batch == NULL)
		return NULL;
	batch->used = batch->referenced = 0;
	batch->controls = 0;
	return batch;
}

static size_t
batch_held(const struct batch *batch)
{
	return sizeof(*batch) + batch->referenced;
}

void
record_queue_push(struct record_queue *queue, struct batch_list *list)
{
	struct batch *batch;

	STAILQ_FOREACH (batch, list, next) {
		atomic_fetch_add(&queue->held, batch_held(batch));
		atomic_fetch_add(&queue->controls, batch->controls);
	}
	thread_pace_lock(&queue->pace, &queue->mutex);
	STAILQ_CONCAT(&queue->batches, list);
	bool waiting = queue->waiting;
	queue->waiting = false;
	pthread_mutex_unlock(&queue->mutex);
	/* Only a writer that sleeps is woken: while it is busy handing over costs no system call.
	 */
	if (waiting)
		pthread_cond_signal(&queue->wanted);
}

bool
record_queue_take(struct record_queue *queue, struct batch_list *list, unsigned most, int64_t due)
{
	struct batch *batch;

	pthread_mutex_lock(&queue->mutex);
	while (STAILQ_EMPTY(&queue->batches) && !queue->stopping) {
		queue->waiting = true;
		if (due == 0)
			pthread_cond_wait(&queue->wanted, &queue->mutex);
		else if (!thread_wait_until(&queue->wanted, &queue->mutex, due))
			break;
	}
	queue->waiting = false;
	bool more = !STAILQ_EMPTY(&queue->batches) || !queue->stopping;
	while (most-- > 0 && (batch = STAILQ_FIRST(&queue->batches)) != NULL) {
		STAILQ_REMOVE_HEAD(&queue->batches, next);
		STAILQ_INSERT_TAIL(list, batch, next);
	}
	pthread_mutex_unlock(&queue->mutex);
	return more;
}

void
record_queue_give(struct record_queue *queue, struct batch *batch)
{
	atomic_fetch_sub(&queue->controls, batch->controls);
	atomic_fetch_sub(&queue->held, batch_held(batch));
	pthread_mutex_lock(&queue->mutex);
	bool keep = queue->spare_count < SPARE_MAX;
	if (keep) {
		STAILQ_INSERT_HEAD(&queue->spare, batch, next);
		queue->spare_count++;
	}
	pthread_mutex_unlock(&queue->mutex);
	if (!keep)
		free(batch);
}

void
record_queue_finish(struct record_queue *queue, struct finished_list *list)
{
	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&queue->mutex);
	STAILQ_CONCAT(&queue->finished, list);
	pthread_mutex_unlock(&queue->mutex);
}

void
record_queue_free_finished(struct record_queue *queue)
{
	struct finished_list list = STAILQ_HEAD_INITIALIZER(list);
	struct recording *recording;

	thread_pace_lock(&queue->pace, &queue->mutex);
	STAILQ_CONCAT(&list, &queue->finished);
	pthread_mutex_unlock(&queue->mutex);
	while ((recording = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, dirty);
		free(recording);
	}
}

bool
record_queue_full(struct record_queue *queue)
{
	return record_queue_held(queue) > queue->bound ||
	       atomic_load(&queue->controls) > CONTROLS_FULL;
}

bool
record_queue_drained(struct record_queue *queue)
{
	return record_queue_held(queue) < queue->bound / 2 &&
	       atomic_load(&queue->controls) < CONTROLS_FULL / 2;
}

void
record_queue_stop(struct record_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->stopping = true;
	queue->waiting = false;
	pthread_cond_signal(&queue->wanted);
	pthread_mutex_unlock(&queue->mutex);
}

void
record_queue_end(struct record_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->done = true;
	pthread_cond_signal(&queue->ended);
	pthread_mutex_unlock(&queue->mutex);
}

bool
record_queue_ended(struct record_queue *queue, int64_t due)
{
	pthread_mutex_lock(&queue->mutex);
	while (!queue->done && thread_wait_until(&queue->ended, &queue->mutex, due))
		;
	bool done = queue->done;
	pthread_mutex_unlock(&queue->mutex);
	return done;
}
