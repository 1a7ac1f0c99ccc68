#include "format/netlog/summary.h"

#include <stdio.h>

enum reader_status
summary_pass(
    struct reader *reader, void (*whole)(void *context, const struct record *record), void *context)
{
	enum reader_status status;
	struct record record, last = {.size = 0};
	uint64_t last_offset = 0;
	bool pending = false;

	/* a record is known to be whole only when what follows it was looked at */
	while ((status = reader_next(reader, &record)) == READER_RECORD) {
		if (pending)
			whole(context, &last);
		last = record;
		last_offset = reader_offset(reader);
		pending = true;
	}
	if (pending && reader_whole(reader) > last_offset)
		whole(context, &last);
	return status;
}

static void
summary_count(void *context, const struct record *record)
{
	struct summary *summary = context;

	if (summary->records == 0)
		summary->begin = record->time;
	summary->records++;
	summary->end = record->time;
	if (record->type == RECORD_DATA)
		summary->bytes[record->side] += record->size;
	else if (record->type != RECORD_CON)
		snprintf(summary->last_end, sizeof(summary->last_end), "%c %s",
		    side_letter(record->side), record_type_name(record->type));
}

int
summary_read(struct summary *summary, const struct logset_item *item)
{
	struct reader *reader = logset_reader(item);

	*summary = (struct summary){.records = 0};
	if (reader == NULL)
		return -1;
	summary->status = summary_pass(reader, summary_count, summary);
	summary->error = reader_error(reader);
	summary->whole = reader_whole(reader);
	summary->part = reader_part(reader);
	if (summary->status != READER_END)
		snprintf(summary->message, sizeof(summary->message), "%s", reader_message(reader));
	reader_free(reader);
	return 0;
}
