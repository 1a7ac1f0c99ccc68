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

STAILQ_HEAD(batches, import_batch);

struct import_writer {
	struct log_root *root;
	int index;
	pthread_t thread;
	bool threaded; /* else there could be no thread: who hands over writes */

	/* the caller's */
	struct batches put, taken;
	size_t put_count, put_bytes;

	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work, room;
	struct batches queue, done;
	size_t waiting, waiting_most; /* put and not done */
	bool ending;

	/* set once, by who writes */
	atomic_int error;
	bool error_index;
	char error_path[PATH_MAX];
};

static void
write_failed(struct import_writer *writer, const struct log_writer *log)
{
	int error = errno;

	if (atomic_load(&writer->error) != 0)
		return;
	if (log != NULL)
		log_writer_path(writer->root, log, writer->error_path, sizeof(writer->error_path));
	writer->error_index = log == NULL;
	atomic_store(&writer->error, error);
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
batch_write(struct import_writer *writer, const struct import_batch *batch)
{
	bool failed = atomic_load(&writer->error) != 0;
	struct log_writer *log = batch->log;

	if (log == NULL) {
		if (!failed && lines_write(writer->index, batch->bytes, batch->used) != 0)
			write_failed(writer, NULL);
		return;
	}
	if (!failed && batch->used > 0 &&
	    log_writer_append_encoded(writer->root, log, batch->bytes, batch->used) != 0)
		write_failed(writer, log);
	if (batch->then == BATCH_PARK)
		log_writer_park(log);
	if (batch->then == BATCH_CLOSE && log_writer_close(writer->root, log) != 0)
		write_failed(writer, log);
}

static void *
writer_run(void *argument)
{
	struct import_writer *writer = argument;
	struct import_batch *batch;

	pthread_mutex_lock(&writer->lock);
	for (;;) {
		while ((batch = STAILQ_FIRST(&writer->queue)) == NULL && !writer->ending)
			pthread_cond_wait(&writer->work, &writer->lock);
		if (batch == NULL)
			break;
		STAILQ_REMOVE_HEAD(&writer->queue, next);
		pthread_mutex_unlock(&writer->lock);
		batch_write(writer, batch);
		pthread_mutex_lock(&writer->lock);
		STAILQ_INSERT_TAIL(&writer->done, batch, next);
		if (--writer->waiting == writer->waiting_most / 2 || writer->waiting == 0)
			pthread_cond_signal(&writer->room);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

struct import_writer *
import_writer_new(struct log_root *root, int index, size_t waiting)
{
	struct import_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	writer->root = root;
	writer->index = index;
	writer->waiting_most = waiting > 0 ? waiting : 1;
	STAILQ_INIT(&writer->put);
	STAILQ_INIT(&writer->taken);
	STAILQ_INIT(&writer->queue);
	STAILQ_INIT(&writer->done);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->work, NULL);
	pthread_cond_init(&writer->room, NULL);
	writer->threaded = pthread_create(&writer->thread, NULL, writer_run, writer) == 0;
	return writer;
}

/* Pass on what was put; wait until no more than `most` of it and of what was before is not done. */
static void
writer_pass_on(struct import_writer *writer, size_t most)
{
	struct import_batch *batch;

	if (!writer->threaded) {
		STAILQ_FOREACH (batch, &writer->put, next)
			batch_write(writer, batch);
		STAILQ_CONCAT(&writer->taken, &writer->put);
		writer->put_count = writer->put_bytes = 0;
		return;
	}
	pthread_mutex_lock(&writer->lock);
	STAILQ_CONCAT(&writer->queue, &writer->put);
	writer->waiting += writer->put_count;
	writer->put_count = writer->put_bytes = 0;
	pthread_cond_signal(&writer->work);
	while (writer->waiting > most)
		pthread_cond_wait(&writer->room, &writer->lock);
	STAILQ_CONCAT(&writer->taken, &writer->done);
	pthread_mutex_unlock(&writer->lock);
}

void
import_writer_put(struct import_writer *writer, struct import_batch *batch)
{
	STAILQ_INSERT_TAIL(&writer->put, batch, next);
	writer->put_bytes += batch->used;
	if (++writer->put_count >= (writer->waiting_most + 1) / 2 ||
	    writer->put_bytes >= PASS_ON_BYTES)
		writer_pass_on(writer, writer->waiting_most);
}

struct import_batch *
import_writer_take(struct import_writer *writer)
{
	struct import_batch *batch = STAILQ_FIRST(&writer->taken);

	if (batch != NULL)
		STAILQ_REMOVE_HEAD(&writer->taken, next);
	return batch;
}

void
import_writer_finish(struct import_writer *writer)
{
	writer_pass_on(writer, 0);
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
	if (writer->threaded) {
		pthread_mutex_lock(&writer->lock);
		writer->ending = true;
		pthread_cond_signal(&writer->work);
		pthread_mutex_unlock(&writer->lock);
		pthread_join(writer->thread, NULL);
	}
	pthread_cond_destroy(&writer->room);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}
