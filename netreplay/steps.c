#include "netreplay/steps.h"

#include <stdlib.h>
#include <string.h>

#include "format/turn.h"

#define GATHER_MAX 16384 /* what was written at once is written at once, up to this size */

struct steps {
	struct reader *reader;
	struct turn_tracker turns;
	uint64_t cause;
	bool server_ended;
	int64_t response, answered;
	void (*add)(void *context, int64_t response);
	void *context;
	const char *reason;	 /* beyond what the reader tells */
	uint64_t left;		 /* of the current step's data */
	unsigned char *gathered; /* data that the reader has in several pieces */
};

struct answers {
	struct reader *reader;
	bool within; /* a server's record is being fetched */
	enum answers_end end;
};

struct steps *
steps_open(const struct logset_item *item)
{
	struct steps *steps = calloc(1, sizeof(*steps));

	if (steps == NULL)
		return NULL;
	steps->reader = logset_reader(item);
	if (steps->reader == NULL) {
		free(steps);
		return NULL;
	}
	turn_tracker_init(&steps->turns);
	return steps;
}

void
steps_free(struct steps *steps)
{
	if (steps == NULL)
		return;
	reader_free(steps->reader);
	free(steps->gathered);
	free(steps);
}

void
steps_on_response(struct steps *steps, void (*add)(void *context, int64_t response), void *context)
{
	steps->add = add;
	steps->context = context;
}

const char *
steps_message(struct steps *steps)
{
	return steps->reason != NULL ? steps->reason : reader_message(steps->reader);
}

int
steps_begin(struct steps *steps, int64_t *time)
{
	struct record record;
	enum reader_status status = reader_next(steps->reader, &record);

	if (status < 0)
		return -1;
	if (status == READER_END || record.type != RECORD_CON) {
		steps->reason =
		    status == READER_END ? "the log is empty" : "the log does not begin with con";
		return -1;
	}
	*time = record.time;
	return 0;
}

/* Note what a record says of the server, for the steps behind it. */
static void
steps_note(struct steps *steps, const struct record *record)
{
	int64_t response;

	if (turn_tracker_add(&steps->turns, record, &response)) {
		steps->response = response;
		if (steps->add != NULL)
			steps->add(steps->context, response);
	}
	if (record->side == SIDE_CLIENT)
		return;
	if (record->type == RECORD_DATA) {
		steps->cause += record->size;
		steps->answered = record->time;
	} else {
		steps->server_ended = true;
	}
}

int
steps_next(struct steps *steps, struct step *step)
{
	static const enum step_type types[] = {
	    [RECORD_DATA] = STEP_SEND, [RECORD_HUP] = STEP_END, [RECORD_ERR] = STEP_RESET};
	enum reader_status status;
	struct record record;

	steps->response = 0;
	steps->answered = INT64_MIN;
	*step = (struct step){.type = STEP_DONE};
	while ((status = reader_next(steps->reader, &record)) == READER_RECORD) {
		step->time = record.time;
		if (record.side == SIDE_CLIENT && record.type != RECORD_CON) {
			step->type = types[record.type];
			step->size = steps->left = record.size;
			break;
		}
		steps_note(steps, &record);
	}
	if (status < 0)
		return -1;
	step->cause = steps->cause;
	step->server_ended = steps->server_ended;
	step->response = steps->response;
	step->answered = steps->answered;
	if (status == READER_RECORD)
		steps_note(steps, &record);
	return 0;
}

/* Put the rest of the step's data behind the piece that was fetched. */
static ssize_t
steps_gather(struct steps *steps, const unsigned char **piece, size_t size)
{
	unsigned char *gathered = realloc(steps->gathered, size + steps->left);
	ssize_t got;

	if (gathered == NULL) {
		steps->reason = "out of memory";
		return -1;
	}
	steps->gathered = gathered;
	memcpy(gathered, *piece, size);
	for (; steps->left > 0; steps->left -= (uint64_t)got) {
		got = reader_data(steps->reader, piece);
		if (got <= 0)
			return -1;
		memcpy(gathered + size, *piece, (size_t)got);
		size += (size_t)got;
	}
	*piece = gathered;
	return (ssize_t)size;
}

ssize_t
steps_data(struct steps *steps, const unsigned char **piece)
{
	bool small = steps->left <= GATHER_MAX;
	ssize_t size = reader_data(steps->reader, piece);

	if (size <= 0)
		return size;
	steps->left -= (uint64_t)size;
	return small && steps->left > 0 ? steps_gather(steps, piece, (size_t)size) : size;
}

struct answers *
answers_open(const struct logset_item *item)
{
	struct answers *answers = calloc(1, sizeof(*answers));

	if (answers == NULL)
		return NULL;
	answers->reader = logset_reader(item);
	if (answers->reader == NULL) {
		free(answers);
		return NULL;
	}
	return answers;
}

void
answers_free(struct answers *answers)
{
	if (answers == NULL)
		return;
	reader_free(answers->reader);
	free(answers);
}

ssize_t
answers_next(struct answers *answers, const unsigned char **piece)
{
	enum reader_status status;
	struct record record;

	for (;;) {
		if (answers->within) {
			ssize_t size = reader_data(answers->reader, piece);

			if (size != 0)
				return size;
			answers->within = false;
		}
		status = reader_next(answers->reader, &record);
		if (status != READER_RECORD)
			return status == READER_END ? 0 : -1;
		if (record.side != SIDE_SERVER)
			continue;
		answers->within = record.type == RECORD_DATA;
		if (record.type == RECORD_HUP)
			answers->end = ANSWERS_HUP;
		else if (record.type == RECORD_ERR)
			answers->end = ANSWERS_ERR;
	}
}

enum answers_end
answers_end(const struct answers *answers)
{
	return answers->end;
}

const char *
answers_message(struct answers *answers)
{
	return reader_message(answers->reader);
}

bool
steps_is_tls(const unsigned char *data, size_t size)
{
	size_t record, hello;

	if (size < 11 || data[0] != 0x16 || data[1] != 3 || data[2] > 4 || data[5] != 1)
		return false;
	record = (size_t)data[3] << 8 | data[4];
	hello = (size_t)data[6] << 16 | (size_t)data[7] << 8 | data[8];
	return data[9] == 3 && hello + 4 >= record; /* a hello may go on in further records */
}
