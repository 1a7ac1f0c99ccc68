#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/base64.h"
#include "format/netlog/text.h"

/* The payload; a log that is cut inside it gives what is there, so that the line stays an object.
 */
static void
data_print(struct reader *reader)
{
	struct base64 state = {.count = 0};
	const unsigned char *piece;
	ssize_t size;

	while ((size = reader_data(reader, &piece)) > 0 && !stdout_broken())
		base64_put(&state, piece, (size_t)size, stdout);
	base64_finish(&state, stdout);
}

static void
record_print(struct reader *reader, const struct record *record, const char *name, uint64_t n)
{
	char time[TEXT_TIME_MAX];

	printf("{\"log\":%s,\"n\":%llu,\"side\":\"%c\",\"time\":%s,\"type\":\"%s\"", name,
	    (unsigned long long)n, side_letter(record->side), text_seconds(record->time, time),
	    record_type_name(record->type));
	if (record->type == RECORD_DATA) {
		printf(",\"size\":%llu,\"data\":\"", (unsigned long long)record->size);
		data_print(reader);
		putchar('"');
	}
	fputs("}\n", stdout);
}

static int
json_item(const struct logset_item *item)
{
	struct reader *reader = log_open(item);
	char *name = reader != NULL ? text_json(item->name) : NULL;
	struct record record;
	enum reader_status status = READER_RECORD;
	int result = STATUS_ERROR;

	if (reader == NULL)
		return STATUS_ERROR;
	if (name == NULL) {
		warn(NULL);
		goto release;
	}
	while (!stdout_broken() && (status = reader_next(reader, &record)) == READER_RECORD)
		record_print(reader, &record, name, item->n);
	if (status <= 0)
		result = log_finished(item, reader, status);
release:
	free(name);
	reader_free(reader);
	return result;
}

static int
json_run(struct invocation *invocation)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct logset set;
	int status = STATUS_OK;

	if (option_next(invocation, ":" COMMON_LETTERS, options) != -1)
		return invocation->status;
	if (operands_collect(invocation, &set) != 0) {
		logset_release(&set);
		return invocation->status;
	}
	for (size_t i = 0; i < set.count && !stdout_broken(); i++)
		status = status_worse(status, json_item(&set.items[i]));
	logset_release(&set);
	return status;
}

const struct command json_command = {
    .name = "json",
    .summary = "one JSON object a record, payload in base64",
    .usage = "[options] log...",
    .about = "Print one JSON object a record:\n"
	     "{\"log\",\"n\",\"side\":\"c|s\",\"time\",\"type\":\"con|data|hup|err\",\"size\","
	     "\"data\"}\n"
	     "with the payload in base64; size and data stand in data records only.\n",
    .options = "",
    .run = json_run,
};
