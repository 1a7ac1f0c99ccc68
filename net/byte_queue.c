#include "net/byte_queue.h"

#include <stdlib.h>

#include "net/thread.h"

#define NO_GAP UINT64_MAX

int
byte_queue_init(struct byte_queue *queue, size_t size)
{
	*queue = (struct byte_queue){.size = size, .gap = NO_GAP};
	queue->bytes = malloc(size);
	if (queue->bytes == NULL)
		return -1;
	if (thread_condition_init(&queue->wanted) != 0)
		goto free_bytes;
	if (thread_condition_init(&queue->ended) != 0)
		goto destroy_wanted;
	pthread_mutex_init(&queue->mutex, NULL);
	return 0;
destroy_wanted:
	pthread_cond_destroy(&queue->wanted);
free_bytes:
	free(queue->bytes);
	return -1;
}

void
byte_queue_release(struct byte_queue *queue)
{
	pthread_cond_destroy(&queue->wanted);
	pthread_cond_destroy(&queue->ended);
	pthread_mutex_destroy(&queue->mutex);
	free(queue->bytes);
}

/* The beginning of the ring's next turn. */
static uint64_t
turn_after(const struct byte_queue *queue, uint64_t position)
{
	return (position + queue->size - 1) / queue->size * queue->size;
}

unsigned char *
byte_queue_reserve(struct byte_queue *queue, size_t need)
{
	uint64_t head;
	bool fits;

	pthread_mutex_lock(&queue->mutex);
	/* an empty ring is filled from its beginning, whose memory is in the cache */
	if (queue->tail == queue->head)
		queue->head = queue->committed = queue->tail = turn_after(queue, queue->head);
	head = queue->head;
	if (head % queue->size + need > queue->size)
		head = turn_after(queue, head);
	fits = head + need - queue->tail <= queue->size;
	if (fits && head != queue->head) {
		queue->gap = queue->head;
		queue->head = head;
	}
	pthread_mutex_unlock(&queue->mutex);
	return fits ? queue->bytes + head % queue->size : NULL;
}

void
byte_queue_add(struct byte_queue *queue, size_t size)
{
	queue->head += size;
}

void
byte_queue_commit(struct byte_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->committed = queue->head;
	bool waiting = queue->waiting;
	queue->waiting = false;
	pthread_mutex_unlock(&queue->mutex);
	if (waiting)
		pthread_cond_signal(&queue->wanted);
}

void
byte_queue_stop(struct byte_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->committed = queue->head;
	queue->stopping = true;
	pthread_cond_signal(&queue->wanted);
	pthread_mutex_unlock(&queue->mutex);
}

bool
byte_queue_ended(struct byte_queue *queue, int64_t due)
{
	pthread_mutex_lock(&queue->mutex);
	while (!queue->done && thread_wait_until(&queue->ended, &queue->mutex, due))
		;
	bool done = queue->done;
	pthread_mutex_unlock(&queue->mutex);
	return done;
}

uint64_t
byte_queue_progress(struct byte_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	uint64_t tail = queue->tail;
	pthread_mutex_unlock(&queue->mutex);
	return tail;
}

const unsigned char *
byte_queue_take(struct byte_queue *queue, size_t *size)
{
	const unsigned char *bytes;
	uint64_t end;

	pthread_mutex_lock(&queue->mutex);
	if (queue->tail == queue->gap)
		queue->tail = turn_after(queue, queue->tail);
	while (queue->committed <= queue->tail && !queue->stopping) {
		queue->waiting = true;
		pthread_cond_wait(&queue->wanted, &queue->mutex);
		if (queue->tail == queue->gap)
			queue->tail = turn_after(queue, queue->tail);
	}
	end = queue->gap > queue->tail && queue->gap < queue->committed ? queue->gap
									: queue->committed;
	if (end > turn_after(queue, queue->tail + 1))
		end = turn_after(queue, queue->tail + 1);
	*size = end > queue->tail ? (size_t)(end - queue->tail) : 0;
	bytes = *size > 0 ? queue->bytes + queue->tail % queue->size : NULL;
	pthread_mutex_unlock(&queue->mutex);
	return bytes;
}

void
byte_queue_give(struct byte_queue *queue, size_t size)
{
	pthread_mutex_lock(&queue->mutex);
	queue->tail += size;
	pthread_mutex_unlock(&queue->mutex);
}

void
byte_queue_end(struct byte_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->done = true;
	pthread_cond_signal(&queue->ended);
	pthread_mutex_unlock(&queue->mutex);
}
