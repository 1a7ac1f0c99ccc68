#include "net/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/notice.h"

#define RUNNING_MAX 4
#define WAITING_MAX 65536 /* a command slower than logs are finished must not fill the memory */

struct job {
	STAILQ_ENTRY(job) next;
	pid_t pid;
	struct log_part part;
	char path[];
};

STAILQ_HEAD(job_list, job);

struct runner {
	char *command;
	void (*ended)(void *context, const struct log_part *part);
	void *context;
	struct job_list waiting;
	unsigned waiting_count;
	struct job *running[RUNNING_MAX];
	unsigned running_count;
	uint64_t skipped; /* for want of room in `waiting` */
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
};

struct runner *
runner_new(
    const char *command, void (*ended)(void *context, const struct log_part *part), void *context)
{
	sigset_t signals;
	struct runner *runner = calloc(1, sizeof(*runner));

	if (runner == NULL)
		return NULL;
	runner->command = strdup(command);
	if (runner->command == NULL) {
		free(runner);
		return NULL;
	}
	runner->ended = ended;
	runner->context = context;
	STAILQ_INIT(&runner->waiting);
	posix_spawnattr_init(&runner->attributes);
	/* The command does not run at the pace of the thread that starts it. */
	posix_spawnattr_setflags(&runner->attributes,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSCHEDULER);
	posix_spawnattr_setschedpolicy(&runner->attributes, SCHED_OTHER);
	posix_spawnattr_setschedparam(&runner->attributes, &(struct sched_param){0});
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&runner->attributes, &signals);
	sigfillset(&signals);
	posix_spawnattr_setsigdefault(&runner->attributes, &signals);
	posix_spawn_file_actions_init(&runner->actions);
	posix_spawn_file_actions_addopen(&runner->actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	return runner;
}

void
runner_free(struct runner *runner)
{
	struct job *job;

	if (runner == NULL)
		return;
	while ((job = STAILQ_FIRST(&runner->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&runner->waiting, next);
		free(job);
	}
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		free(runner->running[i]);
	posix_spawnattr_destroy(&runner->attributes);
	posix_spawn_file_actions_destroy(&runner->actions);
	free(runner->command);
	free(runner);
}

void
runner_add(struct runner *runner, const char *path, const struct log_part *part)
{
	size_t size = strlen(path) + 1;
	struct job *job = NULL;

	if (runner->waiting_count < WAITING_MAX)
		job = malloc(sizeof(*job) + size);
	if (job == NULL) {
		if (runner->skipped++ == 0)
			notice(NOTICE_ERROR, "%s: too many commands wait: not run for %s",
			    runner->command, path);
		runner->ended(runner->context, part);
		return;
	}
	memcpy(job->path, path, size);
	job->part = *part;
	STAILQ_INSERT_TAIL(&runner->waiting, job, next);
	runner->waiting_count++;
}

static void
runner_start(struct runner *runner, struct job **slot)
{
	struct job *job = STAILQ_FIRST(&runner->waiting);
	char *arguments[] = {runner->command, job->path, NULL};

	STAILQ_REMOVE_HEAD(&runner->waiting, next);
	runner->waiting_count--;
	int error = posix_spawnp(
	    &job->pid, runner->command, &runner->actions, &runner->attributes, arguments, environ);
	if (error == 0) {
		*slot = job;
		runner->running_count++;
		return;
	}
	notice(NOTICE_ERROR, "%s: %s: not run for %s", runner->command, strerror(error), job->path);
	runner->ended(runner->context, &job->part);
	free(job);
}

static void
runner_collect(struct runner *runner, struct job **slot)
{
	struct job *job = *slot;
	int status;
	pid_t pid = waitpid(job->pid, &status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return;
	/* ECHILD: whoever started us has SIGCHLD ignored, so how it ended is not known. */
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		notice(NOTICE_ERROR, "%s %s: exit status %d", runner->command, job->path,
		    WEXITSTATUS(status));
	else if (pid > 0 && WIFSIGNALED(status))
		notice(NOTICE_ERROR, "%s %s: killed by signal %d", runner->command, job->path,
		    WTERMSIG(status));
	*slot = NULL;
	runner->running_count--;
	runner->ended(runner->context, &job->part);
	free(job);
}

void
runner_tick(struct runner *runner)
{
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		if (runner->running[i] != NULL)
			runner_collect(runner, &runner->running[i]);
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		while (runner->running[i] == NULL && runner->waiting_count > 0)
			runner_start(runner, &runner->running[i]);
	if (runner->skipped > 1 && runner->waiting_count < WAITING_MAX / 2) {
		notice(NOTICE_ERROR, "%s: not run for %llu logs in all", runner->command,
		    (unsigned long long)runner->skipped);
		runner->skipped = 0;
	}
}

bool
runner_busy(const struct runner *runner)
{
	return runner->running_count > 0 || runner->waiting_count > 0;
}

void
runner_abandon(const struct runner *runner)
{
	notice(NOTICE_ERROR, "%s: not waited for: %u still run, %u were not started",
	    runner->command, (unsigned)runner->running_count, (unsigned)runner->waiting_count);
}
