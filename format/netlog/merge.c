#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/logname.h"
#include "format/netlog/newroot.h"
#include "format/netlog/summary.h"
#include "format/netlog/text.h"
#include "format/timeline.h"
#include "format/times.h"

/* One recorder's run: where the zero of its logs' times lies on the wall clock. */
struct run {
	char id[INDEX_RUN_MAX];
	int64_t first_start; /* of the connection that `zero` was taken from */
	int64_t zero;
};

/* One log to be merged. */
struct source_log {
	const struct logset_item *item;
	int64_t begin; /* on the merged clock */
	int64_t shift; /* what is added to its times */
	size_t position;
};

struct merge {
	struct invocation *invocation;
	struct logset set;
	struct run *runs;
	size_t run_count;
	int64_t base; /* wall clock of the merged zero: the earliest run's */
	struct source_log *logs;
};

static struct run *
run_find(const struct merge *merge, const char *id)
{
	for (size_t i = 0; i < merge->run_count; i++) {
		if (strcmp(merge->runs[i].id, id) == 0)
			return &merge->runs[i];
	}
	return NULL;
}

/*
 * Every run has one zero, taken from its first connection: the wall clock may have been set while
 * it ran, and what overlapped must go on doing so.
 */
static int
runs_collect(struct merge *merge)
{
	merge->runs = calloc(merge->set.count + 1, sizeof(*merge->runs));
	if (merge->runs == NULL)
		return -1;
	for (size_t i = 0; i < merge->set.count; i++) {
		const struct index_entry *entry = &merge->set.items[i].entry;
		struct run *run;
		if (!logset_has_wall(&merge->set.items[i]))
			continue;
		run = run_find(merge, entry->run);
		if (run == NULL) {
			run = &merge->runs[merge->run_count++];
			*run = (struct run){.first_start = INT64_MAX};
			strlcpy(run->id, entry->run, sizeof(run->id));
		}
		if (entry->start < run->first_start) {
			run->first_start = entry->start;
			run->zero = times_subtract(entry->start, entry->time);
		}
	}
	merge->base = merge->run_count > 0 ? INT64_MAX : 0;
	for (size_t i = 0; i < merge->run_count; i++) {
		if (merge->runs[i].zero < merge->base)
			merge->base = merge->runs[i].zero;
	}
	return 0;
}

static int
log_place(struct merge *merge, struct source_log *log, size_t position)
{
	const struct logset_item *item = &merge->set.items[position];
	struct summary summary;

	*log = (struct source_log){.item = item, .position = position};
	if (logset_has_wall(item)) {
		log->shift = times_subtract(run_find(merge, item->entry.run)->zero, merge->base);
		log->begin = times_add(item->entry.time, log->shift);
		return 0;
	}
	if (merge->invocation->verbose > 0 && merge->run_count > 0)
		warnx("%s: not in an index, taken as if recorded from the earliest start on",
		    text_name(item->name));
	if (summary_read(&summary, item) != 0) {
		warn("%s", text_name(item->name));
		return -1;
	}
	log->begin = summary.records > 0 ? summary.begin : INT64_MAX;
	return 0;
}

static int
log_compare(const void *one, const void *other)
{
	const struct source_log *a = one, *b = other;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->position < b->position ? -1 : a->position > b->position;
}

/* Returns 0, or -1 after a message. */
static int
logs_order(struct merge *merge)
{
	merge->logs = calloc(merge->set.count + 1, sizeof(*merge->logs));
	if (merge->logs == NULL || runs_collect(merge) != 0) {
		warn(NULL);
		return -1;
	}
	for (size_t i = 0; i < merge->set.count; i++) {
		if (log_place(merge, &merge->logs[i], i) != 0)
			return -1;
	}
	qsort(merge->logs, merge->set.count, sizeof(*merge->logs), log_compare);
	return 0;
}

static int
merge_to(struct merge *merge, const char *root, bool gzip)
{
	struct newroot *newroot;
	int status = STATUS_OK;

	if (logs_order(merge) != 0)
		return STATUS_ERROR;
	newroot = newroot_open(root, gzip);
	if (newroot == NULL)
		return STATUS_ERROR;
	for (size_t i = 0; i < merge->set.count && status != STATUS_ERROR; i++) {
		const struct source_log *log = &merge->logs[i];
		status =
		    status_worse(status, newroot_copy(newroot, log->item, 0, log->shift, NULL));
	}
	newroot_close(newroot);
	return status;
}

/* Is it one logroot, however its directory is spelt? */
static bool
is_same_root(const char *one, const char *other)
{
	const char *names[2];

	return logname_neighbours(one, other, names) && strcmp(names[0], names[1]) == 0;
}

static int
merge_run(struct invocation *invocation)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
	    {"gzip", no_argument, NULL, 'z'}, COMMON_OPTIONS};
	struct merge merge = {.invocation = invocation};
	const char *root = NULL;
	bool gzip = false;
	int option, status;

	while ((option = option_next(invocation, ":o:z" COMMON_LETTERS, options)) != -1) {
		if (option == '?')
			return invocation->status;
		if (option == 'o')
			root = optarg;
		else
			gzip = true;
	}
	if (root == NULL)
		return usage_error(invocation, "no new logroot given (-o)");
	for (int i = optind; i < invocation->argc; i++) {
		if (is_same_root(invocation->argv[i], root))
			return usage_error(invocation, "%s: merged into itself", text_name(root));
	}
	if (operands_collect(invocation, &merge.set) != 0)
		status = invocation->status;
	else if (operands_spool(&merge.set) != 0)
		status = STATUS_ERROR;
	else
		status = merge_to(&merge, root, gzip);
	free(merge.logs);
	free(merge.runs);
	logset_release(&merge.set);
	return status;
}

const struct command merge_command = {
    .name = "merge",
    .summary = "join recordings under one logroot, on one clock",
    .usage = "[options] -o NEWROOT logroot...",
    .about = "Join recordings under one logroot. Connections are numbered anew in the order of\n"
	     "their starts, times count from the earliest recording's start, parts of a split\n"
	     "log are joined.\n",
    .options = "  -o, --output ROOT            the logroot to write, continued if it has logs\n"
	       "  -z, --gzip                   write .gz logs\n",
    .run = merge_run,
};
