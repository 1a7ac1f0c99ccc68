#include <err.h>
#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/netlog/growing.h"
#include "format/netlog/text.h"

#define POLL_PAUSE 100000000 /* nanoseconds between two looks at the logs */
#define ROUNDS_PER_SCAN 5    /* looks at the logs for each look for new ones */

static volatile sig_atomic_t interrupted;

/* A log with a record that was looked at and not shown yet. */
struct ready {
	size_t log;
	int64_t clock;
};

struct follow {
	struct show *show;
	char *const *operands;
	size_t operand_count;
	struct growing **logs;
	struct ready *ready; /* room for every log */
	size_t count, room;
	void *known; /* names of all logs ever seen: tsearch(3) */
	int status;
};

static void
on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static int
compare_names(const void *one, const void *other)
{
	return strcmp(one, other);
}

/* Remember the name. Returns 1, 0 if it was known, -1 with errno. */
static int
known_add(struct follow *follow, const char *name)
{
	char *copy;

	if (tfind(name, &follow->known, compare_names) != NULL)
		return 0;
	copy = strdup(name);
	if (copy == NULL)
		return -1;
	if (tsearch(copy, &follow->known, compare_names) != NULL)
		return 1;
	free(copy);
	errno = ENOMEM;
	return -1;
}

static int
logs_add(struct follow *follow, struct growing *log)
{
	if (follow->count == follow->room) {
		size_t room = follow->room > 0 ? 2 * follow->room : 16;
		struct growing **logs = reallocarray(follow->logs, room, sizeof(struct growing *));
		struct ready *ready;
		if (logs == NULL)
			return -1;
		follow->logs = logs;
		ready = reallocarray(follow->ready, room, sizeof(*ready));
		if (ready == NULL)
			return -1;
		follow->ready = ready;
		follow->room = room;
	}
	follow->logs[follow->count++] = log;
	return 0;
}

static void
logs_drop(struct follow *follow, size_t at)
{
	growing_free(follow->logs[at]);
	follow->logs[at] = follow->logs[--follow->count];
}

/* Nothing will come to a log that the index calls closed, nor from standard input once it was read.
 */
static bool
may_grow(const struct logset_item *item)
{
	return strcmp(item->name, "-") != 0 && !(item->indexed && item->entry.closed);
}

/* Have a log followed that is there from the start; its lane ends where following begins. */
static int
follow_old(struct follow *follow, const struct logset_item *item, struct lane *lane)
{
	struct growing *log;
	enum reader_status status;
	uint64_t limit;

	lane_init(lane);
	if (known_add(follow, item->name) < 0)
		return -1;
	if (!may_grow(item))
		return 0;
	log = growing_new(item);
	if (log == NULL)
		return -1;
	status = growing_pass(log, follow->show, &limit);
	if (status != READER_END || growing_ended(log)) {
		growing_free(log);
		return 0;
	}
	lane->limit = limit;
	if (logs_add(follow, log) == 0)
		return 0;
	growing_free(log);
	return -1;
}

/* Logs that have come since: they are shown from their beginning. */
static int
follow_new(struct follow *follow)
{
	const char *recording = follow->show->invocation->recording;
	int result = 0;

	for (size_t i = 0; i < follow->operand_count && result == 0; i++) {
		struct logset set;
		/* one that is not there yet is looked for again next time */
		(void)logset_collect(&set, &follow->operands[i], 1, recording);
		for (size_t j = 0; j < set.count && result == 0; j++) {
			struct growing *log;
			int added = known_add(follow, set.items[j].name);
			if (added == 0)
				continue;
			log = added > 0 ? growing_new(&set.items[j]) : NULL;
			if (log == NULL || logs_add(follow, log) != 0) {
				growing_free(log);
				result = -1;
			}
		}
		logset_release(&set);
	}
	return result;
}

/* Look at one log; returns whether it has a record to show. */
static bool
look(struct follow *follow, size_t at, int64_t *clock)
{
	enum reader_status status = growing_look(follow->logs[at], follow->show, clock);

	if (status == READER_RECORD)
		return true;
	if (status == READER_BAD || status == READER_FAILED) {
		fflush(stdout);
		warnx("%s", growing_message(follow->logs[at]));
		follow->status =
		    status_worse(follow->status, status == READER_BAD ? STATUS_NO : STATUS_ERROR);
	}
	return false;
}

/* Show all that has come, in the order of time; logs that have ended are dropped. */
static void
round_show(struct follow *follow)
{
	size_t count = 0;

	for (size_t i = 0; i < follow->count; i++) {
		if (look(follow, i, &follow->ready[count].clock))
			follow->ready[count++].log = i;
	}
	while (count > 0 && !show_stopped(follow->show)) {
		struct ready *first = &follow->ready[0];
		for (size_t i = 1; i < count; i++) {
			if (follow->ready[i].clock < first->clock)
				first = &follow->ready[i];
		}
		growing_show(follow->logs[first->log], follow->show);
		fflush(stdout);
		if (!look(follow, first->log, &first->clock))
			*first = follow->ready[--count];
	}
	for (size_t i = follow->count; i-- > 0 && !interrupted;) {
		if (growing_ended(follow->logs[i]))
			logs_drop(follow, i);
	}
}

static int
follow_loop(struct follow *follow)
{
	const struct timespec pause = {.tv_nsec = POLL_PAUSE};

	for (unsigned round = 1; !show_stopped(follow->show); round++) {
		if (round % ROUNDS_PER_SCAN == 0 && follow_new(follow) != 0) {
			warn(NULL);
			return STATUS_ERROR;
		}
		round_show(follow);
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
	return follow->status;
}

/* What is there from the start, as far as it is there. */
static int
follow_begin(struct follow *follow, char *const *operands, size_t count)
{
	struct logset set;
	struct lane *lanes = NULL;
	int status = STATUS_ERROR;

	if (logset_collect(&set, operands, count, follow->show->invocation->recording) != 0) {
		warnx("%s", set.error);
		goto release;
	}
	if (operands_spool(&set) != 0)
		goto release;
	lanes = calloc(set.count + 1, sizeof(*lanes));
	if (lanes == NULL) {
		warn(NULL);
		goto release;
	}
	for (size_t i = 0; i < set.count; i++) {
		if (follow_old(follow, &set.items[i], &lanes[i]) != 0) {
			warn("%s", text_name(set.items[i].name));
			goto release;
		}
	}
	status = show_set(follow->show, &set, lanes);
	fflush(stdout);
release:
	free(lanes);
	logset_release(&set);
	return status;
}

/* The operands that have logs already; for the others their first connection is waited for. */
static size_t
operands_present(const struct follow *follow, char **present)
{
	size_t count = 0;

	for (size_t i = 0; i < follow->operand_count; i++) {
		const char *recording = follow->show->invocation->recording;
		struct logset set;
		if (logset_collect(&set, &follow->operands[i], 1, recording) != 0 &&
		    errno == ENOENT && strcmp(follow->operands[i], "-") != 0) {
			if (!follow->show->invocation->quiet)
				warnx("%s, waiting for it", set.error);
		} else {
			present[count++] = follow->operands[i];
		}
		logset_release(&set);
	}
	return count;
}

int
follow_run(struct show *show, char *const *operands, size_t count)
{
	struct follow follow = {.show = show, .operands = operands, .operand_count = count};
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
	char **present;

	if (count == 0)
		return usage_error(show->invocation, "no log given");
	present = calloc(count, sizeof(*present));
	if (present == NULL) {
		warn(NULL);
		return STATUS_ERROR;
	}
	show->interrupted = &interrupted;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	count = operands_present(&follow, present);
	follow.status = follow_begin(&follow, present, count);
	if (follow.status != STATUS_ERROR)
		follow.status = follow_loop(&follow);
	while (follow.count > 0)
		logs_drop(&follow, follow.count - 1);
	tdestroy(follow.known, free);
	free(follow.logs);
	free(follow.ready);
	free(present);
	return follow.status;
}
