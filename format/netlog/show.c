#include "format/netlog/show.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/colour.h"
#include "format/netlog/text.h"
#include "format/timeline.h"

#define COLUMN_MOST 40 /* wider names stick out */

enum { OPTION_SIDE = OPTION_OWN, OPTION_FROM, OPTION_TO, OPTION_GREP, OPTION_SLOW, OPTION_COLOUR };

void
lane_init(struct lane *lane)
{
	*lane = (struct lane){.begun = false};
	turn_tracker_init(&lane->turns);
}

static void
lane_release(struct lane *lane)
{
	matches_free(lane->matches[SIDE_CLIENT]);
	matches_free(lane->matches[SIDE_SERVER]);
	slow_free(lane->slow);
	lane->matches[SIDE_CLIENT] = lane->matches[SIDE_SERVER] = NULL;
	lane->slow = NULL;
}

bool
show_stopped(const struct show *show)
{
	return stdout_broken() || (show->interrupted != NULL && *show->interrupted);
}

bool
show_wants(const struct show *show, const struct record *record)
{
	if (show->side >= 0 && (int)record->side != show->side)
		return false;
	return record->time >= show->from && record->time < show->to;
}

const char *
show_column(const struct show *show, const struct logset_item *item)
{
	const char *slash = strrchr(item->name, '/');

	if (show->transcript.column == 0)
		return "";
	return text_name(slash != NULL ? slash + 1 : item->name);
}

/* Let go of what has found all there is, so that thousands of logs don't add up. Returns -1 with
 * errno. */
static int
lane_settle(struct lane *lane, enum side side)
{
	struct match_range range;
	int found;

	if (lane->matches[side] == NULL)
		return 0;
	found = matches_next(lane->matches[side], lane->stream[side], &range);
	if (found == 0) {
		matches_free(lane->matches[side]);
		lane->matches[side] = NULL;
	}
	return found < 0 ? -1 : 0;
}

static int
lane_begin(const struct show *show, struct lane *lane, const struct logset_item *item)
{
	lane->begun = true;
	if (show->slow >= 0) {
		lane->slow = slow_new(item, show->slow);
		if (lane->slow == NULL)
			return -1;
	}
	for (int side = 0; side < 2 && show->pattern != NULL; side++) {
		if (show->side >= 0 && side != show->side)
			continue;
		lane->matches[side] = matches_new(item, (enum side)side, show->pattern);
		if (lane->matches[side] == NULL || lane_settle(lane, (enum side)side) != 0)
			return -1;
	}
	return 0;
}

/* Is the lane's next record to be shown? Returns 1, 0, or -1 with errno. */
static int
lane_wants(const struct show *show, struct lane *lane, const struct record *record)
{
	struct matches *matches = lane->matches[record->side];
	struct match_range range;
	int found;

	if (lane->slow != NULL && !slow_holds(lane->slow, lane->number))
		return 0;
	if (!show_wants(show, record))
		return 0;
	if (show->pattern == NULL)
		return 1;
	if (record->type != RECORD_DATA || matches == NULL)
		return 0;
	found = matches_next(matches, lane->stream[record->side], &range);
	if (found <= 0)
		return found;
	return range.begin < lane->stream[record->side] + record->size;
}

/* A piece of payload at `offset` of its stream, matches highlighted. Returns -1 with errno. */
static int
piece_show(struct show *show, struct matches *matches, uint64_t offset, const unsigned char *piece,
    size_t size)
{
	while (size > 0) {
		struct match_range range;
		size_t run = size;
		bool lit = false;
		int found = matches != NULL ? matches_next(matches, offset, &range) : 0;
		if (found < 0)
			return -1;
		if (found > 0) {
			lit = range.begin <= offset;
			uint64_t until = (lit ? range.end : range.begin) - offset;
			if (until < run)
				run = (size_t)until;
		}
		transcript_data(&show->transcript, piece, run, lit);
		piece += run;
		offset += run;
		size -= run;
	}
	return 0;
}

/* Returns -1 with errno; a log that is cut inside the payload is told later. */
static int
payload_show(struct show *show, const struct lane *lane, enum side side, struct reader *reader)
{
	struct matches *matches = lane->matches[side];
	uint64_t offset = lane->stream[side];
	const unsigned char *piece;
	ssize_t size;

	while (!show_stopped(show) && (size = reader_data(reader, &piece)) > 0) {
		if (piece_show(show, matches, offset, piece, (size_t)size) != 0)
			return -1;
		offset += (uint64_t)size;
	}
	return 0;
}

/* Returns -1 with errno. */
static int
event_show(struct show *show, const struct logset_item *item, struct lane *lane,
    const struct timeline_event *event)
{
	struct transcript_line line = {item, "", &event->record, -1};
	int64_t response;
	int wanted;

	if (!lane->begun && lane_begin(show, lane, item) != 0)
		return -1;
	if (turn_tracker_add(&lane->turns, &event->record, &response))
		line.response = response;
	wanted = lane_wants(show, lane, &event->record);
	if (wanted < 0)
		return -1;
	if (wanted > 0) {
		line.column = show_column(show, item);
		transcript_begin(&show->transcript, &line);
		if (payload_show(show, lane, event->record.side, event->reader) != 0)
			return -1;
		transcript_end(&show->transcript);
	}
	lane->number++;
	lane->stream[event->record.side] += event->record.size;
	if (lane->slow != NULL)
		(void)slow_holds(lane->slow, lane->number); /* closes it at the log's end */
	return lane_settle(lane, event->record.side);
}

/* What it means for the exit status that a log can't be read further. */
static int
lane_failed(const struct show *show, const struct logset_item *item, struct lane *lane,
    const struct timeline_event *event, enum reader_status told)
{
	/* netrecord --keep deletes what is being shown */
	if (show->follow && event->reader != NULL && reader_error(event->reader) == ENOENT) {
		lane->lost = true;
		lane->part = reader_part(event->reader);
		return STATUS_OK;
	}
	/* what was shown before it, stands before it */
	fflush(stdout);
	if (event->reader != NULL)
		return log_finished(item, event->reader, told);
	warn("%s", text_name(item->name));
	return STATUS_ERROR;
}

static int
timeline_show(
    struct show *show, const struct logset *set, struct lane *lanes, struct timeline *timeline)
{
	struct timeline_event event;
	enum reader_status told;
	int status = STATUS_OK;

	while (!show_stopped(show) && (told = timeline_next(timeline, &event)) != READER_END) {
		const struct logset_item *item = &set->items[event.item];
		struct lane *lane = &lanes[event.item];
		if (told == READER_RECORD) {
			if (event_show(show, item, lane, &event) == 0)
				continue;
			warn("%s", text_name(item->name));
			return STATUS_ERROR;
		}
		lane_release(lane);
		status = status_worse(status, lane_failed(show, item, lane, &event, told));
	}
	return status;
}

/* The connection column: none for a single log, else wide enough for every name. */
static void
column_fit(struct show *show, const struct logset *set)
{
	int widest = 0;

	if (set->count < 2 && !show->follow)
		return;
	show->transcript.column = 1;
	for (size_t i = 0; i < set->count; i++) {
		int width = (int)strlen(show_column(show, &set->items[i]));
		if (width > widest)
			widest = width;
	}
	show->transcript.column = widest > COLUMN_MOST ? COLUMN_MOST : widest;
	if (show->transcript.column == 0)
		show->transcript.column = 1;
}

int
show_set(struct show *show, const struct logset *set, struct lane *lanes)
{
	struct timeline *timeline = timeline_new(set);
	int status;

	if (timeline == NULL) {
		warn(NULL);
		return STATUS_ERROR;
	}
	column_fit(show, set);
	status = timeline_show(show, set, lanes, timeline);
	timeline_free(timeline);
	for (size_t i = 0; i < set->count; i++)
		lane_release(&lanes[i]);
	return status;
}

static int
show_operands(struct show *show)
{
	struct logset set;
	struct lane *lanes = NULL;
	int status = STATUS_ERROR;

	if (operands_collect(show->invocation, &set) != 0)
		goto release;
	if (show->pattern != NULL || show->slow >= 0) {
		if (operands_spool(&set) != 0)
			goto release;
	}
	lanes = calloc(set.count + 1, sizeof(*lanes));
	if (lanes == NULL) {
		warn(NULL);
		goto release;
	}
	for (size_t i = 0; i < set.count; i++)
		lane_init(&lanes[i]);
	status = show_set(show, &set, lanes);
release:
	free(lanes);
	logset_release(&set);
	return status;
}

static int
option_colour(struct show *show, const char *when)
{
	if (when == NULL || strcmp(when, "always") == 0)
		show->transcript.colour = true;
	else if (strcmp(when, "never") == 0)
		show->transcript.colour = false;
	else if (strcmp(when, "auto") != 0) {
		show->invocation->status = usage_error(show->invocation,
		    "--color: %s is none of always, never, auto", text_name(when));
		return -1;
	}
	return 0;
}

static int
option_grep(struct show *show, const char *text)
{
	char error[256];

	pattern_free(show->pattern);
	show->pattern = pattern_new(text, error, sizeof(error));
	if (show->pattern != NULL)
		return 0;
	show->invocation->status = usage_error(show->invocation, "--grep: %s", error);
	return -1;
}

/* Take one option; returns 0, or -1 when the run is over. */
static int
show_option(struct show *show, int option)
{
	struct invocation *invocation = show->invocation;

	switch (option) {
	case 'f':
		show->follow = true;
		return 0;
	case 'x':
		show->transcript.hex = true;
		return 0;
	case OPTION_SIDE:
		return option_side(invocation, optarg, &show->side);
	case OPTION_FROM:
		return option_time(invocation, "--from", optarg, &show->from);
	case OPTION_TO:
		return option_time(invocation, "--to", optarg, &show->to);
	case OPTION_SLOW:
		return option_time(invocation, "--slow", optarg, &show->slow);
	case OPTION_GREP:
		return option_grep(show, optarg);
	case OPTION_COLOUR:
		return option_colour(show, optarg);
	default:
		return -1;
	}
}

static int
show_run(struct invocation *invocation)
{
	static const struct option options[] = {{"follow", no_argument, NULL, 'f'},
	    {"hex", no_argument, NULL, 'x'}, {"side", required_argument, NULL, OPTION_SIDE},
	    {"from", required_argument, NULL, OPTION_FROM},
	    {"to", required_argument, NULL, OPTION_TO},
	    {"grep", required_argument, NULL, OPTION_GREP},
	    {"slow", required_argument, NULL, OPTION_SLOW},
	    {"color", optional_argument, NULL, OPTION_COLOUR},
	    {"colour", optional_argument, NULL, OPTION_COLOUR}, COMMON_OPTIONS};
	struct show show = {invocation, .side = -1, .from = INT64_MIN, .to = INT64_MAX, .slow = -1};
	int option, status;

	show.transcript.colour = colour_wanted();
	while ((option = option_next(invocation, ":fx" COMMON_LETTERS, options)) != -1) {
		if (show_option(&show, option) != 0) {
			pattern_free(show.pattern);
			return invocation->status;
		}
	}
	show.transcript.wall = invocation->verbose > 0;
	if (show.follow)
		status = follow_run(
		    &show, invocation->argv + optind, (size_t)(invocation->argc - optind));
	else
		status = show_operands(&show);
	pattern_free(show.pattern);
	return status;
}

const struct command show_command = {
    .name = "show",
    .summary = "what passed, readable; several logs interleave in time",
    .usage = "[options] log...",
    .about = "Print what passed, readable; several logs interleave in time. A header line\n"
	     "tells time, connection, side (c> client, <s server), size, and after \"after\" the\n"
	     "response time. -v adds the wall clock where the index knows it.\n",
    .options = "  -f, --follow                 go on with what is written to the logs, and with\n"
	       "                               new ones, until INT\n"
	       "  -x, --hex                    payload as a hexdump\n"
	       "      --side c|s               only what the client (c) or the server (s) did\n"
	       "      --from T                 only what happened at or after this time of the\n"
	       "                               log (seconds; 20ms, 5m)\n"
	       "      --to T                   only what happened before this time\n"
	       "      --grep REGEX             only records with a match, which may span records\n"
	       "                               of one side\n"
	       "      --slow T                 only turns whose response took at least T\n"
	       "      --color[=WHEN]           always, never, or auto (default): on a terminal\n"
	       "                               unless NO_COLOR is set\n",
    .run = show_run,
};
