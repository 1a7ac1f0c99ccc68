#include "format/netlog/growing.h"

#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/intake.h"
#include "format/netlog/text.h"
#include "format/netlog/window.h"
#include "format/spool.h"
#include "format/timeline.h"

#define WAITING_MOST                                                                               \
	1024 /* records that wait for what follows; the oldest is given up beyond that */

enum verdict { VERDICT_SKIP, VERDICT_WAIT, VERDICT_SHOW };

/* A record that was looked at and is before the showing reader still. */
struct waiting {
	struct record record;
	uint64_t begin;	  /* of its payload in the stream of its side */
	int64_t response; /* -1: it is no answer */
	uint64_t turn;	  /* 0: before the first */
	bool hit;	  /* the pattern matches in it */
};

struct growing {
	struct logset_item item;
	struct intake *intake; /* NULL: it is in files */
	struct source *files;  /* NULL: it is none; the reader's that looks ahead */
	struct reader *ahead;  /* looks for what is whole */
	struct reader *shown;  /* comes behind and shows */
	struct record record;  /* the one being looked at */
	bool in_payload;
	uint64_t stream[2]; /* payload bytes looked at, by side */
	struct window windows[2];
	struct turn_tracker turns;
	uint64_t turn;
	bool client_sent_last;
	bool turn_answered, turn_slow; /* of the turn that is the latest */
	bool hup[2], failed, ended;
	bool passing; /* in growing_pass() */
	bool missed;  /* something was deleted before it was read */
	struct waiting *waiting;
	size_t waiting_count, waiting_room;
};

/* Something of the log was deleted before it was read: see source_missed. */
static void
missed_tell(void *context, const char *path, unsigned count)
{
	struct growing *growing = context;

	if (growing->passing)
		return;
	growing->missed = true;
	/* what was shown before it, stands before it */
	fflush(stdout);
	if (path != NULL)
		warnx("%s: %u part%s in front of it deleted before %s read", text_name(path), count,
		    count == 1 ? "" : "s", count == 1 ? "it was" : "they were");
	else
		warnx("%s: deleted before its end was read", text_name(growing->item.name));
}

/* Have sources for both readers. Returns -1 with errno. */
static int
sources_open(struct growing *growing, const struct logset_item *item, const char *path,
    struct source **sources)
{
	if (spool_needed(item)) {
		growing->intake = intake_new(path);
		if (growing->intake == NULL)
			return -1;
		sources[0] = intake_source(growing->intake, 0);
		sources[1] = intake_source(growing->intake, 1);
	} else {
		sources[0] = growing->files = source_follow(path, missed_tell, growing);
		if (sources[0] != NULL)
			sources[1] = source_follow_twin(sources[0]);
	}
	return sources[0] != NULL && sources[1] != NULL ? 0 : -1;
}

struct growing *
growing_new(const struct logset_item *item, const char *path)
{
	struct source *sources[2] = {NULL, NULL};
	struct growing *growing = calloc(1, sizeof(*growing));

	if (growing == NULL)
		return NULL;
	turn_tracker_init(&growing->turns);
	growing->item = *item;
	growing->item.parts = NULL;
	growing->item.name = strdup(item->name);
	if (sources_open(growing, item, path, sources) == 0) {
		growing->ahead = reader_new(sources[0], item->name);
		growing->shown = reader_new(sources[1], item->name);
	} else {
		source_free(sources[0]);
		source_free(sources[1]);
	}
	if (growing->item.name != NULL && growing->ahead != NULL && growing->shown != NULL)
		return growing;
	growing_free(growing);
	return NULL;
}

void
growing_free(struct growing *growing)
{
	if (growing == NULL)
		return;
	reader_free(growing->ahead);
	reader_free(growing->shown);
	intake_free(growing->intake);
	window_release(&growing->windows[SIDE_CLIENT]);
	window_release(&growing->windows[SIDE_SERVER]);
	free(growing->waiting);
	free(growing->item.name);
	free(growing);
}

const char *
growing_message(struct growing *growing)
{
	return reader_message(growing->ahead);
}

bool
growing_ended(const struct growing *growing)
{
	return growing->failed || growing->ended ||
	       (growing->hup[SIDE_CLIENT] && growing->hup[SIDE_SERVER]);
}

bool
growing_missed(const struct growing *growing)
{
	return growing->missed;
}

/* Have the payload looked at as far as it is there. Returns READER_RECORD if that is all of it. */
static enum reader_status
payload_look(struct growing *growing, const struct show *show)
{
	struct window *window = &growing->windows[growing->record.side];
	const unsigned char *piece;
	struct record next;
	ssize_t size;

	while ((size = reader_data(growing->ahead, &piece)) > 0) {
		if (show->pattern != NULL &&
		    window_feed(window, show->pattern, piece, (size_t)size) != 0)
			return READER_FAILED;
	}
	if (size == 0)
		return READER_RECORD;
	return reader_next(growing->ahead, &next);
}

/* What the record looked at means for the turns; -1 or the response time, if it is an answer. */
static int64_t
turn_count(struct growing *growing, const struct show *show)
{
	const struct record *record = &growing->record;
	int64_t response = -1;

	if (record->type == RECORD_DATA && record->size > 0) {
		if (record->side == SIDE_CLIENT && !growing->client_sent_last) {
			growing->turn++;
			growing->turn_answered = growing->turn_slow = false;
		}
		growing->client_sent_last = record->side == SIDE_CLIENT;
	}
	if (!turn_tracker_add(&growing->turns, record, &response))
		return -1;
	growing->turn_answered = true;
	if (response >= show->slow)
		growing->turn_slow = true;
	return response;
}

static int
waiting_make_room(struct growing *growing)
{
	size_t room = growing->waiting_room > 0 ? 2 * growing->waiting_room : 4;
	struct waiting *waiting;

	if (growing->waiting_count < growing->waiting_room)
		return 0;
	waiting = reallocarray(growing->waiting, room, sizeof(*waiting));
	if (waiting == NULL)
		return -1;
	growing->waiting = waiting;
	growing->waiting_room = room;
	return 0;
}

/* The record is whole: add it to those that wait. */
static void
record_add(struct growing *growing, const struct show *show)
{
	const struct record *record = &growing->record;
	struct window *window = &growing->windows[record->side];
	struct waiting *waiting = &growing->waiting[growing->waiting_count++];

	*waiting = (struct waiting){.record = *record, .begin = growing->stream[record->side]};
	waiting->response = turn_count(growing, show);
	waiting->turn = growing->turn;
	growing->stream[record->side] += record->size;
	if (record->type == RECORD_HUP)
		growing->hup[record->side] = true;
	if (record->type == RECORD_ERR)
		growing->failed = true;
	/* a match that ends in this record may have begun in others, which then are hit too */
	for (size_t i = 0; i < growing->waiting_count; i++) {
		struct waiting *hit = &growing->waiting[i];
		if (hit->record.side == record->side &&
		    hit->begin + hit->record.size > window->first_new)
			hit->hit = true;
	}
	window->first_new = UINT64_MAX;
}

/* Have the header looked at, then the payload. */
static enum reader_status
record_look(struct growing *growing, const struct show *show)
{
	if (waiting_make_room(growing) != 0)
		return READER_FAILED;
	if (!growing->in_payload) {
		enum reader_status status = reader_next(growing->ahead, &growing->record);
		if (status != READER_RECORD)
			return status;
		growing->in_payload = true;
		growing->windows[growing->record.side].first_new = UINT64_MAX;
	}
	return payload_look(growing, show);
}

enum reader_status
growing_look(struct growing *growing, const struct show *show, int64_t *clock)
{
	enum reader_status status;

	/* what is known to be all is not looked behind: its files may be gone */
	if (growing_ended(growing))
		return READER_END;
	reader_retry(growing->ahead);
	status = record_look(growing, show);
	if (growing->intake != NULL && intake_ended(growing->intake))
		growing->ended = status != READER_RECORD;
	else if (status == READER_CUT)
		return READER_END;
	if (status != READER_RECORD) {
		growing->failed = growing->failed || status != READER_END;
		return status;
	}
	growing->in_payload = false;
	record_add(growing, show);
	*clock = timeline_clock(&growing->item, growing->record.time);
	return READER_RECORD;
}

static enum verdict
waiting_judge(const struct growing *growing, const struct show *show, const struct waiting *waiting)
{
	const struct record *record = &waiting->record;

	if (!show_wants(show, record))
		return VERDICT_SKIP;
	if (show->slow >= 0) {
		if (waiting->turn == 0)
			return VERDICT_SKIP;
		/* those of earlier turns were dealt with when these ended */
		if (waiting->turn == growing->turn && !growing->turn_answered)
			return VERDICT_WAIT;
		if (waiting->turn != growing->turn || !growing->turn_slow)
			return VERDICT_SKIP;
	}
	if (show->pattern == NULL || waiting->hit)
		return VERDICT_SHOW;
	if (record->type != RECORD_DATA || record->size == 0)
		return VERDICT_SKIP;
	return waiting->begin + record->size + PATTERN_MATCH_MAX > growing->stream[record->side]
		   ? VERDICT_WAIT
		   : VERDICT_SKIP;
}

static void
piece_show(struct growing *growing, struct show *show, const struct record *record, uint64_t offset,
    const unsigned char *piece, size_t size)
{
	const struct window *window = &growing->windows[record->side];

	while (size > 0) {
		const struct match_range *mark = window_mark(window, offset);
		bool lit = mark != NULL && mark->begin <= offset;
		size_t run = size;
		if (mark != NULL && (lit ? mark->end : mark->begin) - offset < run)
			run = (size_t)((lit ? mark->end : mark->begin) - offset);
		transcript_data(&show->transcript, piece, run, lit);
		piece += run;
		offset += run;
		size -= run;
	}
}

/* Move the showing reader over the first record that waits; print it if `show` is not NULL. */
static void
waiting_pass(struct growing *growing, const struct waiting *waiting, struct show *show)
{
	struct transcript_line line = {&growing->item, "", &waiting->record, waiting->response};
	uint64_t offset = waiting->begin;
	const unsigned char *piece;
	struct record record;
	ssize_t size;

	reader_retry(growing->shown);
	if (reader_next(growing->shown, &record) != READER_RECORD || show == NULL)
		return;
	line.column = show_column(show, &growing->item);
	transcript_begin(&show->transcript, &line);
	while (!show_stopped(show) && (size = reader_data(growing->shown, &piece)) > 0) {
		piece_show(growing, show, &waiting->record, offset, piece, (size_t)size);
		offset += (uint64_t)size;
	}
	transcript_end(&show->transcript);
}

/* Show and drop what is decided; nothing is printed if not `print`. */
static void
waiting_settle(struct growing *growing, struct show *show, bool print)
{
	size_t behind = 0;

	for (size_t i = 0; i < growing->waiting_count; i++) {
		enum verdict verdict = waiting_judge(growing, show, &growing->waiting[i]);
		if (verdict == VERDICT_SHOW || (verdict == VERDICT_SKIP && behind == i))
			behind = i + 1;
	}
	if (behind == 0 && growing->waiting_count == WAITING_MOST)
		behind = 1;
	for (size_t i = 0; i < behind; i++) {
		bool wanted = waiting_judge(growing, show, &growing->waiting[i]) == VERDICT_SHOW;
		waiting_pass(growing, &growing->waiting[i], wanted && print ? show : NULL);
	}
	growing->waiting_count -= behind;
	memmove(growing->waiting, growing->waiting + behind,
	    growing->waiting_count * sizeof(growing->waiting[0]));
}

void
growing_show(struct growing *growing, struct show *show)
{
	waiting_settle(growing, show, true);
}

enum reader_status
growing_pass(struct growing *growing, struct show *show, uint64_t *end)
{
	const struct logset_item *item = &growing->item;
	enum reader_status status;
	int64_t clock;

	growing->passing = true;
	source_follow_until(growing->files, item->first_part + (unsigned)item->part_count - 1);
	while ((status = growing_look(growing, show, &clock)) == READER_RECORD) {
		waiting_settle(growing, show, false);
		if (show_stopped(show)) {
			status = READER_END;
			break;
		}
	}
	source_follow_until(growing->files, UINT_MAX);
	growing->passing = false;
	*end = reader_whole(growing->ahead);
	return status;
}
