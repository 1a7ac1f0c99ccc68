#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/colour.h"
#include "format/netlog/difference.h"
#include "format/netlog/netlog.h"
#include "format/netlog/text.h"

/* Exit statuses are those of diff(1). */
#define STATUS_DIFFERENT STATUS_NO

#define NANOSECONDS_PER_SECOND INT64_C(1000000000)

enum { OPTION_COLOUR = OPTION_OWN };

struct diff {
	struct invocation *invocation;
	struct mask_set masks;
	struct difference_config config;
	enum report_format format;
	int colour; /* -1: on a terminal */
	struct logset sets[2];
	struct report_summary summary;
};

/* -- which belong together -- */

static int
number_compare(const void *one, const void *other)
{
	const struct logset_item *const *a = one, *const *b = other;

	return (*a)->n < (*b)->n ? -1 : (*a)->n > (*b)->n;
}

/* The logs of a set, as they are paired: by number if `by_number`. Returns NULL with errno. */
static const struct logset_item **
items_order(const struct logset *set, bool by_number)
{
	const struct logset_item **items =
	    calloc(set->count + 1, sizeof(const struct logset_item *));

	if (items == NULL)
		return NULL;
	for (size_t i = 0; i < set->count; i++)
		items[i] = &set->items[i];
	if (by_number)
		qsort(items, set->count, sizeof(const struct logset_item *), number_compare);
	return items;
}

/* -- comparing -- */

/* A log that the other recording has none for. */
static int
alone_tell(struct diff *diff, const struct logset_item *item, const char *only)
{
	const struct report_connection connection = {.name = item->name,
	    .key = item,
	    .result = REPORT_DIFFERENT,
	    .reason = only,
	    .differences = 1};

	diff->summary.connections[REPORT_DIFFERENT]++;
	diff->summary.differences++;
	return diff->config.report != NULL ? report_connection(diff->config.report, &connection)
					   : 0;
}

static int
pair_compare(struct diff *diff, const struct logset_item *first, const struct logset_item *second)
{
	struct difference_result result;

	if (difference_find(&diff->config, first, second, &result) != 0)
		return -1;
	diff->summary.connections[result.result]++;
	diff->summary.compared += result.compared;
	diff->summary.differences += result.differences;
	return 0;
}

/* Compare the logs that have partners, tell those that have none. Returns -1 with errno. */
static int
items_compare(struct diff *diff, const struct logset_item *const *const items[2])
{
	size_t counts[2] = {diff->sets[0].count, diff->sets[1].count};
	size_t paired = counts[0] < counts[1] ? counts[0] : counts[1];
	int result = 0;

	for (size_t i = 0; i < paired && result == 0 && !stdout_broken(); i++)
		result = pair_compare(diff, items[0][i], items[1][i]);
	for (size_t i = paired; i < counts[0] && result == 0; i++)
		result = alone_tell(diff, items[0][i], "is only in the first recording");
	for (size_t i = paired; i < counts[1] && result == 0; i++)
		result = alone_tell(diff, items[1][i], "is only in the second recording");
	return result;
}

/* Do both have the same numbers, each once? Then they tell which logs belong together, else their
 * order does. Both are in the order of their numbers. */
static bool
numbers_are_alike(const struct diff *diff, const struct logset_item *const *const items[2])
{
	if (diff->sets[0].count != diff->sets[1].count)
		return false;
	for (size_t i = 0; i < diff->sets[0].count; i++)
		if (items[0][i]->n == 0 || items[0][i]->n != items[1][i]->n ||
		    (i > 0 && items[0][i]->n == items[0][i - 1]->n))
			return false;
	return true;
}

/* Pair them one way, and compare. Returns 1 if they cannot be paired so, -1 with errno. */
static int
sets_try(struct diff *diff, bool by_number)
{
	const struct logset_item **first = items_order(&diff->sets[0], by_number);
	const struct logset_item **second = items_order(&diff->sets[1], by_number);
	const struct logset_item *const *const items[2] = {first, second};
	int result = -1;

	if (first != NULL && second != NULL)
		result =
		    by_number && !numbers_are_alike(diff, items) ? 1 : items_compare(diff, items);
	free(first);
	free(second);
	return result;
}

/* Returns -1 with errno. */
static int
sets_compare(struct diff *diff)
{
	int result = sets_try(diff, true);

	return result > 0 ? sets_try(diff, false) : result;
}

static int64_t
clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

/* The report, unless -q asks for the exit status alone. Returns -1 with errno. */
static int
report_begin(struct diff *diff)
{
	struct report_config config = {.format = diff->format,
	    .stream = stdout,
	    .colour = colour_wanted(),
	    .title = "netlog diff",
	    .names = {"first", "second"}};

	if (diff->colour >= 0)
		config.colour = diff->colour > 0;
	if (diff->invocation->quiet)
		return 0;
	diff->config.report = report_new(&config);
	return diff->config.report != NULL ? 0 : -1;
}

/* Compare and report. Returns the exit status. */
static int
diff_report(struct diff *diff)
{
	struct report_summary *summary = &diff->summary;
	int64_t begin = clock_now();
	int status = STATUS_ERROR;

	for (int i = 0; i < 2; i++)
		if ((diff->config.responses[i] = histogram_new()) == NULL)
			goto fail;
	diff->config.masks = &diff->masks;
	if (report_begin(diff) != 0 || sets_compare(diff) != 0)
		goto fail;
	summary->recorded = diff->config.responses[0];
	summary->live = diff->config.responses[1];
	summary->masks = &diff->masks;
	summary->duration = clock_now() - begin;
	/* that standard output failed is told by stdout_finish() */
	if (diff->config.report != NULL && report_end(diff->config.report, summary) != 0 &&
	    !stdout_broken())
		goto fail;
	status = summary->connections[REPORT_FAILED] > 0      ? STATUS_ERROR
		 : summary->connections[REPORT_DIFFERENT] > 0 ? STATUS_DIFFERENT
							      : STATUS_OK;
	goto release;
fail:
	if (!stdout_broken())
		warn(NULL);
release:
	report_free(diff->config.report);
	histogram_free(diff->config.responses[0]);
	histogram_free(diff->config.responses[1]);
	return status;
}

/* -- what was asked for -- */

static int
diff_masks(struct diff *diff, int option)
{
	char error[512];

	if (option == 'i' && mask_set_add(&diff->masks, optarg, error, sizeof(error)) != 0)
		return usage_error(diff->invocation, "--ignore: %s", error);
	if (option == 'I' && mask_set_load(&diff->masks, optarg, error, sizeof(error)) != 0)
		return usage_error(diff->invocation, "--ignore-file: %s", error);
	return STATUS_OK;
}

/* Take one option; returns a status. */
static int
diff_option(struct diff *diff, int option)
{
	switch (option) {
	case 'i':
	case 'I':
		return diff_masks(diff, option);
	case 'C':
		diff->config.sizes_only = strcmp(optarg, "size") == 0;
		if (diff->config.sizes_only || strcmp(optarg, "bytes") == 0)
			return STATUS_OK;
		return usage_error(
		    diff->invocation, "--compare: %s is neither bytes nor size", text_name(optarg));
	case 'o':
		if (report_format_parse(optarg, &diff->format) == 0)
			return STATUS_OK;
		return usage_error(diff->invocation,
		    "--output: %s is none of text, json, tap, junit", text_name(optarg));
	case OPTION_COLOUR:
		diff->colour = optarg == NULL || strcmp(optarg, "always") == 0 ? 1
			       : strcmp(optarg, "never") == 0		       ? 0
									       : -1;
		if (diff->colour >= 0 || strcmp(optarg, "auto") == 0)
			return STATUS_OK;
		return usage_error(diff->invocation, "--color: %s is none of always, never, auto",
		    text_name(optarg));
	default:
		return diff->invocation->status;
	}
}

/* Collect the logs of both operands. Returns 0, or -1 after a message. */
static int
diff_collect(struct diff *diff)
{
	struct invocation *invocation = diff->invocation;
	char *const *operands = invocation->argv + optind;

	if (invocation->argc - optind != 2) {
		usage_error(
		    invocation, "two recordings are compared, %d given", invocation->argc - optind);
		return -1;
	}
	if (diff->config.sizes_only && diff->masks.count > 0) {
		warnx("--compare size looks at no byte: the patterns mask nothing");
		mask_set_release(&diff->masks);
	}
	if (strcmp(operands[0], "-") == 0 && strcmp(operands[1], "-") == 0) {
		usage_error(invocation, "standard input cannot be compared with itself");
		return -1;
	}
	for (int i = 0; i < 2; i++) {
		if (logset_collect(&diff->sets[i], operands + i, 1, invocation->recording) != 0) {
			warnx("%s", diff->sets[i].error);
			return -1;
		}
		if (operands_spool(&diff->sets[i]) != 0)
			return -1;
	}
	return 0;
}

static int
diff_run(struct invocation *invocation)
{
	static const struct option options[] = {{"ignore", required_argument, NULL, 'i'},
	    {"ignore-file", required_argument, NULL, 'I'},
	    {"compare", required_argument, NULL, 'C'}, {"output", required_argument, NULL, 'o'},
	    {"color", optional_argument, NULL, OPTION_COLOUR},
	    {"colour", optional_argument, NULL, OPTION_COLOUR}, COMMON_OPTIONS};
	struct diff diff = {.invocation = invocation, .colour = -1};
	int option, status = STATUS_OK;

	mask_set_init(&diff.masks);
	while (status == STATUS_OK &&
	       (option = option_next(invocation, ":i:I:C:o:" COMMON_LETTERS, options)) != -1) {
		status = diff_option(&diff, option);
		if (option == '?')
			goto release;
	}
	if (status == STATUS_OK)
		status = diff_collect(&diff) == 0 ? diff_report(&diff) : STATUS_ERROR;
release:
	mask_set_release(&diff.masks);
	logset_release(&diff.sets[0]);
	logset_release(&diff.sets[1]);
	return status;
}

const struct command diff_command = {
    .name = "diff",
    .summary = "what two recordings differ in",
    .usage = "[options] A B",
    .about = "Tell what two recordings differ in. A and B are a log or a logroot each. Logs\n"
	     "are compared by number if both have the same numbers, else in order: what either\n"
	     "side sent, however it was cut into records, and how it ended. -q tells nothing.\n"
	     "Exit status: 0 they are the same, 1 they differ, 2 they could not be compared.\n",
    .options = "  -i, --ignore REGEX           bytes that match are equal whatever they are;\n"
	       "                               repeatable\n"
	       "  -I, --ignore-file FILE       read such patterns, one a line\n"
	       "  -C, --compare WHAT           bytes (default), or size: only how many they are\n"
	       "  -o, --output FORMAT          the report: text (default), json, tap or junit\n"
	       "      --color[=WHEN]           always, never, or auto (default): on a terminal\n"
	       "                               unless NO_COLOR is set\n",
    .run = diff_run,
};
