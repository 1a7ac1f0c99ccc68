#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/histogram.h"
#include "format/netlog/summary.h"
#include "format/netlog/text.h"
#include "format/timeline.h"
#include "format/times.h"
#include "format/turn.h"
#include "format/units.h"

#define BAR_WIDTH 40
#define NANOSECONDS_PER_SECOND 1000000000.0

enum ending {
	END_CLIENT_HUP,
	END_SERVER_HUP,
	END_CLIENT_ERR,
	END_SERVER_ERR,
	END_NONE,
	END_DAMAGED,
	END_COUNT
};

static const char *const ending_names[END_COUNT] = {
    "c hup", "s hup", "c err", "s err", "no end record", "damaged"};

/* What is counted over one log or over many. */
struct tally {
	uint64_t logs, records, turns;
	uint64_t bytes[2], chunks[2]; /* by side; chunks are data records */
	uint64_t endings[END_COUNT];
	uint64_t lost;
	int64_t begin, end; /* on the clock; wall clock if every log has it */
	struct histogram *responses;
	struct histogram *durations;
};

static int
tally_init(struct tally *tally)
{
	*tally = (struct tally){.begin = INT64_MAX, .end = INT64_MIN};
	tally->responses = histogram_new();
	tally->durations = histogram_new();
	return tally->responses != NULL && tally->durations != NULL ? 0 : -1;
}

static void
tally_release(struct tally *tally)
{
	histogram_free(tally->responses);
	histogram_free(tally->durations);
}

static void
tally_merge(struct tally *into, const struct tally *from)
{
	into->logs += from->logs;
	into->records += from->records;
	into->turns += from->turns;
	for (int side = 0; side < 2; side++) {
		into->bytes[side] += from->bytes[side];
		into->chunks[side] += from->chunks[side];
	}
	for (int i = 0; i < END_COUNT; i++)
		into->endings[i] += from->endings[i];
	into->lost += from->lost;
	if (from->begin < into->begin)
		into->begin = from->begin;
	if (from->end > into->end)
		into->end = from->end;
	histogram_merge(into->responses, from->responses);
	histogram_merge(into->durations, from->durations);
}

static enum ending
ending_of(const struct record *record)
{
	if (record->type == RECORD_HUP)
		return record->side == SIDE_CLIENT ? END_CLIENT_HUP : END_SERVER_HUP;
	return record->side == SIDE_CLIENT ? END_CLIENT_ERR : END_SERVER_ERR;
}

/* One log being counted. */
struct count {
	struct tally *tally;
	const struct logset_item *item;
	bool clocked; /* its wall clock counts */
	enum ending ending;
	struct turn_tracker turns;
};

static void
record_count(void *context, const struct record *record)
{
	struct count *count = context;
	struct tally *tally = count->tally;
	int64_t clock = count->clocked ? timeline_clock(count->item, record->time) : record->time;
	int64_t response;

	tally->records++;
	if (clock < tally->begin)
		tally->begin = clock;
	if (clock > tally->end)
		tally->end = clock;
	if (record->type == RECORD_DATA) {
		tally->bytes[record->side] += record->size;
		tally->chunks[record->side]++;
	} else if (record->type != RECORD_CON) {
		count->ending = ending_of(record);
	}
	if (turn_tracker_add(&count->turns, record, &response)) {
		tally->turns++;
		histogram_add(tally->responses, response);
	}
}

/* Count one log; returns the exit status. `clocked` says whether its wall clock counts. */
static int
tally_log(struct tally *tally, const struct logset_item *item, bool clocked)
{
	struct count count = {.tally = tally, .item = item, .clocked = clocked, .ending = END_NONE};
	struct reader *reader = log_open(item);
	int result;

	if (reader == NULL)
		return STATUS_ERROR;
	turn_tracker_init(&count.turns);
	result = log_finished(item, reader, summary_pass(reader, record_count, &count));
	tally->logs++;
	tally->endings[result == STATUS_OK ? count.ending : END_DAMAGED]++;
	if (item->indexed)
		tally->lost += item->entry.lost;
	if (tally->end >= tally->begin)
		histogram_add(tally->durations, times_subtract(tally->end, tally->begin));
	reader_free(reader);
	return result;
}

static void
side_print(const struct tally *tally, enum side side, double seconds)
{
	char size[UNITS_TEXT_MAX], rate[UNITS_TEXT_MAX];

	printf("%-16s%llu", side == SIDE_CLIENT ? "client bytes" : "server bytes",
	    (unsigned long long)tally->bytes[side]);
	if (tally->bytes[side] >= 1000)
		printf(" (%s)", units_format_size(tally->bytes[side], size));
	printf(" in %llu records", (unsigned long long)tally->chunks[side]);
	if (seconds > 0)
		printf(", %s a second",
		    units_format_size((uint64_t)((double)tally->bytes[side] / seconds), rate));
	putchar('\n');
}

static void
percentiles_print(const char *title, const struct histogram *histogram)
{
	static const struct {
		const char *name;
		double percent;
	} shown[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};
	char time[UNITS_TEXT_MAX];

	if (histogram_count(histogram) == 0)
		return;
	printf("%-16smin %s", title, units_format_time(histogram_min(histogram), time));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		printf(", %s %s", shown[i].name,
		    units_format_time(histogram_percentile(histogram, shown[i].percent), time));
	printf(", max %s\n", units_format_time(histogram_max(histogram), time));
}

static void
row_widest(void *context, int64_t from, int64_t to, uint64_t count)
{
	uint64_t *widest = context;

	(void)from;
	(void)to;
	if (count > *widest)
		*widest = count;
}

static void
row_print(void *context, int64_t from, int64_t to, uint64_t count)
{
	static const char bar[BAR_WIDTH + 1] = "########################################";
	const uint64_t *widest = context;
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];
	int width = (int)((double)count / (double)*widest * BAR_WIDTH + 0.5);

	if (width == 0 && count > 0)
		width = 1;
	printf("  %10s to %10s %10llu%s%.*s\n", units_format_time(from, low),
	    units_format_time(to, high), (unsigned long long)count, width > 0 ? "  " : "", width,
	    bar);
}

static void
tally_print(const struct tally *tally)
{
	char time[UNITS_TEXT_MAX];
	int64_t span = tally->records > 0 ? times_subtract(tally->end, tally->begin) : 0;
	const char *comma = "";
	uint64_t widest = 0;

	printf("%-16s%llu\n", "connections", (unsigned long long)tally->logs);
	printf("%-16s", "ended");
	for (int i = 0; i < END_COUNT; i++) {
		if (tally->endings[i] == 0)
			continue;
		printf("%s%s %llu", comma, ending_names[i], (unsigned long long)tally->endings[i]);
		comma = ", ";
	}
	printf("\n%-16s%llu\n", "records", (unsigned long long)tally->records);
	printf("%-16s%s\n", "time", units_format_time(span, time));
	side_print(tally, SIDE_CLIENT, (double)span / NANOSECONDS_PER_SECOND);
	side_print(tally, SIDE_SERVER, (double)span / NANOSECONDS_PER_SECOND);
	if (tally->lost > 0)
		printf("%-16s%llu\n", "lost bytes", (unsigned long long)tally->lost);
	if (tally->logs > 1)
		percentiles_print("duration", tally->durations);
	printf("%-16s%llu\n", "turns", (unsigned long long)tally->turns);
	percentiles_print("response time", tally->responses);
	histogram_rows(tally->responses, row_widest, &widest);
	histogram_rows(tally->responses, row_print, &widest);
}

static int
stat_item(struct tally *total, const struct logset_item *item, bool clocked, bool print)
{
	struct tally tally;
	int status = STATUS_ERROR;

	if (tally_init(&tally) != 0) {
		warn(NULL);
		goto release;
	}
	status = tally_log(&tally, item, clocked);
	tally_merge(total, &tally);
	if (print) {
		printf("%s:\n", text_name(item->name));
		tally_print(&tally);
		putchar('\n');
	}
release:
	tally_release(&tally);
	return status;
}

static int
stat_set(const struct logset *set, bool each)
{
	struct tally total;
	int status = STATUS_OK;
	bool clocked = true;

	if (tally_init(&total) != 0) {
		warn(NULL);
		tally_release(&total);
		return STATUS_ERROR;
	}
	for (size_t i = 0; i < set->count; i++)
		clocked = clocked && logset_has_wall(&set->items[i]);
	for (size_t i = 0; i < set->count; i++)
		status = status_worse(status, stat_item(&total, &set->items[i], clocked, each));
	if (each)
		printf("total:\n");
	tally_print(&total);
	tally_release(&total);
	return status;
}

static int
stat_run(struct invocation *invocation)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct logset set;
	int status;

	if (option_next(invocation, ":" COMMON_LETTERS, options) != -1)
		return invocation->status;
	if (operands_collect(invocation, &set) != 0)
		status = invocation->status;
	else
		status = stat_set(&set, invocation->verbose > 0);
	logset_release(&set);
	return status;
}

const struct command stat_command = {
    .name = "stat",
    .summary = "bytes, rates, response-time percentiles and histogram",
    .usage = "[options] log...",
    .about = "Print bytes, rates, response-time percentiles and a histogram. A turn is what\n"
	     "the client sends until the server answers; its response time is that from the\n"
	     "client's last byte to the server's first. -v shows each log, then the total.\n",
    .options = "",
    .run = stat_run,
};
