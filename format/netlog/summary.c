#include "format/netlog/summary.h"

#include <stdio.h>
#include <string.h>

static void
summary_count(struct summary *summary, const struct record *record)
{
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
	struct record record, last = {.size = 0};
	uint64_t last_offset = 0;
	bool pending = false;

	*summary = (struct summary){.records = 0};
	if (reader == NULL)
		return -1;
	/* a record is known to be whole only when what follows it was looked at */
	while ((summary->status = reader_next(reader, &record)) == READER_RECORD) {
		if (pending)
			summary_count(summary, &last);
		last = record;
		last_offset = reader_offset(reader);
		pending = true;
	}
	summary->error = reader_error(reader);
	summary->whole = reader_whole(reader);
	if (pending && summary->whole > last_offset)
		summary_count(summary, &last);
	if (summary->status != READER_END)
		snprintf(summary->message, sizeof(summary->message), "%s", reader_message(reader));
	reader_free(reader);
	return 0;
}
