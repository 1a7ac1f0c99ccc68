#include "netreplay/cues.h"

#include <stdlib.h>

#include "format/times.h"

struct cues {
	struct reader *reader;
	struct cue next;    /* what is known so far of the next cue */
	int64_t cause_time; /* of the last client record */
	int64_t cue_time;   /* of the cue before */
	const char *reason; /* beyond what the reader tells */
};

struct requests {
	struct reader *reader;
	bool within; /* a client's record is being fetched */
};

/* -- what the server did -- */

struct cues *
cues_open(const struct logset_item *item)
{
	struct cues *cues = calloc(1, sizeof(*cues));
	struct record record;
	enum reader_status status;

	if (cues == NULL)
		return NULL;
	cues->reader = logset_reader(item);
	if (cues->reader == NULL) {
		free(cues);
		return NULL;
	}
	status = reader_next(cues->reader, &record);
	if (status == READER_RECORD && record.type == RECORD_CON)
		cues->cause_time = cues->cue_time = record.time;
	else if (status >= 0)
		cues->reason =
		    status == READER_END ? "the log is empty" : "the log does not begin with con";
	return cues;
}

void
cues_free(struct cues *cues)
{
	if (cues == NULL)
		return;
	reader_free(cues->reader);
	free(cues);
}

static void
cues_note_client(struct cues *cues, const struct record *record)
{
	cues->cause_time = record->time;
	cues->next.cause += record->size;
	if (record->type == RECORD_ERR && !cues->next.client_ended)
		cues->next.client_reset = true;
	if (record->type == RECORD_HUP || record->type == RECORD_ERR)
		cues->next.client_ended = true;
	if (record->type == RECORD_ERR)
		cues->next.client_failed = true;
}

int
cues_next(struct cues *cues, struct cue *cue)
{
	static const enum cue_type types[] = {
	    [RECORD_DATA] = CUE_SEND, [RECORD_HUP] = CUE_END, [RECORD_ERR] = CUE_RESET};
	enum reader_status status;
	struct record record;

	if (cues->reason != NULL)
		return -1;
	while ((status = reader_next(cues->reader, &record)) == READER_RECORD) {
		if (record.side == SIDE_SERVER)
			break;
		cues_note_client(cues, &record);
	}
	if (status == READER_BAD || status == READER_FAILED)
		return -1;
	*cue = cues->next;
	cue->size = status == READER_RECORD ? record.size : 0;
	cue->type = status == READER_RECORD ? types[record.type] : CUE_DONE;
	if (status == READER_RECORD && record.time > cues->cause_time)
		cue->after = times_subtract(record.time, cues->cause_time);
	if (cues->cause_time > cues->cue_time)
		cue->patience = times_subtract(cues->cause_time, cues->cue_time);
	if (status == READER_RECORD)
		cues->cue_time = record.time;
	if (cue->type == CUE_END)
		cues->next.server_ended = true;
	return 0;
}

ssize_t
cues_data(struct cues *cues, const unsigned char **piece)
{
	struct record record;
	ssize_t size = reader_data(cues->reader, piece);

	/* Cut here: what the server sent was recorded this far. */
	if (size == -1 && reader_next(cues->reader, &record) == READER_CUT)
		return 0;
	return size;
}

const char *
cues_message(struct cues *cues)
{
	return cues->reason != NULL ? cues->reason : reader_message(cues->reader);
}

/* -- what the client sent -- */

struct requests *
requests_open(const struct logset_item *item)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (requests == NULL)
		return NULL;
	requests->reader = logset_reader(item);
	if (requests->reader == NULL) {
		free(requests);
		return NULL;
	}
	return requests;
}

void
requests_free(struct requests *requests)
{
	if (requests == NULL)
		return;
	reader_free(requests->reader);
	free(requests);
}

/* The log has no more: 0 where that is no damage. */
static ssize_t
requests_over(enum reader_status status)
{
	return status == READER_END || status == READER_CUT ? 0 : -1;
}

ssize_t
requests_next(struct requests *requests, const unsigned char **piece)
{
	enum reader_status status;
	struct record record;
	ssize_t size;

	for (;;) {
		size = requests->within ? reader_data(requests->reader, piece) : 0;
		if (size > 0)
			return size;
		requests->within = false;
		status = reader_next(requests->reader, &record);
		if (status != READER_RECORD)
			return requests_over(status);
		requests->within = record.side == SIDE_CLIENT && record.type == RECORD_DATA;
	}
}

const char *
requests_message(struct requests *requests)
{
	return reader_message(requests->reader);
}
