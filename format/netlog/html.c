/*
 * The recording within the page is one JSON object, written as it is read:
 *
 *   "wall"     is time the wall clock, or that of the logs
 *   "lanes"    the logs: "log", "n", "shift" (wall clock less the log's time, microseconds) and,
 *              as far as the index knows, "client", "server", "end", "lost"
 *   "records"  in the order of time: [lane, kind, time, size, data, response]; kind is an enum
 *              record_type times 2 plus an enum side, time in microseconds after "base", data
 *              base64, response in microseconds, or absent. Of kind PROBLEM, data is what is wrong
 *              with the lane's log from there on.
 *   "left_out" how much is not in the page: "records", "bytes" (those of the records included),
 *              and "of", how much there was
 */
#include "format/netlog/netlog.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/base64.h"
#include "format/netlog/html_page.h"
#include "format/netlog/part.h"
#include "format/netlog/text.h"
#include "format/timeline.h"
#include "format/times.h"
#include "format/turn.h"
#include "format/units.h"

#define KIND_PROBLEM 8
#define NANOSECONDS_PER_MICROSECOND 1000

/* What browsers still handle with ease; records of bulk transfers are larger, and are cut. */
#define RECORD_BYTES_MOST (UINT64_C(256) << 10)
#define TOTAL_BYTES_MOST (UINT64_C(32) << 20)
#define RECORDS_MOST 250000

enum { OPTION_PER_RECORD = OPTION_OWN, OPTION_TOTAL, OPTION_RECORDS };

struct amount {
	uint64_t records;
	uint64_t bytes;
};

struct html {
	struct invocation *invocation;
	uint64_t record_most; /* bytes of one record that are embedded */
	struct amount most;   /* of all */
	struct amount put, read;
	struct turn_tracker *turns; /* by item of the set */
	bool wall;		    /* every log's wall clock is known */
	bool begun;		    /* "records" has one */
	bool based;		    /* `base` is set */
	int64_t base;		    /* nanoseconds: time of the first record */
};

/* A member of an object whose value is any text. Returns -1 with errno. */
static int
member_put(const char *key, const char *value)
{
	char *json = text_json(value);

	if (json == NULL)
		return -1;
	printf("\"%s\":%s,", key, json);
	free(json);
	return 0;
}

/* Returns -1 with errno. */
static int
lane_put(const struct html *html, const struct logset_item *item)
{
	const struct index_entry *entry = &item->entry;
	int64_t start = html->wall ? entry->start / NANOSECONDS_PER_MICROSECOND : 0;
	int64_t time = html->wall ? entry->time / NANOSECONDS_PER_MICROSECOND : 0;

	putchar('{');
	if (member_put("log", item->name) != 0)
		return -1;
	if (item->indexed &&
	    (member_put("client", entry->client) != 0 || member_put("server", entry->server) != 0))
		return -1;
	if (item->indexed && entry->closed) {
		if (member_put("end", entry->end) != 0)
			return -1;
		printf("\"lost\":%llu,", (unsigned long long)entry->lost);
	}
	printf(
	    "\"n\":%llu,\"shift\":%lld}", (unsigned long long)item->n, (long long)(start - time));
	return 0;
}

/* Returns -1 with errno. */
static int
head_put(struct html *html, const struct logset *set)
{
	html->wall = set->count > 0;
	for (size_t i = 0; i < set->count; i++)
		html->wall = html->wall && logset_has_wall(&set->items[i]);
	html_page_begin();
	printf("{\"wall\":%s,\"lanes\":[\n", html->wall ? "true" : "false");
	for (size_t i = 0; i < set->count && !stdout_broken(); i++) {
		if (i > 0)
			fputs(",\n", stdout);
		if (lane_put(html, &set->items[i]) != 0)
			return -1;
	}
	fputs("],\"records\":[", stdout);
	return 0;
}

static void
tail_put(const struct html *html)
{
	printf("\n],\"base\":%lld,\"left_out\":{\"records\":%llu,\"bytes\":%llu,\"of\":{"
	       "\"records\":%llu,\"bytes\":%llu}}}\n",
	    (long long)(html->base / NANOSECONDS_PER_MICROSECOND),
	    (unsigned long long)(html->read.records - html->put.records),
	    (unsigned long long)(html->read.bytes - html->put.bytes),
	    (unsigned long long)html->read.records, (unsigned long long)html->read.bytes);
	html_page_end();
}

/* Microseconds since the first record. */
static long long
time_since_base(struct html *html, int64_t time)
{
	if (!html->based) {
		html->based = true;
		html->base = time;
	}
	return times_subtract(time, html->base) / NANOSECONDS_PER_MICROSECOND;
}

/* What stands before a row of "records". */
static const char *
row_comma(struct html *html)
{
	const char *comma = html->begun ? "," : "";

	html->begun = true;
	return comma;
}

/* The payload as far as the bounds allow; the rest is counted. */
static void
data_put(struct html *html, struct reader *reader)
{
	struct base64 state = {.count = 0};
	uint64_t room = html->most.bytes - html->put.bytes;
	const unsigned char *piece;
	ssize_t size;

	if (room > html->record_most)
		room = html->record_most;
	while ((size = reader_data(reader, &piece)) > 0 && !stdout_broken()) {
		size_t fits = (uint64_t)size < room ? (size_t)size : (size_t)room;
		base64_put(&state, piece, fits, stdout);
		html->put.bytes += fits;
		html->read.bytes += (uint64_t)size;
		room -= fits;
	}
	base64_finish(&state, stdout);
}

/* A record beyond the bound is only counted. */
static void
record_pass(struct html *html, struct reader *reader)
{
	const unsigned char *piece;
	ssize_t size;

	while ((size = reader_data(reader, &piece)) > 0)
		html->read.bytes += (uint64_t)size;
}

static void
record_put(struct html *html, const struct timeline_event *event)
{
	const struct record *record = &event->record;
	int64_t response;
	bool answers = turn_tracker_add(&html->turns[event->item], record, &response);

	html->read.records++;
	if (html->put.records >= html->most.records) {
		record_pass(html, event->reader);
		return;
	}
	html->put.records++;
	printf("%s\n[%zu,%d,%lld,%llu", row_comma(html), event->item,
	    record->type * 2 + record->side,
	    time_since_base(html, html->wall ? event->clock : record->time),
	    (unsigned long long)record->size);
	if (record->type == RECORD_DATA) {
		fputs(",\"", stdout);
		data_put(html, event->reader);
		putchar('"');
	}
	if (answers)
		printf(",%lld", (long long)(response / NANOSECONDS_PER_MICROSECOND));
	putchar(']');
}

/* Tell what is wrong with a log, on stderr and in the page. Returns the exit status. */
static int
problem_put(struct html *html, const struct logset_item *item, const struct timeline_event *event,
    enum reader_status told)
{
	struct reader *reader = event->reader;
	const char *message = reader != NULL
				  ? part_message(item, reader_part(reader), reader_message(reader))
				  : strerror(errno);
	char *json = text_json(message);
	int status = STATUS_ERROR;

	if (reader != NULL)
		status = log_finished(item, reader, told);
	else
		warn("%s", text_name(item->name));
	if (json == NULL) {
		warn(NULL);
		return STATUS_ERROR;
	}
	printf("%s\n[%zu,%d,0,0,%s]", row_comma(html), event->item, KIND_PROBLEM, json);
	free(json);
	return status;
}

static int
records_put(struct html *html, const struct logset *set, struct timeline *timeline)
{
	struct timeline_event event;
	enum reader_status told;
	int status = STATUS_OK;

	while (!stdout_broken() && (told = timeline_next(timeline, &event)) != READER_END) {
		if (told == READER_RECORD)
			record_put(html, &event);
		else
			status = status_worse(
			    status, problem_put(html, &set->items[event.item], &event, told));
	}
	return status;
}

/* What is not in the page is never silent. */
static void
left_out_tell(const struct html *html)
{
	uint64_t records = html->read.records - html->put.records;
	uint64_t bytes = html->read.bytes - html->put.bytes;

	if (html->invocation->quiet || stdout_broken() || (records == 0 && bytes == 0))
		return;
	warnx("left out of the page: %llu of %llu records, %llu of %llu bytes"
	      " (--records, --per-record, --total)",
	    (unsigned long long)records, (unsigned long long)html->read.records,
	    (unsigned long long)bytes, (unsigned long long)html->read.bytes);
}

static int
html_set(struct html *html, const struct logset *set)
{
	struct timeline *timeline = timeline_new(set);
	int status = STATUS_ERROR;

	html->turns = calloc(set->count + 1, sizeof(*html->turns));
	if (timeline == NULL || html->turns == NULL || head_put(html, set) != 0) {
		warn(NULL);
		goto release;
	}
	for (size_t i = 0; i < set->count; i++)
		turn_tracker_init(&html->turns[i]);
	status = records_put(html, set, timeline);
	tail_put(html);
	left_out_tell(html);
release:
	free(html->turns);
	timeline_free(timeline);
	return status;
}

/* Returns 0, or -1 after a message. */
static int
option_amount(struct invocation *invocation, const char *name, uint64_t *amount)
{
	if (units_parse_size(optarg, amount) == 0)
		return 0;
	invocation->status = usage_error(
	    invocation, "%s: %s is not a size (such as 64k, 10M, 2G)", name, text_name(optarg));
	return -1;
}

/* Take one option; returns 0, or -1 when the run is over. */
static int
html_option(struct html *html, int option)
{
	switch (option) {
	case OPTION_PER_RECORD:
		return option_amount(html->invocation, "--per-record", &html->record_most);
	case OPTION_TOTAL:
		return option_amount(html->invocation, "--total", &html->most.bytes);
	case OPTION_RECORDS:
		return option_amount(html->invocation, "--records", &html->most.records);
	default:
		return -1;
	}
}

static int
html_run(struct invocation *invocation)
{
	static const struct option options[] = {
	    {"per-record", required_argument, NULL, OPTION_PER_RECORD},
	    {"total", required_argument, NULL, OPTION_TOTAL},
	    {"records", required_argument, NULL, OPTION_RECORDS}, COMMON_OPTIONS};
	struct html html = {
	    invocation, RECORD_BYTES_MOST, .most = {RECORDS_MOST, TOTAL_BYTES_MOST}};
	struct logset set;
	int option, status;

	while ((option = option_next(invocation, ":" COMMON_LETTERS, options)) != -1) {
		if (html_option(&html, option) != 0)
			return invocation->status;
	}
	if (operands_collect(invocation, &set) != 0)
		status = invocation->status;
	else
		status = html_set(&html, &set);
	logset_release(&set);
	return status;
}

const struct command html_command = {
    .name = "html",
    .summary = "one page for the browser: timeline of both sides, bytes, search",
    .usage = "[options] log... > report.html",
    .about = "Write one page for the browser: timeline of both sides, bytes, search. It works\n"
	     "without network, and never runs what was recorded. What is left out of it is\n"
	     "told in it and on standard error (not with -q).\n",
    .options = "      --per-record SIZE        bytes of a record at most (256k)\n"
	       "      --total SIZE             bytes of all at most, in the order of time (32M)\n"
	       "      --records N              records at most (250000)\n",
    .run = html_run,
};
