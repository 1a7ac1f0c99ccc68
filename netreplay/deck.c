#include "netreplay/deck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/times.h"
#include "netreplay/steps.h"

#define MEMORY ((size_t)16 * 1024 * 1024) /* for the openings of all logs */
#define OPENING_LEAST ((size_t)1024)
#define LOOK_MOST ((uint64_t)1024 * 1024) /* server bytes that are passed over to see more */

/* -- reading openings -- */

/* A log being read up to where its opening is known. */
struct scan {
	struct reader *reader;
	struct deck_log *log;
	size_t limit; /* how much of the client's stream to keep */
	size_t capacity;
	uint64_t client, server; /* bytes passed */
	bool acted;		 /* the server has done something */
	int64_t began;
};

static int
scan_keep(struct scan *scan, const unsigned char *piece, size_t size)
{
	struct deck_log *log = scan->log;

	if (size > scan->limit - log->size)
		size = scan->limit - log->size;
	if (log->size + size > scan->capacity) {
		size_t capacity = scan->capacity + log->size + size;
		unsigned char *grown =
		    realloc(log->bytes, capacity < scan->limit ? capacity : scan->limit);

		if (grown == NULL)
			return -1;
		log->bytes = grown;
		scan->capacity = capacity < scan->limit ? capacity : scan->limit;
	}
	memcpy(log->bytes + log->size, piece, size);
	log->size += size;
	return 0;
}

static int
scan_client_data(struct scan *scan, const struct record *record)
{
	const unsigned char *piece;
	bool first = true;
	ssize_t size;

	if (scan->client == 0)
		scan->log->patience = times_subtract(record->time, scan->began);
	scan->client += record->size;
	while (scan->log->size < scan->limit && (size = reader_data(scan->reader, &piece)) > 0) {
		/* At the beginning, or after a STARTTLS. */
		scan->log->tls |= first && steps_is_tls(piece, (size_t)size);
		first = false;
		if (scan_keep(scan, piece, (size_t)size) == -1)
			return -1;
	}
	return 0;
}

/* Take one record; returns -1 with errno ENOMEM. */
static int
scan_record(struct scan *scan, const struct record *record)
{
	if (record->side == SIDE_SERVER) {
		if (!scan->acted)
			scan->log->first = scan->client;
		scan->acted = true;
		scan->server += record->size;
	} else if (record->type == RECORD_DATA) {
		return scan_client_data(scan, record);
	} else if (!scan->acted) {
		scan->log->waits_for_end = true;
	}
	return 0;
}

/* Is there nothing more to be learned that is worth reading on? */
static bool
scan_enough(const struct scan *scan)
{
	return scan->acted && (scan->log->size == scan->limit || scan->server > LOOK_MOST);
}

/* Read the opening of scan->log; returns how the reading ended, READER_RECORD if it was stopped. */
static enum reader_status
scan_run(struct scan *scan)
{
	enum reader_status status;
	struct record record;

	while (!scan_enough(scan)) {
		status = reader_next(scan->reader, &record);
		if (status != READER_RECORD)
			return status;
		if (record.type == RECORD_CON)
			scan->began = record.time;
		else if (scan_record(scan, &record) == -1)
			return READER_FAILED;
	}
	return READER_RECORD;
}

/* Returns NULL, or why the log cannot be played. */
static const char *
log_read(struct deck_log *log, size_t limit)
{
	struct scan scan = {.reader = logset_reader(log->item), .log = log, .limit = limit};
	static char reason[600];
	enum reader_status status;
	struct record record;

	if (scan.reader == NULL)
		return strerror(errno);
	reason[0] = '\0';
	status = reader_next(scan.reader, &record);
	if (status == READER_END || (status == READER_RECORD && record.type != RECORD_CON)) {
		strlcpy(reason,
		    status == READER_END ? "the log is empty" : "the log does not begin with con",
		    sizeof(reason));
	} else if (status == READER_RECORD) {
		scan.began = record.time;
		status = scan_run(&scan);
	}
	if (status == READER_BAD || status == READER_FAILED)
		strlcpy(reason, reader_message(scan.reader), sizeof(reason));
	if (!scan.acted) {
		log->first = scan.client;
		log->waits_for_end = true;
	}
	log->whole = status != READER_RECORD && log->size < limit;
	log->silent = log->whole && log->size == 0;
	reader_free(scan.reader);
	return reason[0] != '\0' ? reason : NULL;
}

int
deck_init(struct deck *deck, const struct logset *set, long long rounds,
    void (*unplayable)(void *context, const struct deck_log *log, const char *reason),
    void *context)
{
	size_t limit = set->count > 0 ? MEMORY / set->count : OPENING_MAX;

	memset(deck, 0, sizeof(*deck));
	if (limit < OPENING_LEAST)
		limit = OPENING_LEAST;
	if (limit > OPENING_MAX)
		limit = OPENING_MAX;
	deck->rounds = rounds;
	deck->logs = calloc(set->count > 0 ? set->count : 1, sizeof(*deck->logs));
	if (deck->logs == NULL)
		return -1;
	deck->count = set->count;
	for (size_t i = 0; i < set->count; i++) {
		struct deck_log *log = &deck->logs[i];
		const char *reason;

		log->item = &set->items[i];
		reason = log_read(log, limit);
		if (reason == NULL && log->tls)
			reason = "the client speaks TLS, which cannot be replayed: record inside "
				 "of it";
		log->unusable = reason != NULL;
		if (reason != NULL)
			unplayable(context, log, reason);
		else
			deck->usable++;
		if (log->patience > deck->patience)
			deck->patience = log->patience;
	}
	return 0;
}

void
deck_release(struct deck *deck)
{
	for (size_t i = 0; i < deck->count; i++)
		free(deck->logs[i].bytes);
	free(deck->logs);
}

/* -- which are left -- */

uint64_t
deck_left(const struct deck *deck)
{
	if (deck->rounds == 0)
		return UINT64_MAX;
	return (uint64_t)deck->usable * (uint64_t)deck->rounds - deck->taken;
}

bool
deck_is_free(const struct deck *deck, const struct deck_log *log)
{
	return !log->unusable && (deck->rounds == 0 || log->uses < deck->rounds);
}

void
deck_take(struct deck *deck, struct deck_log *log)
{
	log->uses++;
	deck->taken++;
}

void
deck_give_back(struct deck *deck, struct deck_log *log)
{
	log->uses--;
	deck->taken--;
}

/* -- which fits -- */

enum opening_fit
deck_fit(const struct deck_log *log, const struct mask_set *masks, const struct opening *live,
    struct opening *more, size_t *reached)
{
	struct opening kept = {log->bytes, log->size, log->whole};
	struct deck_log read = {.item = log->item};
	enum opening_fit fit;

	if (more != NULL && more->bytes != NULL)
		kept = *more;
	fit = opening_compare(masks, &kept, live, reached);
	if (fit != OPENING_BEYOND)
		return fit;
	if (kept.size < OPENING_MAX && log_read(&read, OPENING_MAX) == NULL) {
		kept = (struct opening){read.bytes, read.size, read.whole};
		fit = opening_compare(masks, &kept, live, reached);
	}
	if (more != NULL && more->bytes == NULL)
		*more = (struct opening){read.bytes, read.size, read.whole};
	else
		free(read.bytes);
	/* Further than we look, all logs are alike. */
	return fit == OPENING_BEYOND ? OPENING_FITS : fit;
}

static bool
precedes(const struct deck_log *log, const struct deck_log *other)
{
	return other == NULL || log->uses < other->uses;
}

static void
choose(const struct deck *deck, const struct mask_set *masks, const struct opening *live,
    struct deck_choice *choice)
{
	size_t reached, furthest = 0;

	memset(choice, 0, sizeof(*choice));
	for (size_t i = 0; i < deck->count; i++) {
		struct deck_log *log = &deck->logs[i];
		enum opening_fit fit;

		if (!deck_is_free(deck, log))
			continue;
		fit = deck_fit(log, masks, live, NULL, &reached);
		if (choice->closest == NULL || reached > furthest ||
		    (reached == furthest && precedes(log, choice->closest))) {
			choice->closest = log;
			furthest = reached;
		}
		if (fit == OPENING_DEPARTS)
			continue;
		if (precedes(log, choice->fits))
			choice->fits = log;
		if (fit == OPENING_FITS && reached >= log->first &&
		    (live->ended || !log->waits_for_end)) {
			if (precedes(log, choice->answers))
				choice->answers = log;
			/* Nothing before the first one that was never played. */
			if (log->uses == 0)
				return;
		} else if (!log->silent && precedes(log, choice->speaks)) {
			choice->speaks = log;
		}
	}
}

void
deck_choose(const struct deck *deck, const struct mask_set *masks, const struct opening *live,
    struct deck_choice *choice)
{
	choose(deck, NULL, live, choice);
	if (choice->answers == NULL && masks != NULL && masks->count > 0)
		choose(deck, masks, live, choice);
}
