#include "net/record_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "net/record_writer_state.h"
#include "net/thread.h"

#define MILLISECOND INT64_C(1000000)
#define ROUND_BATCHES                                                                              \
	8 /* batches written together: more make larger writes, fewer give memory back sooner */
#define OPEN_MAX 128 /* log descriptors kept open; service_max_relays() leaves room for them */
#define OPEN_MIN 4
#define PARK_AFTER (500 * MILLISECOND)
#define PARK_TOGETHER (100 * MILLISECOND) /* one wake-up for those that are due soon */
#define COMMAND_TICK (10 * MILLISECOND)

/* -- rounds -- */

static void
writer_part_done(void *context, const char *path, uint64_t size)
{
	struct record_writer *writer = context;
	struct log_part part = {
	    .n = writer->writing->n, .size = size, .part = writer->writing->part};

	record_keep_count(&writer->keep, &part);
	if (writer->runner != NULL)
		runner_add(writer->runner, path, &part);
	else
		record_keep_add(&writer->keep, &part);
}

static void
writer_command_ended(void *context, const struct log_part *part)
{
	struct record_writer *writer = context;

	record_keep_add(&writer->keep, part);
}

/* Sort the operations by recording, in the order in which recordings are met. */
static void
writer_distribute(struct record_writer *writer, struct batch *batch)
{
	struct op *op;

	for (size_t at = 0; at < batch->used;) {
		op = (struct op *)(void *)(batch->arena + at);
		struct recording *recording = op->recording;
		op->next = NULL;
		if (recording->first == NULL) {
			STAILQ_INSERT_TAIL(&writer->dirty, recording, dirty);
			recording->last = &recording->first;
		}
		*recording->last = op;
		recording->last = &op->next;
		at += op_room(op->behind);
	}
}

/* Compression must never hold up the traffic: the fuller the queue, the less of it. */
static void
writer_adapt_level(struct record_writer *writer)
{
	size_t held = record_queue_held(writer->queue);
	int level = writer->level;

	if (writer->gzip_level == 0)
		return;
	if (held > writer->queue->bound / 2)
		level = 0;
	else if (held > writer->queue->bound / 4)
		level = level > 1 ? 1 : level;
	else if (held < writer->queue->bound / 16)
		level = writer->gzip_level;
	if (level != writer->level)
		log_root_set_level(writer->root, level);
	writer->level = level;
}

static void
writer_give_back(struct record_writer *writer, struct batch_list *list)
{
	struct record_queue *queue = writer->queue;
	struct batch *batch;

	record_queue_finish(queue, &writer->finished);
	while ((batch = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		record_queue_give(queue, batch);
	}
	size_t held = record_queue_held(queue);
	atomic_store_explicit(
	    &writer->metrics->counters[COUNTER_LOG_QUEUE], held, memory_order_relaxed);
	if (atomic_load(&queue->drain_wanted) && record_queue_drained(queue) &&
	    atomic_exchange(&queue->drain_wanted, false))
		loop_wake(writer->loop);
}

static void
writer_round(struct record_writer *writer, struct batch_list *list)
{
	struct batch *batch;
	struct recording *recording;

	STAILQ_FOREACH (batch, list, next) {
		writer_distribute(writer, batch);
	}
	writer_adapt_level(writer);
	while ((recording = STAILQ_FIRST(&writer->dirty)) != NULL) {
		STAILQ_REMOVE_HEAD(&writer->dirty, dirty);
		recording_write(writer, recording);
	}
	writer_give_back(writer, list);
}

/* What is done after a round, or when it is due. */
static void
writer_keep_house(struct record_writer *writer, bool last)
{
	record_index_flush(&writer->index, writer->now, last);
	if (writer->runner != NULL)
		runner_tick(writer->runner);
	record_keep_enforce(&writer->keep);
	writer_park_idle(writer, writer->now - PARK_AFTER + PARK_TOGETHER);
	uint64_t rest = notice_ration_rest(&writer->ration, last ? INT64_MAX : writer->now);
	if (rest > 0)
		notice(NOTICE_ERROR, "%" PRIu64 " more messages about lost logs", rest);
}

static int64_t
earlier(int64_t one, int64_t other)
{
	return one == 0 || (other != 0 && other < one) ? other : one;
}

/* When there is something to do without a new batch; 0: never. */
static int64_t
writer_due(const struct record_writer *writer)
{
	const struct recording *oldest = TAILQ_FIRST(&writer->recent);
	int64_t due = 0;

	if (oldest != NULL)
		due = oldest->touched + PARK_AFTER;
	if (writer->index.used > 0)
		due = earlier(due, writer->index.retry != 0 ? writer->index.retry : writer->now);
	if (writer->runner != NULL && runner_busy(writer->runner))
		due = earlier(due, writer->now + COMMAND_TICK);
	if (writer->ration.withheld > 0)
		due = earlier(due, writer->now + 1000 * MILLISECOND);
	return due;
}

/* Logs are opened and closed by this thread alone. */
static void
writer_own_descriptors(const struct record_writer *writer)
{
	int keep[] = {log_root_descriptor(writer->root), writer->index.fd, notice_descriptor(),
	    loop_wake_descriptor(writer->loop)};

	thread_own_descriptors(keep, sizeof(keep) / sizeof(keep[0]));
}

static void *
writer_run(void *argument)
{
	struct record_writer *writer = argument;
	struct batch_list list = STAILQ_HEAD_INITIALIZER(list);

	writer_own_descriptors(writer);
	thread_pace_begin(&writer->queue->pace);
	while (record_queue_take(writer->queue, &list, ROUND_BATCHES, writer_due(writer))) {
		writer->now = thread_clock();
		writer_round(writer, &list);
		writer_keep_house(writer, false);
		if (record_queue_held(writer->queue) == 0)
			thread_pace_rest(&writer->queue->pace, writer->now);
	}
	writer_keep_house(writer, true);
	int64_t until = thread_clock() + writer->exec_grace;
	while (writer->runner != NULL && runner_busy(writer->runner)) {
		if (thread_clock() >= until) {
			runner_abandon(writer->runner);
			break;
		}
		nanosleep(&(struct timespec){.tv_nsec = COMMAND_TICK}, NULL);
		writer_keep_house(writer, true);
		/* a command may take its time */
		atomic_fetch_add_explicit(&writer->queue->progress, 1, memory_order_relaxed);
	}
	if (writer->index.used > 0)
		notice(NOTICE_ERROR,
		    "%s_index.jsonl: cannot be written: the last connections are missing",
		    writer->index.root);
	writer_park_idle(writer, INT64_MAX);
	record_queue_end(writer->queue);
	return NULL;
}

/* -- life -- */

/* Twelve digits that tell this run from others. */
static void
run_name(char run[INDEX_RUN_MAX])
{
	unsigned char random[6];

	arc4random_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(run + 2 * i, 3, "%02x", random[i]);
}

static unsigned
descriptors_allowed(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 4 > OPEN_MAX)
		return OPEN_MAX;
	return limit.rlim_cur / 4 > OPEN_MIN ? (unsigned)(limit.rlim_cur / 4) : OPEN_MIN;
}

struct record_writer *
record_writer_new(const struct recorder_config *config, struct record_queue *queue,
    struct loop *loop, int64_t epoch)
{
	struct record_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	writer->queue = queue;
	writer->loop = loop;
	writer->metrics = config->metrics;
	writer->lost = config->lost;
	writer->lost_context = config->lost_context;
	writer->epoch = epoch;
	writer->stall = config->stall;
	writer->exec_grace = config->exec_grace;
	writer->close_on_error = config->close_on_error;
	writer->gzip_level = writer->level = config->gzip_level;
	writer->open_max = descriptors_allowed();
	writer->index.fd = -1;
	STAILQ_INIT(&writer->dirty);
	STAILQ_INIT(&writer->finished);
	TAILQ_INIT(&writer->recent);
	STAILQ_INIT(&writer->keep.parts);
	run_name(writer->run);
	writer->root = log_root_open(&(struct log_root_config){.root = config->root,
	    .gzip_level = config->gzip_level,
	    .rotate_size = config->rotate_size,
	    .part_done = writer_part_done,
	    .context = writer});
	if (writer->root == NULL) {
		notice(NOTICE_ERROR, "logroot %s: %s", config->root, strerror(errno));
		goto failed;
	}
	record_keep_init(&writer->keep, writer->root, config->keep_size);
	if (!config->no_index && record_index_open(&writer->index, writer->root, config->root) != 0)
		goto failed;
	if (config->exec != NULL) {
		writer->runner = runner_new(config->exec, writer_command_ended, writer);
		if (writer->runner == NULL) {
			notice(NOTICE_ERROR, "%s: %s", config->exec, strerror(errno));
			goto failed;
		}
	}
	return writer;
failed:
	record_writer_free(writer);
	return NULL;
}

int
record_writer_start(struct record_writer *writer)
{
	return thread_start(&writer->thread, writer_run, writer);
}

void
record_writer_join(struct record_writer *writer)
{
	pthread_join(writer->thread, NULL);
}

bool
record_writer_index_complete(const struct record_writer *writer)
{
	return writer->index.used == 0 && !writer->index.lacks;
}

void
record_writer_free(struct record_writer *writer)
{
	if (writer == NULL)
		return;
	int error = errno;
	runner_free(writer->runner);
	record_keep_release(&writer->keep);
	record_index_close(&writer->index);
	log_root_close(writer->root);
	free(writer);
	errno = error;
}
