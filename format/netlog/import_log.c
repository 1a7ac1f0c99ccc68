#include "format/netlog/import_log.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#include "format/netlog/import_writer.h"
#include "format/netlog/netlog.h"
#include "format/netlog/text.h"

#define GZIP_LEVEL 6
#define OPEN_MOST 256	/* logs with a descriptor, */
#define OPEN_SHARE 4	/* and no more than that part of what is allowed */
#define WAITING_MOST 64 /* batches that the writer has yet to write */
#define BATCH_FIRST ((size_t)4096)
#define BATCH_MOST ((size_t)64 * 1024) /* then it is handed over, unless one record is larger */
#define MEMORY_MOST ((size_t)64 << 20) /* of all batches that are being filled */
#define LINE_MOST 4096
#define LINES_ROOM ((size_t)1 << 20) /* seldom handed over: all else is written before */

struct import_log {
	struct log_writer writer;	 /* but for its number the writer's, until all is written */
	TAILQ_ENTRY(import_log) open;	 /* while it has a descriptor, when all is written */
	TAILQ_ENTRY(import_log) waiting; /* while it has a batch */
	struct import_batch *batch;	 /* being filled, or NULL */
	size_t room;			 /* of the next one */
	size_t last_at;			 /* where in the batch `last` begins */
	struct record last;		 /* if the batch is not empty */
	char run[INDEX_RUN_MAX];
	bool opened;
	bool finished; /* what is to become of it, and what has */
	bool forgotten, closed;
};

struct import_root {
	const char *name;
	struct log_root *root;
	struct import_writer *writer;
	char run[INDEX_RUN_MAX]; /* of logs that are opened now */
	int index;
	bool failed;
	TAILQ_HEAD(import_logs, import_log) open, waiting; /* first what was longest */
	size_t open_count, open_most;
	size_t memory;
	struct import_batch *lines;	   /* of the index */
	STAILQ_HEAD(, import_batch) spare; /* of BATCH_MOST */
	size_t spare_count;
	char path[PATH_MAX];
};

void
import_root_new_run(struct import_root *root)
{
	uint64_t random;

	arc4random_buf(&random, sizeof(random));
	snprintf(root->run, INDEX_RUN_MAX, "%012llx", (unsigned long long)(random >> 16));
}

static size_t
descriptors_allowed(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / OPEN_SHARE > OPEN_MOST)
		return OPEN_MOST;
	return limit.rlim_cur > OPEN_SHARE ? (size_t)limit.rlim_cur / OPEN_SHARE : 1;
}

struct import_root *
import_root_open(const char *name, bool gzip)
{
	const struct log_root_config config = {.root = name, .gzip_level = gzip ? GZIP_LEVEL : 0};
	struct import_root *root = calloc(1, sizeof(*root));

	if (root == NULL) {
		warn(NULL);
		return NULL;
	}
	root->name = name;
	import_root_new_run(root);
	root->open_most = descriptors_allowed();
	TAILQ_INIT(&root->open);
	TAILQ_INIT(&root->waiting);
	STAILQ_INIT(&root->spare);
	root->root = log_root_open(&config);
	if (root->root == NULL) {
		warn("%s", text_name(name));
		goto free_root;
	}
	root->index = log_root_continue_index(root->root);
	if (root->index < 0) {
		warn("%s: index", text_name(name));
		goto close_root;
	}
	/* logs that wait to be closed have descriptors too */
	root->writer = import_writer_new(root->root, root->index,
	    root->open_most < WAITING_MOST ? root->open_most : WAITING_MOST);
	if (root->writer != NULL)
		return root;
	warn(NULL);
	close(root->index);
close_root:
	log_root_close(root->root);
free_root:
	free(root);
	return NULL;
}

bool
import_root_failed(struct import_root *root)
{
	const char *path;
	int error = root->failed ? 0 : import_writer_error(root->writer, &path);

	if (error != 0) {
		if (path != NULL)
			warnx("%s: %s", text_name(path), strerror(error));
		else
			warnx("%s: index: %s", text_name(root->name), strerror(error));
		root->failed = true;
	}
	return root->failed;
}

const char *
import_log_name(struct import_root *root, const struct import_log *log)
{
	return text_name(log_writer_path(root->root, &log->writer, root->path, PATH_MAX));
}

static void
log_failed(struct import_root *root, const struct import_log *log)
{
	int error = errno;

	if (!import_root_failed(root))
		warnx("%s: %s", import_log_name(root, log), strerror(error));
	root->failed = true;
}

/* -- batches -- */

static struct import_batch *
batch_new(struct import_root *root, size_t room)
{
	struct import_batch *batch = STAILQ_FIRST(&root->spare);

	if (room == BATCH_MOST && batch != NULL) {
		STAILQ_REMOVE_HEAD(&root->spare, next);
		root->spare_count--;
	} else {
		batch = malloc(sizeof(*batch) + room);
	}
	if (batch == NULL)
		return NULL;
	batch->log = NULL;
	batch->then = BATCH_KEEP;
	batch->used = 0;
	batch->room = room;
	return batch;
}

/* Take back what was written. */
static void
batches_take(struct import_root *root)
{
	struct import_batch *batch;

	while ((batch = import_writer_take(root->writer)) != NULL) {
		if (batch->then == BATCH_CLOSE) {
			struct import_log *log = (struct import_log *)batch->log;
			log->closed = true;
			if (log->forgotten)
				free(log);
		}
		if (batch->room == BATCH_MOST && root->spare_count < WAITING_MOST) {
			/* the last one used is still in the cache */
			STAILQ_INSERT_HEAD(&root->spare, batch, next);
			root->spare_count++;
		} else {
			free(batch);
		}
	}
}

static void
batch_put(struct import_root *root, struct import_batch *batch)
{
	import_writer_put(root->writer, batch);
	batches_take(root);
}

/* -- logs -- */

/* Take the batch from the log, an empty one if it has none. Returns NULL with errno. */
static struct import_batch *
log_take_batch(struct import_root *root, struct import_log *log)
{
	struct import_batch *batch = log->batch;

	if (batch == NULL) {
		batch = batch_new(root, 0);
	} else {
		TAILQ_REMOVE(&root->waiting, log, waiting);
		root->memory -= batch->room;
		log->batch = NULL;
		for (log->room = BATCH_FIRST; log->room < batch->used && log->room < BATCH_MOST;)
			log->room *= 2;
	}
	if (batch != NULL)
		batch->log = &log->writer;
	return batch;
}

static void
log_shut(struct import_root *root, struct import_log *log)
{
	if (log->opened) {
		TAILQ_REMOVE(&root->open, log, open);
		root->open_count--;
	}
	log->opened = false;
}

/* It has a descriptor, or will have when what was handed over is written. */
static void
log_opened(struct import_root *root, struct import_log *log)
{
	log_shut(root, log);
	TAILQ_INSERT_TAIL(&root->open, log, open);
	log->opened = true;
	if (++root->open_count > root->open_most) {
		struct import_log *first = TAILQ_FIRST(&root->open);
		struct import_batch *batch = batch_new(root, 0);
		if (batch == NULL) /* one descriptor more, then */
			return;
		log_shut(root, first);
		batch->log = &first->writer;
		batch->then = BATCH_PARK;
		batch_put(root, batch);
	}
}

/* Hand over what it has. */
static void
log_flush(struct import_root *root, struct import_log *log)
{
	if (log->batch == NULL)
		return;
	log_opened(root, log);
	batch_put(root, log_take_batch(root, log));
}

/* Of the logs that wait the longest, write what they have. */
static void
memory_bound(struct import_root *root, const struct import_log *except)
{
	struct import_log *log;

	while (root->memory > MEMORY_MOST && (log = TAILQ_FIRST(&root->waiting)) != except)
		log_flush(root, log);
}

static void
line_add(struct import_root *root, const struct index_entry *entry)
{
	struct import_batch *lines = root->lines;

	if (lines != NULL && lines->room - lines->used < LINE_MOST) {
		batch_put(root, lines);
		lines = NULL;
	}
	if (lines == NULL)
		lines = batch_new(root, LINES_ROOM);
	root->lines = lines;
	if (lines != NULL)
		lines->used += index_encode(
		    entry, (char *)lines->bytes + lines->used, lines->room - lines->used);
	else if (!import_root_failed(root))
		warn("%s: index", text_name(root->name));
	root->failed |= lines == NULL;
}

/* What a line of the index says of the log itself. */
static void
line_log(struct import_root *root, const struct import_log *log, struct index_entry *entry)
{
	entry->n = log->writer.n;
	strlcpy(entry->run, log->run, sizeof(entry->run));
	log_root_name(root->root, log->writer.n, 0, entry->log, sizeof(entry->log));
	line_add(root, entry);
}

struct import_log *
import_log_open(struct import_root *root, struct index_entry *entry)
{
	struct import_log *log = import_root_failed(root) ? NULL : calloc(1, sizeof(*log));

	if (log == NULL) {
		if (!root->failed)
			warn(NULL);
		root->failed = true;
		return NULL;
	}
	if (log_writer_create(root->root, &log->writer) != 0) {
		log_failed(root, log);
		free(log);
		return NULL;
	}
	log->room = BATCH_FIRST;
	memcpy(log->run, root->run, sizeof(log->run));
	log_opened(root, log);
	line_log(root, log, entry);
	return log;
}

/* -- records -- */

/* Do `size` more bytes belong into the batch that it has? */
static bool
batch_fits(const struct import_log *log, size_t size)
{
	return log->batch != NULL && log->batch->used + size <= BATCH_MOST;
}

/* Begin a batch for at least `size` bytes. */
static int
batch_begin(struct import_root *root, struct import_log *log, size_t size)
{
	size_t room = log->room;

	while (room < size && room < BATCH_MOST)
		room *= 2;
	log->batch = batch_new(root, room < size ? size : room);
	if (log->batch == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&root->waiting, log, waiting);
	root->memory += log->batch->room;
	return 0;
}

/* Make the batch large enough for `size` more bytes, which fit. */
static int
batch_grow(struct import_root *root, struct import_log *log, size_t size)
{
	size_t room = log->batch->room;
	struct import_batch *batch;

	while (room < log->batch->used + size)
		room *= 2;
	batch = realloc(log->batch, sizeof(*batch) + room);
	if (batch == NULL)
		return -1;
	root->memory += room - batch->room;
	batch->room = room;
	log->batch = batch;
	return 0;
}

/* Have room for `size` more bytes. Returns 0, or -1 with errno. */
static int
log_reserve(struct import_root *root, struct import_log *log, size_t size)
{
	if (log->batch != NULL && log->batch->room - log->batch->used >= size)
		return 0;
	if (!batch_fits(log, size))
		log_flush(root, log);
	if ((log->batch == NULL ? batch_begin : batch_grow)(root, log, size) != 0)
		return -1;
	memory_bound(root, log);
	return 0;
}

/* Is it data that can join the last record? */
static bool
record_joins(const struct import_log *log, const struct record *record)
{
	const struct record *last = &log->last;

	return record->type == RECORD_DATA &&
	       batch_fits(log, RECORD_HEADER_MAX + (size_t)record->size) &&
	       last->type == RECORD_DATA && last->side == record->side &&
	       last->time / 1000 == record->time / 1000;
}

/* Add data to the last record, whose header may become longer for that; the room is there. */
static void
record_join(struct import_log *log, const uint8_t *data, size_t size)
{
	uint8_t *record = log->batch->bytes + log->last_at;
	size_t payload = (size_t)log->last.size, length;
	char header[RECORD_HEADER_MAX];

	log->last.size += size;
	length = record_encode(&log->last, header);
	memmove(record + length, log->batch->bytes + log->batch->used - payload, payload);
	memcpy(record, header, length);
	memcpy(record + length + payload, data, size);
	log->batch->used = log->last_at + length + payload + size;
}

void
import_log_append(struct import_root *root, struct import_log *log, const struct record *record,
    const uint8_t *data)
{
	size_t size = (size_t)record->size;
	bool joins = record_joins(log, record);
	struct import_batch *batch;

	if (import_root_failed(root))
		return;
	if (log_reserve(root, log, RECORD_HEADER_MAX + size) != 0) {
		log_failed(root, log);
		return;
	}
	if (joins) {
		record_join(log, data, size);
		return;
	}
	batch = log->batch;
	log->last = *record;
	log->last_at = batch->used;
	batch->used += record_encode(record, (char *)batch->bytes + batch->used);
	if (size > 0)
		memcpy(batch->bytes + batch->used, data, size);
	batch->used += size;
}

void
import_log_finish(struct import_root *root, struct import_log *log)
{
	struct import_batch *batch;

	if (log->finished)
		return;
	batch = log_take_batch(root, log);
	if (batch == NULL) { /* its descriptor is closed when the process ends */
		log_failed(root, log);
		return;
	}
	log->finished = true;
	log_shut(root, log);
	batch->then = BATCH_CLOSE;
	batch_put(root, batch);
}

void
import_log_close(struct import_root *root, struct import_log *log, struct index_entry *entry)
{
	import_log_finish(root, log);
	line_log(root, log, entry);
	log->forgotten = true;
	if (log->closed || !log->finished)
		free(log);
}

int
import_root_close(struct import_root *root)
{
	struct import_batch *batch;
	int status;

	if (root->lines != NULL)
		batch_put(root, root->lines);
	import_writer_finish(root->writer);
	batches_take(root);
	(void)import_root_failed(root);
	import_writer_free(root->writer);
	while ((batch = STAILQ_FIRST(&root->spare)) != NULL) {
		STAILQ_REMOVE_HEAD(&root->spare, next);
		free(batch);
	}
	if (close(root->index) != 0 && !root->failed) {
		warn("%s: index", text_name(root->name));
		root->failed = true;
	}
	log_root_close(root->root);
	status = root->failed ? STATUS_ERROR : STATUS_OK;
	free(root);
	return status;
}
