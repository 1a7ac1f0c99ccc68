#include "format/netlog/import_writer.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* What is put is passed on together: to wake the thread for each batch costs more than writing it.
 */
#define PASS_ON_BYTES ((size_t)512 * 1024)
#define LANES_MOST 4

STAILQ_HEAD(batches, import_batch);

/* A thread and the batches of its logs; all batches of a log take the same lane. */
struct lane {
	struct import_writer *writer;
	struct log_root *root;
	pthread_t thread;
	bool threaded; /* else there could be no thread: who hands over writes */

	/* the caller's */
	struct batches put;
	size_t put_count, put_bytes;

	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work, room;
	struct batches queue, done;
	size_t waiting; /* put and not done */
	bool ending;
};

struct import_writer {
	int index;
	size_t waiting_most; /* in a lane */
	struct batches taken;
	struct lane lanes[LANES_MOST];
	size_t lane_count;

	/* set once, by who writes */
	pthread_mutex_t error_lock;
	atomic_int error;
	bool error_index;
	char error_path[PATH_MAX];
};

static void
write_failed(struct lane *lane, const struct log_writer *log)
{
	struct import_writer *writer = lane->writer;
	int error = errno;

	pthread_mutex_lock(&writer->error_lock);
	if (atomic_load(&writer->error) == 0) {
		if (log != NULL)
			log_writer_path(
			    lane->root, log, writer->error_path, sizeof(writer->error_path));
		writer->error_index = log == NULL;
		atomic_store(&writer->error, error);
	}
	pthread_mutex_unlock(&writer->error_lock);
}

static int
lines_write(int fd, const uint8_t *at, size_t left)
{
	while (left > 0) {
		ssize_t put = write(fd, at, left);
		if (put < 0 && errno != EINTR)
			return -1;
		if (put > 0) {
			at += put;
			left -= (size_t)put;
		}
	}
	return 0;
}

static void
batch_write(struct lane *lane, const struct import_batch *batch)
{
	bool failed = atomic_load(&lane->writer->error) != 0;
	struct log_writer *log = batch->log;

	if (log == NULL) {
		if (!failed && lines_write(lane->writer->index, batch->bytes, batch->used) != 0)
			write_failed(lane, NULL);
		return;
	}
	if (!failed && batch->used > 0 &&
	    log_writer_append_encoded(lane->root, log, batch->bytes, batch->used) != 0)
		write_failed(lane, log);
	if (batch->then == BATCH_PARK)
		log_writer_park(log);
	if (batch->then == BATCH_CLOSE && log_writer_close(lane->root, log) != 0)
		write_failed(lane, log);
}

static void *
lane_run(void *argument)
{
	struct lane *lane = argument;
	struct import_batch *batch;

	pthread_mutex_lock(&lane->lock);
	for (;;) {
		while ((batch = STAILQ_FIRST(&lane->queue)) == NULL && !lane->ending)
			pthread_cond_wait(&lane->work, &lane->lock);
		if (batch == NULL)
			break;
		STAILQ_REMOVE_HEAD(&lane->queue, next);
		pthread_mutex_unlock(&lane->lock);
		batch_write(lane, batch);
		pthread_mutex_lock(&lane->lock);
		STAILQ_INSERT_TAIL(&lane->done, batch, next);
		if (--lane->waiting == lane->writer->waiting_most / 2 || lane->waiting == 0)
			pthread_cond_signal(&lane->room);
	}
	pthread_mutex_unlock(&lane->lock);
	return NULL;
}

/* Returns 0, or -1 with errno. */
static int
lane_start(struct lane *lane, struct import_writer *writer, const struct log_root *root)
{
	lane->writer = writer;
	lane->root = log_root_again(root);
	if (lane->root == NULL)
		return -1;
	STAILQ_INIT(&lane->put);
	STAILQ_INIT(&lane->queue);
	STAILQ_INIT(&lane->done);
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->work, NULL);
	pthread_cond_init(&lane->room, NULL);
	lane->threaded = pthread_create(&lane->thread, NULL, lane_run, lane) == 0;
	return 0;
}

static void
lane_end(struct lane *lane)
{
	if (lane->threaded) {
		pthread_mutex_lock(&lane->lock);
		lane->ending = true;
		pthread_cond_signal(&lane->work);
		pthread_mutex_unlock(&lane->lock);
		pthread_join(lane->thread, NULL);
	}
	pthread_cond_destroy(&lane->room);
	pthread_cond_destroy(&lane->work);
	pthread_mutex_destroy(&lane->lock);
	log_root_close(lane->root);
}

struct import_writer *
import_writer_new(const struct log_root *root, int index, size_t waiting)
{
	struct import_writer *writer = calloc(1, sizeof(*writer));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t lanes = processors < 1 ? 1 : (size_t)processors;

	if (writer == NULL)
		return NULL;
	if (lanes > LANES_MOST)
		lanes = LANES_MOST;
	writer->index = index;
	writer->waiting_most = waiting / lanes > 0 ? waiting / lanes : 1;
	STAILQ_INIT(&writer->taken);
	pthread_mutex_init(&writer->error_lock, NULL);
	while (writer->lane_count < lanes) {
		if (lane_start(&writer->lanes[writer->lane_count], writer, root) != 0) {
			int error = errno;
			import_writer_free(writer);
			errno = error;
			return NULL;
		}
		writer->lane_count++;
	}
	return writer;
}

/* Pass on what was put; wait until no more than `most` of it and of what was before is not done. */
static void
lane_pass_on(struct lane *lane, size_t most)
{
	struct batches *taken = &lane->writer->taken;
	struct import_batch *batch;

	if (!lane->threaded) {
		STAILQ_FOREACH (batch, &lane->put, next)
			batch_write(lane, batch);
		STAILQ_CONCAT(taken, &lane->put);
		lane->put_count = lane->put_bytes = 0;
		return;
	}
	pthread_mutex_lock(&lane->lock);
	STAILQ_CONCAT(&lane->queue, &lane->put);
	lane->waiting += lane->put_count;
	lane->put_count = lane->put_bytes = 0;
	pthread_cond_signal(&lane->work);
	while (lane->waiting > most)
		pthread_cond_wait(&lane->room, &lane->lock);
	STAILQ_CONCAT(taken, &lane->done);
	pthread_mutex_unlock(&lane->lock);
}

void
import_writer_finish(struct import_writer *writer)
{
	/* none waits for another while it could write */
	for (size_t i = 0; i < writer->lane_count; i++)
		lane_pass_on(&writer->lanes[i], writer->waiting_most);
	for (size_t i = 0; i < writer->lane_count; i++)
		lane_pass_on(&writer->lanes[i], 0);
}

void
import_writer_put(struct import_writer *writer, struct import_batch *batch)
{
	struct lane *lane =
	    &writer->lanes[batch->log == NULL ? 0 : batch->log->n % writer->lane_count];

	if (batch->log == NULL && writer->lane_count > 1)
		import_writer_finish(writer); /* what it tells of is in the other lanes, too */
	STAILQ_INSERT_TAIL(&lane->put, batch, next);
	lane->put_bytes += batch->used;
	if (++lane->put_count >= (writer->waiting_most + 1) / 2 || lane->put_bytes >= PASS_ON_BYTES)
		lane_pass_on(lane, writer->waiting_most);
}

struct import_batch *
import_writer_take(struct import_writer *writer)
{
	struct import_batch *batch = STAILQ_FIRST(&writer->taken);

	if (batch != NULL)
		STAILQ_REMOVE_HEAD(&writer->taken, next);
	return batch;
}

int
import_writer_error(const struct import_writer *writer, const char **path)
{
	int error = atomic_load_explicit(&writer->error, memory_order_acquire);

	if (error != 0)
		*path = writer->error_index ? NULL : writer->error_path;
	return error;
}

void
import_writer_free(struct import_writer *writer)
{
	if (writer == NULL)
		return;
	for (size_t i = 0; i < writer->lane_count; i++)
		lane_end(&writer->lanes[i]);
	pthread_mutex_destroy(&writer->error_lock);
	free(writer);
}
