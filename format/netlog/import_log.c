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

#include "format/netlog/netlog.h"
#include "format/netlog/text.h"
#include "format/writer.h"

#define GZIP_LEVEL 6
#define OPEN_MOST 256		       /* logs with a descriptor, */
#define OPEN_SHARE 4		       /* and no more than that part of what is allowed */
#define BATCH_FIRST 4096	       /* room for payload that waits to be written */
#define BATCH_MOST ((size_t)64 * 1024) /* then it is written */
#define ENTRIES_MOST 512
#define MEMORY_MOST ((size_t)64 << 20) /* of all batches */
#define LINES_SIZE (64 * 1024)
#define LINE_MOST 4096

struct import_log {
	struct log_writer writer;
	TAILQ_ENTRY(import_log) open;	 /* while writer.fd is not -1 */
	TAILQ_ENTRY(import_log) waiting; /* while `room` is not 0 */
	uint8_t *bytes;			 /* payload of the entries, one behind the other */
	size_t used, room;
	struct log_entry *entries;
	size_t count, entry_room;
};

struct import_root {
	const char *name;
	struct log_root *root;
	char run[INDEX_RUN_MAX];
	int index;
	bool failed;
	TAILQ_HEAD(import_logs, import_log) open, waiting; /* the longest idle first */
	size_t open_count, open_most;
	size_t memory;
	size_t lines_used;
	char lines[LINES_SIZE];
	char path[PATH_MAX];
};

static void
run_name(char run[INDEX_RUN_MAX])
{
	uint64_t random;

	arc4random_buf(&random, sizeof(random));
	snprintf(run, INDEX_RUN_MAX, "%012llx", (unsigned long long)(random >> 16));
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
	run_name(root->run);
	root->open_most = descriptors_allowed();
	TAILQ_INIT(&root->open);
	TAILQ_INIT(&root->waiting);
	root->root = log_root_open(&config);
	if (root->root == NULL) {
		warn("%s", text_name(name));
		free(root);
		return NULL;
	}
	root->index = log_root_open_index(root->root);
	if (root->index < 0) {
		warn("%s: index", text_name(name));
		log_root_close(root->root);
		free(root);
		return NULL;
	}
	return root;
}

bool
import_root_failed(const struct import_root *root)
{
	return root->failed;
}

static void
lines_flush(struct import_root *root)
{
	const char *at = root->lines;
	size_t left = root->lines_used;

	root->lines_used = 0;
	while (left > 0 && !root->failed) {
		ssize_t put = write(root->index, at, left);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			warn("%s: index", text_name(root->name));
			root->failed = true;
			return;
		}
		at += put;
		left -= (size_t)put;
	}
}

static void
line_add(struct import_root *root, const struct index_entry *entry)
{
	if (LINES_SIZE - root->lines_used < LINE_MOST)
		lines_flush(root);
	root->lines_used +=
	    index_encode(entry, root->lines + root->lines_used, LINES_SIZE - root->lines_used);
}

const char *
import_log_name(struct import_root *root, const struct import_log *log)
{
	return text_name(log_writer_path(root->root, &log->writer, root->path, PATH_MAX));
}

static void
log_failed(struct import_root *root, const struct import_log *log)
{
	if (!root->failed)
		warn("%s", import_log_name(root, log));
	root->failed = true;
}

/* It has a descriptor now. */
static void
log_opened(struct import_root *root, struct import_log *log)
{
	TAILQ_INSERT_TAIL(&root->open, log, open);
	if (++root->open_count > root->open_most) {
		struct import_log *first = TAILQ_FIRST(&root->open);
		TAILQ_REMOVE(&root->open, first, open);
		root->open_count--;
		log_writer_park(&first->writer);
	}
}

static void
log_write(
    struct import_root *root, struct import_log *log, const struct log_entry *entries, size_t count)
{
	bool parked = log->writer.fd < 0;
	size_t written;

	if (root->failed || count == 0)
		return;
	if (log_writer_append(root->root, &log->writer, entries, count, &written) != 0)
		log_failed(root, log);
	if (parked && log->writer.fd >= 0)
		log_opened(root, log);
}

static void
log_flush(struct import_root *root, struct import_log *log)
{
	log_write(root, log, log->entries, log->count);
	log->count = 0;
	log->used = 0;
}

/* Let go of its memory. */
static void
log_empty(struct import_root *root, struct import_log *log)
{
	if (log->room > 0)
		TAILQ_REMOVE(&root->waiting, log, waiting);
	root->memory -= log->room;
	log->room = log->entry_room = 0;
	free(log->bytes);
	free(log->entries);
	log->bytes = NULL;
	log->entries = NULL;
}

/* Of the logs that wait the longest, write what they have. */
static void
memory_bound(struct import_root *root, const struct import_log *except)
{
	struct import_log *log;

	while (root->memory > MEMORY_MOST && (log = TAILQ_FIRST(&root->waiting)) != except) {
		log_flush(root, log);
		log_empty(root, log);
	}
}

/* It is the latest one written. */
static void
log_touch(struct import_root *root, struct import_log *log)
{
	if (log->room > 0 && TAILQ_NEXT(log, waiting) != NULL) {
		TAILQ_REMOVE(&root->waiting, log, waiting);
		TAILQ_INSERT_TAIL(&root->waiting, log, waiting);
	}
	if (log->writer.fd >= 0 && TAILQ_NEXT(log, open) != NULL) {
		TAILQ_REMOVE(&root->open, log, open);
		TAILQ_INSERT_TAIL(&root->open, log, open);
	}
}

/* What a line of the index says of the log itself. */
static void
line_log(struct import_root *root, const struct import_log *log, struct index_entry *entry)
{
	entry->n = log->writer.n;
	strlcpy(entry->run, root->run, sizeof(entry->run));
	log_root_name(root->root, log->writer.n, 0, entry->log, sizeof(entry->log));
	line_add(root, entry);
}

struct import_log *
import_log_open(struct import_root *root, struct index_entry *entry)
{
	struct import_log *log = root->failed ? NULL : calloc(1, sizeof(*log));

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
	log_opened(root, log);
	line_log(root, log, entry);
	return log;
}

/* Make room for `size` more bytes of payload and an entry. Returns 0, or -1 with errno. */
static int
log_grow(struct import_root *root, struct import_log *log, size_t size)
{
	if (log->count == log->entry_room) {
		size_t room = log->entry_room > 0 ? 2 * log->entry_room : 8;
		void *entries = reallocarray(log->entries, room, sizeof(*log->entries));
		if (entries == NULL)
			return -1;
		log->entries = entries;
		log->entry_room = room;
	}
	if (log->used + size > log->room) {
		size_t room = log->room > 0 ? log->room : BATCH_FIRST;
		while (room < log->used + size)
			room *= 2;
		uint8_t *bytes = malloc(room), *at = bytes;
		if (bytes == NULL)
			return -1;
		if (log->used > 0)
			memcpy(bytes, log->bytes, log->used);
		for (size_t i = 0; i < log->count; i++) {
			log->entries[i].data = at;
			at += log->entries[i].record.size;
		}
		free(log->bytes);
		log->bytes = bytes;
		if (log->room == 0)
			TAILQ_INSERT_TAIL(&root->waiting, log, waiting);
		root->memory += room - log->room;
		log->room = room;
		memory_bound(root, log);
	}
	return 0;
}

/* Is it data that can join the last record? */
static bool
record_joins(const struct import_log *log, const struct record *record)
{
	const struct record *last;

	if (log->count == 0 || record->type != RECORD_DATA)
		return false;
	last = &log->entries[log->count - 1].record;
	return last->type == RECORD_DATA && last->side == record->side &&
	       last->time / 1000 == record->time / 1000;
}

void
import_log_append(struct import_root *root, struct import_log *log, const struct record *record,
    const uint8_t *data)
{
	size_t size = (size_t)record->size;
	uint8_t *at;

	if (root->failed)
		return;
	log_touch(root, log);
	if (log->used + size > BATCH_MOST || log->count == ENTRIES_MOST)
		log_flush(root, log);
	if (size > BATCH_MOST / 2 && log->count == 0) {
		log_write(root, log, &(struct log_entry){.record = *record, .data = data}, 1);
		return;
	}
	if (log_grow(root, log, size) != 0) {
		log_failed(root, log);
		return;
	}
	/* There may be no bytes yet to point to. */
	at = size > 0 ? memcpy(log->bytes + log->used, data, size) : NULL;
	if (record_joins(log, record))
		log->entries[log->count - 1].record.size += size;
	else
		log->entries[log->count++] = (struct log_entry){.record = *record, .data = at};
	log->used += size;
}

void
import_log_finish(struct import_root *root, struct import_log *log)
{
	log_flush(root, log);
	if (log->writer.fd >= 0) {
		TAILQ_REMOVE(&root->open, log, open);
		root->open_count--;
	}
	if (log_writer_close(root->root, &log->writer) != 0)
		log_failed(root, log);
	log_empty(root, log);
}

void
import_log_close(struct import_root *root, struct import_log *log, struct index_entry *entry)
{
	import_log_finish(root, log);
	line_log(root, log, entry);
	free(log);
}

int
import_root_close(struct import_root *root)
{
	int status;

	lines_flush(root);
	if (close(root->index) != 0 && !root->failed) {
		warn("%s: index", text_name(root->name));
		root->failed = true;
	}
	log_root_close(root->root);
	status = root->failed ? STATUS_ERROR : STATUS_OK;
	free(root);
	return status;
}
