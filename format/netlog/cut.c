#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/netlog/text.h"

enum { OPTION_FROM = OPTION_OWN, OPTION_TO, OPTION_SIDE };

/* What is kept. */
struct range {
	int64_t from, to; /* times in the log: from included, to not */
	int side;	  /* enum side, or -1: both */
};

static bool
range_holds(const struct range *range, const struct record *record)
{
	/* without its beginning it would be no log */
	if (record->type == RECORD_CON)
		return true;
	if (range->side >= 0 && (int)record->side != range->side)
		return false;
	return record->time >= range->from && record->time < range->to;
}

static void
record_copy(struct reader *reader, const struct record *record)
{
	char header[RECORD_HEADER_MAX];
	const unsigned char *piece;
	ssize_t size;
	size_t length = record_encode(record, header);

	fwrite(header, 1, length, stdout);
	while ((size = reader_data(reader, &piece)) > 0 && !stdout_broken())
		fwrite(piece, 1, (size_t)size, stdout);
}

static int
cut_log(const struct logset_item *item, const struct range *range)
{
	struct reader *reader = log_open(item);
	enum reader_status status = READER_RECORD;
	struct record record;
	int result = STATUS_ERROR;

	if (reader == NULL)
		return STATUS_ERROR;
	while (!stdout_broken() && (status = reader_next(reader, &record)) == READER_RECORD) {
		if (range_holds(range, &record))
			record_copy(reader, &record);
	}
	if (status <= 0)
		result = log_finished(item, reader, status);
	reader_free(reader);
	return result;
}

/* Returns 0, or -1 when the run is over. */
static int
cut_options(struct invocation *invocation, struct range *range)
{
	static const struct option options[] = {{"from", required_argument, NULL, OPTION_FROM},
	    {"to", required_argument, NULL, OPTION_TO},
	    {"side", required_argument, NULL, OPTION_SIDE}, COMMON_OPTIONS};
	int option;

	while ((option = option_next(invocation, ":" COMMON_LETTERS, options)) != -1) {
		switch (option) {
		case OPTION_FROM:
			if (option_time(invocation, "--from", optarg, &range->from) != 0)
				return -1;
			break;
		case OPTION_TO:
			if (option_time(invocation, "--to", optarg, &range->to) != 0)
				return -1;
			break;
		case OPTION_SIDE:
			if (option_side(invocation, optarg, &range->side) != 0)
				return -1;
			break;
		default:
			return -1;
		}
	}
	return 0;
}

static int
cut_run(struct invocation *invocation)
{
	struct range range = {INT64_MIN, INT64_MAX, -1};
	struct logset set;
	int status;

	if (cut_options(invocation, &range) != 0)
		return invocation->status;
	if (operands_collect(invocation, &set) != 0) {
		status = invocation->status;
	} else if (set.count != 1) {
		status = usage_error(invocation, "%s: %zu logs, but cut takes one",
		    text_name(invocation->argv[optind]), set.count);
	} else if (isatty(STDOUT_FILENO)) {
		warnx("a log may hold anything: not written to a terminal");
		status = STATUS_ERROR;
	} else {
		status = cut_log(&set.items[0], &range);
	}
	logset_release(&set);
	return status;
}

const struct command cut_command = {
    .name = "cut",
    .summary = "a part of a log, as a log on standard output",
    .usage = "[options] log > part",
    .about = "Write a part of a log, as a log on standard output. The con record is always\n"
	     "kept, and all records keep their times.\n",
    .options = "      --from T                 keep what happened at or after this time of the\n"
	       "                               log (seconds; 20ms, 5m)\n"
	       "      --to T                   keep what happened before this time\n"
	       "      --side c|s               keep what the client (c) or the server (s) did\n",
    .run = cut_run,
};
