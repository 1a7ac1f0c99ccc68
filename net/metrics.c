#include "net/metrics.h"

#include <errno.h>
#include <fcntl.h>
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

static int
metrics_file_write(struct metrics_file *file)
{
	int fd = openat(file->directory, file->temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *stream = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (stream == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	metrics_write(file->metrics, stream, file->prefix);
	/* Scrapers run as somebody else: the umask does not count. */
	bool whole = fflush(stream) == 0 && fchmod(fd, 0644) == 0;
	if (fclose(stream) != 0)
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
