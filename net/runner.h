/* Runs the -x command for finished parts of logs: in order, a few at a time, without a shell. */
#ifndef NET_RUNNER_H
#define NET_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

/* A finished part of a log. */
struct log_part {
	uint64_t n;
	uint64_t size;
	unsigned part;
};

struct runner;

/* `ended` is called when the command of a part has ended, however it did. Strings are copied.
 * Returns NULL with errno. */
struct runner *runner_new(
    const char *command, void (*ended)(void *context, const struct log_part *part), void *context);

/* Ends no command. NULL is harmless. */
void runner_free(struct runner *runner);

/* Have the command run with `path` as its argument; one that cannot be queued is told and counts as
 * ended. */
void runner_add(struct runner *runner, const char *path, const struct log_part *part);

/* Collect commands that have ended, start others. */
void runner_tick(struct runner *runner);

/* Go on without the commands that are running, and tell how many of them and of those waiting there
 * are. */
void runner_abandon(const struct runner *runner);

/* Is a command running or waiting? runner_tick() wants to be called soon, then. */
bool runner_busy(const struct runner *runner);

#endif
