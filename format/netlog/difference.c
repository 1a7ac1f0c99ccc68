#include "format/netlog/difference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/times.h"
#include "format/turn.h"

/* What a log tells besides bytes. */
struct events {
	bool begun;	      /* there is a con record */
	const char *ended[2]; /* how, by side */
	struct turn_tracker turns;
	bool timed;
	int64_t begin, end;
};

/* The second log, read for what one of its sides sent. */
struct lane {
	struct reader *reader;
	enum side side;
	enum reader_status status; /* <= 0: it was read to its end */
	bool in_data;
	uint64_t fed;
	struct events *events; /* or NULL */
};

/* What one side sent, in both logs. */
struct stream {
	struct comparison *comparison;
	enum side side;
	struct align *align;
	struct mask_counter *counter; /* NULL if there are no masks */
	uint64_t fed;		      /* of the first log */
	struct lane lane;	      /* in the second */
};

/* One comparison. */
struct comparison {
	const struct difference_config *config;
	const struct logset_item *first, *second;
	struct reader *reader; /* of the first log */
	struct events events[2];
	struct stream streams[2]; /* by side */
	uint64_t differences;
	char reason[1024];
};

static void
events_add(struct events *events, const struct record *record, struct histogram *responses)
{
	int64_t response;

	if (!events->timed)
		events->begin = record->time;
	events->timed = true;
	events->end = record->time;
	if (record->type == RECORD_CON)
		events->begun = true;
	else if (record->type == RECORD_HUP)
		events->ended[record->side] = "ended its stream";
	else if (record->type == RECORD_ERR)
		events->ended[record->side] = "failed";
	if (turn_tracker_add(&events->turns, record, &response))
		histogram_add(responses, response);
}

static void
differ(void *context, const struct align_difference *difference)
{
	const struct stream *stream = context;
	struct comparison *comparison = stream->comparison;

	comparison->differences++;
	if (comparison->config->report != NULL)
		report_difference(comparison->config->report, comparison, comparison->first->name,
		    stream->side, difference);
}

/* -- the second log -- */

/* The next piece of the lane's side; 0 at the end of the log, or where it is damaged. */
static size_t
lane_next(struct lane *lane, const struct comparison *comparison, const unsigned char **piece)
{
	struct record record;
	ssize_t size;

	while (lane->status > 0) {
		if (lane->in_data && (size = reader_data(lane->reader, piece)) > 0)
			return (size_t)size;
		lane->in_data = false;
		lane->status = reader_next(lane->reader, &record);
		if (lane->status <= 0)
			break;
		if (lane->events != NULL)
			events_add(lane->events, &record, comparison->config->responses[1]);
		lane->in_data = record.type == RECORD_DATA && record.side == lane->side;
	}
	return 0;
}

/* How many bytes were fed and are not compared yet. */
static uint64_t
held(const struct stream *stream, enum align_stream which)
{
	uint64_t fed = which == ALIGN_RECORDED ? stream->fed : stream->lane.fed;

	return fed - align_compared(stream->align, which);
}

/* Feed what the second log has against what was fed of the first, or all of it. Returns -1 with
 * errno. */
static int
stream_match(struct stream *stream, bool all)
{
	const unsigned char *piece;

	while (all || held(stream, ALIGN_LIVE) < held(stream, ALIGN_RECORDED)) {
		size_t size = lane_next(&stream->lane, stream->comparison, &piece);
		if (size == 0)
			break;
		stream->lane.fed += size;
		if (align_feed(stream->align, ALIGN_LIVE, piece, size) != 0)
			return -1;
	}
	return 0;
}

/* -- the first log -- */

static int
stream_feed(struct stream *stream, struct reader *reader)
{
	const unsigned char *piece;
	ssize_t size;

	while ((size = reader_data(reader, &piece)) > 0) {
		stream->fed += (uint64_t)size;
		if (align_feed(stream->align, ALIGN_RECORDED, piece, (size_t)size) != 0 ||
		    (stream->counter != NULL &&
			mask_counter_feed(stream->counter, piece, (size_t)size) != 0) ||
		    stream_match(stream, false) != 0)
			return -1;
	}
	return 0;
}

static int
stream_finish(struct stream *stream)
{
	if (align_end(stream->align, ALIGN_RECORDED) != 0 || stream_match(stream, true) != 0 ||
	    align_end(stream->align, ALIGN_LIVE) != 0)
		return -1;
	return stream->counter != NULL ? mask_counter_end(stream->counter) : 0;
}

/* Read both to their ends. Returns how that of the first is; errno is 0, or why it failed. */
static enum reader_status
comparison_run(struct comparison *comparison)
{
	struct record record;
	enum reader_status status;

	while ((status = reader_next(comparison->reader, &record)) > 0) {
		events_add(&comparison->events[0], &record, comparison->config->responses[0]);
		if (record.type == RECORD_DATA &&
		    stream_feed(&comparison->streams[record.side], comparison->reader) != 0)
			return READER_FAILED;
	}
	for (int side = 0; side < 2; side++)
		if (stream_finish(&comparison->streams[side]) != 0)
			return READER_FAILED;
	errno = 0;
	return status;
}

/* -- how they ended -- */

static void
reason_add(struct comparison *comparison, const char *text)
{
	size_t length = strlen(comparison->reason);

	snprintf(comparison->reason + length, sizeof(comparison->reason) - length, "%s%s",
	    length > 0 ? "; " : "", text);
}

static void
ends_compare(struct comparison *comparison)
{
	static const char *const names[2] = {"the client", "the server"};
	const struct events *events = comparison->events;
	char text[256];

	if (events[0].begun != events[1].begun) {
		comparison->differences++;
		snprintf(text, sizeof(text), "the beginning is recorded only in the %s log",
		    events[0].begun ? "first" : "second");
		reason_add(comparison, text);
	}
	for (int side = 0; side < 2; side++) {
		const char *ended[2];
		for (int i = 0; i < 2; i++)
			ended[i] =
			    events[i].ended[side] != NULL ? events[i].ended[side] : "did not end";
		if (strcmp(ended[0], ended[1]) == 0)
			continue;
		comparison->differences++;
		snprintf(text, sizeof(text), "%s %s in the first log, %s in the second",
		    names[side], ended[0], ended[1]);
		reason_add(comparison, text);
	}
}

/* -- all of it -- */

static int
stream_begin(struct comparison *comparison, enum side side)
{
	const struct difference_config *config = comparison->config;
	struct stream *stream = &comparison->streams[side];
	const struct align_config align = {.masks = config->masks,
	    .differ = differ,
	    .context = stream,
	    .sizes_only = config->sizes_only};

	stream->comparison = comparison;
	stream->side = side;
	stream->lane = (struct lane){.side = side,
	    .status = READER_RECORD,
	    .events = side == SIDE_SERVER ? &comparison->events[1] : NULL};
	stream->align = align_new(&align);
	if (stream->align == NULL)
		return -1;
	if (config->masks->count > 0 && (stream->counter = mask_counter_new(config->masks)) == NULL)
		return -1;
	return 0;
}

/* Open the readers. Returns 0, or -1 with a reason. */
static int
comparison_open(struct comparison *comparison)
{
	const struct logset_item *failed = comparison->first;

	comparison->reader = logset_reader(comparison->first);
	for (int side = 0; side < 2 && comparison->reader != NULL; side++) {
		struct lane *lane = &comparison->streams[side].lane;
		failed = comparison->second;
		lane->reader = logset_reader(comparison->second);
		if (lane->reader == NULL)
			goto fail;
	}
	if (comparison->reader != NULL)
		return 0;
fail:
	snprintf(comparison->reason, sizeof(comparison->reason), "%s: %s", failed->name,
	    strerror(errno));
	return -1;
}

/* Compare what was opened. Returns what came of it; errno is not 0 if memory was short. */
static enum report_result
comparison_result(struct comparison *comparison)
{
	enum reader_status status = comparison_run(comparison);
	const struct lane *lane = &comparison->streams[SIDE_SERVER].lane;

	if (errno != 0)
		return REPORT_FAILED;
	if (status != READER_END || lane->status != READER_END) {
		reason_add(comparison,
		    reader_message(status != READER_END ? comparison->reader : lane->reader));
		return REPORT_FAILED;
	}
	ends_compare(comparison);
	return comparison->differences > 0 ? REPORT_DIFFERENT : REPORT_EQUAL;
}

static void
comparison_release(struct comparison *comparison)
{
	reader_free(comparison->reader);
	for (int side = 0; side < 2; side++) {
		struct stream *stream = &comparison->streams[side];
		reader_free(stream->lane.reader);
		align_free(stream->align);
		mask_counter_free(stream->counter);
	}
}

static int
comparison_tell(const struct comparison *comparison, const struct difference_result *result)
{
	const struct events *events = &comparison->events[0];
	const struct report_connection connection = {.name = comparison->first->name,
	    .key = comparison,
	    .result = result->result,
	    .reason = comparison->reason[0] != '\0' ? comparison->reason : NULL,
	    .differences = result->differences,
	    .compared = result->compared,
	    .duration =
		events->end > events->begin ? times_subtract(events->end, events->begin) : 0};

	if (comparison->config->report == NULL)
		return 0;
	return report_connection(comparison->config->report, &connection);
}

int
difference_find(const struct difference_config *config, const struct logset_item *first,
    const struct logset_item *second, struct difference_result *result)
{
	struct comparison comparison = {.config = config, .first = first, .second = second};
	int status = -1;

	*result = (struct difference_result){.result = REPORT_FAILED};
	if (stream_begin(&comparison, SIDE_CLIENT) != 0 ||
	    stream_begin(&comparison, SIDE_SERVER) != 0)
		goto release;
	if (comparison_open(&comparison) == 0) {
		result->result = comparison_result(&comparison);
		if (errno != 0)
			goto release;
		for (int side = 0; side < 2; side++)
			result->compared += comparison.streams[side].fed;
	}
	result->differences = comparison.differences;
	status = comparison_tell(&comparison, result);
release:
	comparison_release(&comparison);
	return status;
}
