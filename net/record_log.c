#include "net/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/record_writer_state.h"
#include "net/thread.h"

#define RETRY_PAUSE INT64_C(5000000)

/* -- descriptors -- */

static void
writer_park(struct record_writer *writer, struct recording *recording)
{
	log_writer_park(&recording->log);
	if (!recording->is_recent)
		return;
	TAILQ_REMOVE(&writer->recent, recording, recent);
	recording->is_recent = false;
	writer->open_count--;
}

static void
writer_touch(struct record_writer *writer, struct recording *recording)
{
	if (recording->log.fd < 0)
		return;
	recording->touched = writer->now;
	if (recording->is_recent)
		TAILQ_REMOVE(&writer->recent, recording, recent);
	else
		writer->open_count++;
	recording->is_recent = true;
	TAILQ_INSERT_TAIL(&writer->recent, recording, recent);
	while (writer->open_count > writer->open_max)
		writer_park(writer, TAILQ_FIRST(&writer->recent));
}

void
writer_park_idle(struct record_writer *writer, int64_t before)
{
	struct recording *oldest;

	while ((oldest = TAILQ_FIRST(&writer->recent)) != NULL && oldest->touched <= before)
		writer_park(writer, oldest);
}

/*
 * After a failure: is it for want of descriptors, and may it be tried again? Parks half of the
 * logs, or waits a little for others to be closed; `*give_up` is 0 at first.
 */
static bool
writer_find_descriptor(struct record_writer *writer, int64_t *give_up)
{
	int error = errno;

	if (error != EMFILE && error != ENFILE)
		return false;
	if (writer->open_count > 0) {
		for (unsigned i = (writer->open_count + 1) / 2; i > 0; i--)
			writer_park(writer, TAILQ_FIRST(&writer->recent));
		return true;
	}
	int64_t now = thread_clock();
	if (*give_up == 0)
		*give_up = now + writer->stall;
	if (now >= *give_up) {
		errno = error;
		return false;
	}
	nanosleep(&(struct timespec){.tv_nsec = RETRY_PAUSE}, NULL);
	return true;
}

/* -- one recording -- */

static void
recording_drop(struct record_writer *writer, struct recording *recording, uint64_t bytes)
{
	recording->dropped += bytes;
	metrics_add(writer->metrics, COUNTER_LOST_BYTES, (int64_t)bytes);
}

/* Have the loop close the connection. */
static void
recording_report(struct record_writer *writer, struct recording *recording)
{
	pthread_mutex_lock(&writer->queue->mutex);
	recording->is_reported = true;
	SLIST_INSERT_HEAD(&writer->queue->failed, recording, next_failed);
	pthread_mutex_unlock(&writer->queue->mutex);
	loop_wake(writer->loop);
}

/* The log ends for good at its last whole record. */
static void
recording_fail(struct record_writer *writer, struct recording *recording, int error)
{
	char path[PATH_MAX];

	atomic_store_explicit(&recording->failed, true, memory_order_relaxed);
	writer_park(writer, recording);
	metrics_add(writer->metrics, COUNTER_LOG_FAILURES, 1);
	if (notice_ration_take(&writer->ration, writer->now))
		notice(NOTICE_ERROR,
		    "%s: %s: log ends after %" PRIu64 " bytes, what follows is lost",
		    log_writer_path(writer->root, &recording->log, path, sizeof(path)),
		    strerror(error), recording->log.part_size);
	if (writer->lost != NULL)
		writer->lost(writer->lost_context);
	if (writer->close_on_error)
		recording_report(writer, recording);
}

static void
recording_create(struct record_writer *writer, struct recording *recording)
{
	int64_t give_up = 0;
	int result;

	if (writer->looked != writer->now)
		record_index_look(&writer->index, writer->root);
	writer->looked = writer->now;
	do
		result = log_writer_create(writer->root, &recording->log);
	while (result != 0 && writer_find_descriptor(writer, &give_up));
	int error = errno;
	recording->is_created = result == 0;
	atomic_store_explicit(&recording->number, recording->log.n, memory_order_relaxed);
	if (result != 0)
		recording_fail(writer, recording, error);
}

/* Append the first `count` of the writer's entries. */
static void
recording_append(struct record_writer *writer, struct recording *recording, size_t count)
{
	bool failed = atomic_load_explicit(&recording->failed, memory_order_relaxed);
	size_t written = 0;
	size_t n;
	uint64_t bytes = 0;
	int64_t give_up = 0;
	int result = 0;

	if (count == 0)
		return;
	if (!failed) {
		writer->writing = &recording->log;
		writer->keep.current -= recording->log.part_size;
		do {
			result = log_writer_append(writer->root, &recording->log,
			    writer->entries + written, count - written, &n);
			written += n;
		} while (result != 0 && writer_find_descriptor(writer, &give_up));
		int error = errno;
		writer->keep.current += recording->log.part_size;
		for (size_t i = 0; i < written; i++)
			bytes += writer->entries[i].record.size;
		metrics_add(writer->metrics, COUNTER_RECORDED_BYTES, (int64_t)bytes);
		if (result != 0)
			recording_fail(writer, recording, error);
	}
	for (bytes = 0; written < count; written++)
		bytes += writer->entries[written].record.size;
	if (bytes > 0)
		recording_drop(writer, recording, bytes);
	atomic_fetch_add_explicit(&writer->queue->progress, 1, memory_order_relaxed);
}

/* What `op` is in the log. */
static struct log_entry
op_entry(const struct record_writer *writer, struct op *op)
{
	static const enum record_type types[] = {[OP_OPEN] = RECORD_CON,
	    [OP_DATA] = RECORD_DATA,
	    [OP_SLICE] = RECORD_DATA,
	    [OP_HUP] = RECORD_HUP,
	    [OP_ERR] = RECORD_ERR};
	struct log_entry entry = {.record = {.side = (enum side)op->side,
				      .type = types[op->kind],
				      .time = op->time - writer->epoch,
				      .size = op->size}};

	if (op->kind == OP_DATA)
		entry.data = op_payload(op);
	else if (op->kind == OP_SLICE)
		entry.data = ((struct slice *)op_payload(op))->data;
	return entry;
}

/* Write the operations from `from` to before `to` (NULL: all), and give up their slices. */
static void
recording_flush(struct record_writer *writer, struct recording *recording, struct op *from,
    struct op *to, size_t count)
{
	recording_append(writer, recording, count);
	for (; from != to; from = from->next)
		if (from->kind == OP_SLICE)
			slice_drop(op_payload(from));
}

static struct index_entry *
writer_entry(struct record_writer *writer, const struct recording *recording,
    const struct op_open *peers, int64_t opened, struct index_entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->n = recording->log.n;
	log_root_name(writer->root, entry->n, 0, entry->log, sizeof(entry->log));
	memcpy(entry->run, writer->run, sizeof(entry->run));
	entry->start = recording->wall + opened;
	entry->time = opened - writer->epoch;
	address_format(&peers->client, entry->client);
	address_format(&peers->server, entry->server);
	entry->scripted = peers->scripted;
	return entry;
}

static void
end_format(const struct op_close *close, char text[INDEX_END_MAX])
{
	if (close->reason == CLOSE_REFUSED)
		strlcpy(text, "refused", INDEX_END_MAX);
	else if (close->reason == CLOSE_KILLED)
		strlcpy(text, "killed", INDEX_END_MAX);
	else if (close->end_type != 0)
		snprintf(text, INDEX_END_MAX, "%c %s", side_letter((enum side)close->end_side),
		    record_type_name((enum record_type)close->end_type));
}

/* Whose it is to free is said in recording.h. */
static void
recording_release(struct record_writer *writer, struct recording *recording)
{
	bool keep = false;

	if (writer->close_on_error) {
		pthread_mutex_lock(&writer->queue->mutex);
		recording->finished = true;
		keep = recording->is_reported;
		pthread_mutex_unlock(&writer->queue->mutex);
	}
	if (!keep)
		STAILQ_INSERT_TAIL(&writer->finished, recording, dirty);
}

/* close(2) has failed: the file system may have lost what it had taken. */
static void
recording_say_unclosed(struct record_writer *writer, const char *path, int error)
{
	metrics_add(writer->metrics, COUNTER_LOG_FAILURES, 1);
	if (notice_ration_take(&writer->ration, writer->now))
		notice(NOTICE_ERROR, "%s: %s", path, strerror(error));
}

static void
recording_close(struct record_writer *writer, struct recording *recording, struct op *op)
{
	const struct op_close *closing = op_payload(op);
	struct index_entry entry;
	char path[PATH_MAX];

	writer_entry(writer, recording, &closing->peers, closing->opened, &entry);
	entry.closed = true;
	entry.duration = op->time - closing->opened;
	entry.connect = closing->connected > 0 ? closing->connected - closing->opened : -1;
	memcpy(entry.bytes, closing->bytes, sizeof(entry.bytes));
	end_format(closing, entry.end);
	if (recording->is_recent) {
		TAILQ_REMOVE(&writer->recent, recording, recent);
		writer->open_count--;
	}
	log_writer_path(writer->root, &recording->log, path, sizeof(path));
	if (recording->is_created) {
		writer->writing = &recording->log;
		writer->keep.current -= recording->log.part_size;
		if (log_writer_close(writer->root, &recording->log) != 0)
			recording_say_unclosed(writer, path, errno);
	}
	entry.lost = recording->dropped + closing->lost;
	if (entry.lost > 0 && notice_ration_take(&writer->ration, writer->now))
		notice(NOTICE_ERROR, "%s: closed, %" PRIu64 " bytes were lost", path, entry.lost);
	record_index_add(&writer->index, &entry, writer->now);
	recording_release(writer, recording);
}

/* Write all that the round has for one recording. */
void
recording_write(struct record_writer *writer, struct recording *recording)
{
	struct op *from = recording->first;
	struct op *opening = NULL;
	struct op *closing = NULL;
	struct index_entry entry;
	size_t count = 0;

	recording->first = NULL;
	for (struct op *op = from; op != NULL; op = op->next) {
		if (count == ENTRIES_MAX) {
			recording_flush(writer, recording, from, op, count);
			from = op;
			count = 0;
		}
		if (op->kind == OP_OPEN) {
			opening = op;
			recording_create(writer, recording);
		}
		if (op->kind == OP_CLOSE)
			closing = op;
		else
			writer->entries[count++] = op_entry(writer, op);
	}
	recording_flush(writer, recording, from, NULL, count);
	if (opening != NULL)
		record_index_add(&writer->index,
		    writer_entry(writer, recording, op_payload(opening), opening->time, &entry),
		    writer->now);
	if (closing != NULL)
		recording_close(writer, recording, closing);
	else
		writer_touch(writer, recording);
}
