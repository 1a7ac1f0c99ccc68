#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>

#include "format/netlog/part.h"
#include "format/netlog/repair.h"
#include "format/netlog/summary.h"
#include "format/netlog/text.h"

static void
verdict_print(const struct logset_item *item, const struct summary *summary)
{
	printf("%s: ok, %llu records", text_name(item->name), (unsigned long long)summary->records);
	if (item->part_count > 1)
		printf(" in %zu parts", item->part_count);
	if (item->first_part > 0)
		printf(", first part kept is .%u", item->first_part);
	if (summary->records == 0)
		printf(", empty");
	else if (summary->last_end[0] == '\0')
		printf(", no end record");
	else
		printf(", ends with %s", summary->last_end);
	if (item->indexed && item->entry.lost > 0)
		printf(", %llu bytes that passed are not recorded",
		    (unsigned long long)item->entry.lost);
	putchar('\n');
}

/* Check one log; `say` tells whether a sound one is worth a line. */
static int
check_item(const struct logset_item *item, bool say, bool mend)
{
	struct summary summary;
	int status;

	if (summary_read(&summary, item) != 0) {
		warn("%s", text_name(item->name));
		return STATUS_ERROR;
	}
	status = log_status(summary.status, summary.error);
	if (status == STATUS_OK) {
		if (say)
			verdict_print(item, &summary);
		return item->behind_gap ? STATUS_NO : STATUS_OK;
	}
	if (status == STATUS_ERROR) {
		warnx("%s", part_message(item, summary.part, summary.message));
		return STATUS_ERROR;
	}
	printf("%s\n", part_message(item, summary.part, summary.message));
	return mend ? repair(item, &summary) : STATUS_NO;
}

static int
check_run(struct invocation *invocation)
{
	static const struct option options[] = {
	    {"repair", no_argument, NULL, OPTION_OWN}, COMMON_OPTIONS};
	struct logset set;
	bool mend = false, say;
	int option, status = STATUS_OK;

	while ((option = option_next(invocation, ":" COMMON_LETTERS, options)) != -1) {
		if (option != OPTION_OWN)
			return invocation->status;
		mend = true;
	}
	if (operands_collect(invocation, &set) != 0) {
		logset_release(&set);
		return invocation->status;
	}
	say = !invocation->quiet && (invocation->verbose > 0 || set.count == 1);
	for (size_t i = 0; i < set.count; i++)
		status = status_worse(status, check_item(&set.items[i], say, mend));
	logset_release(&set);
	return status;
}

const struct command check_command = {
    .name = "check",
    .summary = "tell whether logs are whole, and at which byte they are not",
    .usage = "[options] log...",
    .about = "Tell whether logs are whole, and at which byte they are not. -v names those too\n"
	     "that are. Exit status: 0 all are whole, 1 some are damaged, 2 they could not be\n"
	     "read.\n",
    .options = "      --repair                 cut damaged logs back to their whole records;\n"
	       "                               what is cut off is saved beside them, as .damaged\n",
    .run = check_run,
};
