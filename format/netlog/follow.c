#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/netlog/growing.h"
#include "format/netlog/known.h"
#include "format/netlog/stamp.h"
#include "format/netlog/text.h"
#include "format/netlog/unseen.h"
#include "format/spool.h"

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
	struct known known; /* all logs ever seen */
	struct unseen *unseen;
	struct stamp *stamps; /* by operand */
	bool endless;	      /* there is more than streams: new logs and parts may come for ever */
	int status;
};

static void
on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
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

/* Does `next` go on with the same log behind parts that are missing? */
static bool
goes_on(const struct logset_item *item, const struct logset_item *next)
{
	char *key = known_key(item->name), *next_key = known_key(next->name);
	bool same = key != NULL && next_key != NULL && strcmp(key, next_key) == 0;

	free(key);
	free(next_key);
	return same && next->first_part > item->first_part + item->part_count;
}

/* Is the rest of the log the next item, behind parts that are missing? */
static bool
is_continued(const struct logset *set, size_t at)
{
	return at + 1 < set->count && goes_on(&set->items[at], &set->items[at + 1]);
}

/* Nothing will come to a log that the index calls closed, nor to parts with others behind them. */
static bool
may_grow(const struct logset *set, size_t at)
{
	const struct logset_item *item = &set->items[at];

	return !(item->indexed && item->entry.closed) && !is_continued(set, at);
}

/* Have a log followed that is there from the start; the item ends where following begins. */
static int
follow_old(struct follow *follow, const struct logset *set, size_t at, struct growing **followed)
{
	struct logset_item *item = &set->items[at];
	struct growing *log;
	enum reader_status status;
	uint64_t end;

	if (known_add(&follow->known, item->name) != 0)
		return -1;
	if (!may_grow(set, at))
		return 0;
	log = growing_new(item, item->name);
	if (log == NULL)
		return -1;
	status = growing_pass(log, follow->show, &end);
	if (status != READER_END || growing_ended(log)) {
		growing_free(log);
		return 0;
	}
	if (logs_add(follow, log) != 0) {
		growing_free(log);
		return -1;
	}
	item->end = end;
	*followed = log;
	return 0;
}

/* Have a log shown from its beginning, the file `first`. Returns -1 with errno. */
static int
follow_whole(struct follow *follow, const struct logset_item *item, const char *first)
{
	struct growing *log = growing_new(item, first);

	if (log != NULL && logs_add(follow, log) == 0)
		return 0;
	growing_free(log);
	return -1;
}

/* The item's file `part` was deleted before its lane came to it: show what is left from there on.
 * `followed`, if not NULL, follows what came later so far. Returns -1 with errno. */
static int
follow_left(struct follow *follow, const struct logset_item *item, size_t part,
    const struct growing *followed)
{
	for (size_t i = 0; i < follow->count; i++) {
		if (follow->logs[i] == followed) {
			logs_drop(follow, i);
			break;
		}
	}
	return follow_whole(follow, item, item->parts[part]);
}

/* Show a log that has come from its beginning, even if that was deleted meanwhile: then it is said.
 * Of a log of which one part was asked for, that part is the beginning. Returns -1 with errno. */
static int
follow_new_log(struct follow *follow, const struct logset_item *item, const char *operand)
{
	bool part = strcmp(item->name, operand) == 0;
	char *first;
	int result = -1;

	if (known_has(&follow->known, item->name))
		return 0;
	first = part ? strdup(item->name) : known_key(item->name);
	if (first != NULL && follow_whole(follow, item, first) == 0)
		result = known_add(&follow->known, item->name);
	free(first);
	return result;
}

/* Tell what has come and was deleted since. Returns -1 with errno. */
static int
follow_unseen(struct follow *follow, size_t operand, const struct logset *set)
{
	const char *recording = follow->show->invocation->recording;
	ssize_t count = unseen_count(follow->unseen, operand, set, recording, &follow->known);

	if (count <= 0)
		return (int)count;
	/* what was shown before it, stands before it */
	fflush(stdout);
	warnx("%s: %zd connection%s came of which no file is left to read",
	    text_name(follow->operands[operand]), count, count == 1 ? "" : "s");
	follow->status = status_worse(follow->status, STATUS_NO);
	return 0;
}

/* Logs that have come since. Returns -1 with errno. */
static int
follow_new(struct follow *follow)
{
	const char *recording = follow->show->invocation->recording;
	int result = 0;

	for (size_t i = 0; i < follow->operand_count && result == 0; i++) {
		struct logset set;
		/* what has the name of a log that was seen as a logroot is another's */
		if (known_has(&follow->known, follow->operands[i]) ||
		    !stamp_worth_a_look(&follow->stamps[i], follow->operands[i]))
			continue;
		/* one that is not there yet is looked for again next time */
		if (logset_collect(&set, &follow->operands[i], 1, recording) == 0) {
			for (size_t j = 0; j < set.count && result == 0; j++)
				result = follow_new_log(follow, &set.items[j], follow->operands[i]);
			if (result == 0)
				result = follow_unseen(follow, i, &set);
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

	if (growing_missed(follow->logs[at]))
		follow->status = status_worse(follow->status, STATUS_NO);
	if (status == READER_RECORD)
		return true;
	if (status != READER_END) {
		fflush(stdout);
		warnx("%s", growing_message(follow->logs[at]));
		follow->status = status_worse(
		    follow->status, status == READER_FAILED ? STATUS_ERROR : STATUS_NO);
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

	for (unsigned round = 1;
	     !show_stopped(follow->show) && (follow->count > 0 || follow->endless); round++) {
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

/* Move the logs that can be read only once behind the others. Returns how many the others are. */
static size_t
streams_last(struct logset *set)
{
	size_t files = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct logset_item item = set->items[i];
		if (spool_needed(&item))
			continue;
		memmove(&set->items[files + 1], &set->items[files],
		    (i - files) * sizeof(set->items[0]));
		set->items[files++] = item;
	}
	return files;
}

/* Have the streams followed, which are the items from `first` to `end`. Returns -1 after a message.
 */
static int
follow_streams(struct follow *follow, const struct logset *set, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		const struct logset_item *item = &set->items[i];
		if (known_add(&follow->known, item->name) != 0 ||
		    follow_whole(follow, item, item->name) != 0) {
			warn("%s", text_name(item->name));
			return -1;
		}
	}
	return 0;
}

/* Show the files that are there from the start, as far as they are there. Returns the exit status.
 */
static int
follow_files(struct follow *follow, const struct logset *set)
{
	struct lane *lanes = calloc(set->count + 1, sizeof(*lanes));
	struct growing **followed = calloc(set->count + 1, sizeof(*followed));
	int status = STATUS_ERROR;
	size_t i;

	if (lanes == NULL || followed == NULL) {
		warn(NULL);
		goto release;
	}
	for (i = 0; i < set->count; i++) {
		lane_init(&lanes[i]);
		if (follow_old(follow, set, i, &followed[i]) != 0)
			goto failed;
	}
	status = show_set(follow->show, set, lanes);
	fflush(stdout);
	for (i = 0; i < set->count; i++) {
		const struct logset_item *item = &set->items[i];
		if (!lanes[i].lost)
			continue;
		if (is_continued(set, i)) {
			warnx("%s: deleted before its end was read", text_name(item->name));
			status = status_worse(status, STATUS_NO);
		} else if (follow_left(follow, item, lanes[i].part, followed[i]) != 0) {
			goto failed;
		}
	}
	goto release;
failed:
	warn("%s", text_name(set->items[i].name));
	status = STATUS_ERROR;
release:
	free(followed);
	free(lanes);
	return status;
}

static int
follow_begin(struct follow *follow, char *const *operands, size_t count)
{
	/* where nothing is there yet, a recording to come cannot be missed */
	const char *recording = count > 0 ? follow->show->invocation->recording : NULL;
	struct logset set;
	size_t all;
	int status = STATUS_ERROR;

	if (logset_collect(&set, operands, count, recording) != 0) {
		warnx("%s", set.error);
		goto release;
	}
	all = set.count;
	set.count = streams_last(&set);
	follow->endless = set.count > 0 || set.missing > 0 || count < follow->operand_count;
	status = follow_files(follow, &set);
	if (status != STATUS_ERROR && follow_streams(follow, &set, set.count, all) != 0)
		status = STATUS_ERROR;
	set.count = all;
release:
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
	follow.stamps = calloc(count, sizeof(*follow.stamps));
	follow.unseen = unseen_new(operands, count);
	follow.status = STATUS_ERROR;
	if (present == NULL || follow.stamps == NULL || follow.unseen == NULL) {
		warn(NULL);
		goto release;
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
	known_release(&follow.known);
release:
	unseen_free(follow.unseen);
	free(follow.stamps);
	free(follow.logs);
	free(follow.ready);
	free(present);
	return follow.status;
}
