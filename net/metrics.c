#include "net/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/notice.h"
#include "net/thread.h"

#define MILLISECOND INT64_C(1000000)
#define WRITE_EVERY (3000 * MILLISECOND)
#define WRITE_AT_MOST_EVERY (200 * MILLISECOND) /* however often it is touched */
#define STOP_PATIENCE (1000 * MILLISECOND)
#define TEXT_MAX 8192

static const struct {
	const char *name;
	const char *type;
	const char *help;
	unsigned section; /* 0: every command has it */
} about[COUNTER_COUNT] = {
    [COUNTER_ACCEPTED] = {"connections_total", "counter", "client connections accepted"},
    [COUNTER_OPEN] = {"connections_open", "gauge", "connections open now"},
    [COUNTER_REFUSED] = {"refused_total", "counter", "connections whose server never accepted"},
    [COUNTER_FAILED] = {"failed_total", "counter", "connections that ended by an error"},
    [COUNTER_KILLED] = {"killed_total", "counter", "connections that this process ended"},
    [COUNTER_CLIENT_BYTES] = {"client_bytes_total", "counter", "bytes received from clients"},
    [COUNTER_SERVER_BYTES] = {"server_bytes_total", "counter", "bytes received from servers"},
    [COUNTER_RECORDED_BYTES] = {"recorded_bytes_total", "counter", "bytes written to logs",
	METRICS_LOGS},
    [COUNTER_LOST_BYTES] = {"lost_bytes_total", "counter",
	"bytes that passed and were not recorded", METRICS_LOGS},
    [COUNTER_LOG_FAILURES] = {"log_failures_total", "counter",
	"logs that ended before their connection", METRICS_LOGS},
    [COUNTER_LOG_QUEUE] = {"log_queue_bytes", "gauge", "memory held by the log queue now",
	METRICS_LOGS},
    [COUNTER_SCRIPT_FAILURES] = {"script_failures_total", "counter",
	"connections closed because their script failed", METRICS_LOGS},
    [COUNTER_PAUSED_ACCEPTS] = {"paused_accepts_total", "counter",
	"times that accepting paused for want of descriptors"},
    [COUNTER_CAPTURE_DROPPED] = {"capture_dropped_total", "counter",
	"connections that ended early in the live capture", METRICS_CAPTURE},
    [COUNTER_LINKS] = {"links_open", "gauge", "links that are up", METRICS_TUNNEL},
    [COUNTER_LINKS_LOST] = {"links_lost_total", "counter", "links whose connection was lost",
	METRICS_TUNNEL},
    [COUNTER_LINKS_RESUMED] = {"links_resumed_total", "counter",
	"lost links that were continued on a new connection", METRICS_TUNNEL},
    [COUNTER_UNAUTHENTICATED] = {"unauthenticated_total", "counter",
	"connections that did not prove to know the key", METRICS_TUNNEL},
    [COUNTER_VIOLATIONS] = {"violations_total", "counter",
	"links ended since their peer broke the protocol", METRICS_TUNNEL},
    [COUNTER_RETAINED] = {"retained_bytes", "gauge", "bytes sent and not yet acknowledged",
	METRICS_TUNNEL},
};

/* What is below `mutex` is shared with the thread under it; the rest is set before it starts. */
struct metrics_file {
	struct metrics *metrics;
	char *prefix;
	char *name;	 /* of the file in `directory` */
	char *temporary; /* what is renamed to it */
	int directory;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wanted; /* touched or stopping */
	pthread_cond_t ended;
	bool touched;
	bool stopping;
	bool done;
};

static bool
is_shown(const struct metrics *metrics, int counter)
{
	return about[counter].section == 0 || (about[counter].section & metrics->sections) != 0;
}

void
metrics_print(struct metrics *metrics, FILE *stream, const char *program)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (is_shown(metrics, i))
			fprintf(stream, "%s: %s: %" PRIu64 "\n", program, about[i].help,
			    metrics_get(metrics, (enum counter)i));
	fflush(stream);
}

static size_t
metrics_text(const struct metrics_file *file, char text[TEXT_MAX])
{
	size_t size = 0;

	for (int i = 0; i < COUNTER_COUNT && size < TEXT_MAX; i++) {
		const char *p = file->prefix;
		const char *name = about[i].name;

		if (!is_shown(file->metrics, i))
			continue;
		size += (size_t)snprintf(text + size, TEXT_MAX - size,
		    "# HELP %s_%s %c%s.\n# TYPE %s_%s %s\n%s_%s %" PRIu64 "\n", p, name,
		    about[i].help[0] - 'a' + 'A', about[i].help + 1, p, name, about[i].type, p,
		    name, metrics_get(file->metrics, (enum counter)i));
	}
	return size < TEXT_MAX ? size : TEXT_MAX - 1;
}

static int
metrics_file_write(struct metrics_file *file)
{
	char text[TEXT_MAX];
	size_t size = metrics_text(file, text);
	int fd = openat(file->directory, file->temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	ssize_t written = write(fd, text, size);
	/* Scrapers run as somebody else: the umask does not count. */
	bool whole = written == (ssize_t)size && fchmod(fd, 0644) == 0;
	if (written >= 0 && written < (ssize_t)size)
		errno = ENOSPC;
	if (close(fd) != 0)
		whole = false;
	if (whole && renameat(file->directory, file->temporary, file->directory, file->name) == 0)
		return 0;
	int error = errno;
	unlinkat(file->directory, file->temporary, 0);
	errno = error;
	return -1;
}

static void
metrics_file_update(struct metrics_file *file, bool *failing)
{
	bool failed = metrics_file_write(file) != 0;

	if (failed && !*failing)
		notice(NOTICE_WARNING, "metrics file %s: %s", file->name, strerror(errno));
	*failing = failed;
}

static void *
metrics_file_run(void *argument)
{
	struct metrics_file *file = argument;
	bool failing = false;
	bool stopping = false;

	while (!stopping) {
		int64_t before = thread_clock();
		pthread_mutex_lock(&file->mutex);
		while (!file->touched && !file->stopping &&
		       thread_wait_until(&file->wanted, &file->mutex, before + WRITE_EVERY))
			;
		while (!file->stopping && thread_clock() < before + WRITE_AT_MOST_EVERY)
			thread_wait_until(
			    &file->wanted, &file->mutex, before + WRITE_AT_MOST_EVERY);
		file->touched = false;
		stopping = file->stopping;
		pthread_mutex_unlock(&file->mutex);
		metrics_file_update(file, &failing);
	}
	pthread_mutex_lock(&file->mutex);
	file->done = true;
	pthread_cond_signal(&file->ended);
	pthread_mutex_unlock(&file->mutex);
	return NULL;
}

static void
metrics_file_free(struct metrics_file *file)
{
	if (file->directory >= 0)
		close(file->directory);
	free(file->prefix);
	free(file->name);
	free(file->temporary);
	free(file);
}

/* The folder is opened once, so that a relative path survives chdir(2). */
static int
metrics_file_name(struct metrics_file *file, const char *path)
{
	char *copy = strdup(path);
	int result = -1;

	if (copy == NULL)
		return -1;
	const char *slash = strrchr(path, '/');
	file->name = strdup(slash != NULL ? slash + 1 : path);
	file->directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->name == NULL || file->directory < 0)
		goto out;
	if (file->name[0] == '\0') {
		errno = EISDIR;
		goto out;
	}
	result = asprintf(&file->temporary, "%s.tmp", file->name) < 0 ? -1 : 0;
out:
	free(copy);
	return result;
}

struct metrics_file *
metrics_file_start(const char *path, const char *prefix, struct metrics *metrics)
{
	struct metrics_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return NULL;
	file->directory = -1;
	file->metrics = metrics;
	file->prefix = strdup(prefix);
	pthread_mutex_init(&file->mutex, NULL);
	if (file->prefix != NULL && metrics_file_name(file, path) == 0 &&
	    metrics_file_write(file) == 0 && thread_condition_init(&file->wanted) == 0 &&
	    thread_condition_init(&file->ended) == 0 &&
	    thread_start(&file->thread, metrics_file_run, file) == 0)
		return file;
	int error = errno;
	metrics_file_free(file);
	errno = error;
	return NULL;
}

void
metrics_file_touch(struct metrics_file *file)
{
	pthread_mutex_lock(&file->mutex);
	file->touched = true;
	pthread_cond_signal(&file->wanted);
	pthread_mutex_unlock(&file->mutex);
}

void
metrics_file_stop(struct metrics_file *file)
{
	if (file == NULL)
		return;
	int64_t due = thread_clock() + STOP_PATIENCE;
	pthread_mutex_lock(&file->mutex);
	file->stopping = true;
	pthread_cond_signal(&file->wanted);
	while (!file->done && thread_wait_until(&file->ended, &file->mutex, due))
		;
	bool done = file->done;
	pthread_mutex_unlock(&file->mutex);
	if (!done) { /* it hangs in the file system and keeps what it uses */
		pthread_detach(file->thread);
		return;
	}
	pthread_join(file->thread, NULL);
	metrics_file_free(file);
}
