#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/roots.h"
#include "format/netlog/summary.h"
#include "format/netlog/table.h"
#include "format/netlog/text.h"
#include "format/times.h"
#include "format/units.h"

enum column {
	COLUMN_NUMBER,
	COLUMN_START,
	COLUMN_DURATION,
	COLUMN_CLIENT,
	COLUMN_SERVER,
	COLUMN_CLIENT_BYTES,
	COLUMN_SERVER_BYTES,
	COLUMN_END,
	COLUMN_LOST,
	COLUMN_RUN,
	COLUMN_LOG,
	COLUMN_COUNT
};

static const struct table_column columns[COLUMN_COUNT] = {
    [COLUMN_NUMBER] = {"n", true, false},
    [COLUMN_START] = {"start", false, false},
    [COLUMN_DURATION] = {"duration", true, false},
    [COLUMN_CLIENT] = {"client", false, false},
    [COLUMN_SERVER] = {"server", false, false},
    [COLUMN_CLIENT_BYTES] = {"c bytes", true, false},
    [COLUMN_SERVER_BYTES] = {"s bytes", true, false},
    [COLUMN_END] = {"end", false, false},
    [COLUMN_LOST] = {"lost", true, true},
    [COLUMN_RUN] = {"run", false, true},
    [COLUMN_LOG] = {"log", false, false},
};

static void
cell_size(struct table *table, enum column column, uint64_t size)
{
	char text[UNITS_TEXT_MAX];

	table_set(table, column, units_format_size(size, text));
}

static void
row_begin(struct table *table, uint64_t n)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)n);
	table_row(table);
	table_set(table, COLUMN_NUMBER, n > 0 ? number : "-");
}

/* What the index says of a connection, as far as it goes. */
static void
row_entry(struct table *table, const struct index_entry *entry)
{
	char text[TEXT_TIME_MAX], time[UNITS_TEXT_MAX];

	table_set(table, COLUMN_START,
	    entry->start != 0 ? text_wall(entry->start, 3, text) : text_seconds(entry->time, text));
	table_set(table, COLUMN_CLIENT, text_name(entry->client));
	table_set(table, COLUMN_SERVER, text_name(entry->server));
	table_set(table, COLUMN_RUN, text_name(entry->run));
	if (!entry->closed)
		return;
	table_set(table, COLUMN_DURATION, units_format_time(entry->duration, time));
	cell_size(table, COLUMN_CLIENT_BYTES, entry->bytes[SIDE_CLIENT]);
	cell_size(table, COLUMN_SERVER_BYTES, entry->bytes[SIDE_SERVER]);
	table_set(table, COLUMN_END, entry->end[0] != '\0' ? text_name(entry->end) : "-");
	if (entry->lost > 0)
		cell_size(table, COLUMN_LOST, entry->lost);
}

/* What only the log itself tells. Returns the exit status. */
static int
row_scan(struct table *table, const struct logset_item *item)
{
	struct summary summary;
	char text[TEXT_TIME_MAX], time[UNITS_TEXT_MAX];
	int status;

	if (summary_read(&summary, item) != 0) {
		warn("%s", text_name(item->name));
		table_set(table, COLUMN_END, "unreadable");
		return STATUS_ERROR;
	}
	if (summary.records > 0 && !item->indexed)
		table_set(table, COLUMN_START, text_seconds(summary.begin, text));
	if (summary.records > 0)
		table_set(table, COLUMN_DURATION,
		    units_format_time(times_subtract(summary.end, summary.begin), time));
	cell_size(table, COLUMN_CLIENT_BYTES, summary.bytes[SIDE_CLIENT]);
	cell_size(table, COLUMN_SERVER_BYTES, summary.bytes[SIDE_SERVER]);
	status = log_status(summary.status, summary.error);
	if (status == STATUS_OK) {
		table_set(table, COLUMN_END, summary.last_end[0] != '\0' ? summary.last_end : "-");
	} else {
		warnx("%s", summary.message);
		table_set(table, COLUMN_END, summary.status == READER_CUT ? "cut" : "damaged");
	}
	return status;
}

static int
list_item(struct table *table, const struct logset_item *item)
{
	row_begin(table, item->n);
	table_set(table, COLUMN_LOG, text_name(item->name));
	if (item->indexed)
		row_entry(table, &item->entry);
	if (item->indexed && item->entry.closed)
		return STATUS_OK;
	return row_scan(table, item);
}

static void
list_missing(void *context, const char *root, const struct index_entry *entry)
{
	struct table *table = context;
	char name[1024];
	const char *slash = strrchr(root, '/');

	snprintf(name, sizeof(name), "%.*s%s", slash != NULL ? (int)(slash + 1 - root) : 0, root,
	    entry->log);
	row_begin(table, entry->n);
	row_entry(table, entry);
	table_set(table, COLUMN_LOG, text_name(name));
	table_set(table, COLUMN_END, "(file is gone)");
}

/* Columns that would say nothing, or the same in every row, are left out. */
static unsigned
columns_hidden(const struct invocation *invocation, const struct logset *set, size_t operands)
{
	unsigned hidden = 0;
	bool numbered = operands == 1;

	for (size_t i = 0; i < set->count; i++)
		numbered = numbered && set->items[i].n > 0;
	if (invocation->verbose == 0 && numbered)
		hidden |= 1u << COLUMN_LOG;
	if (invocation->verbose == 0)
		hidden |= 1u << COLUMN_RUN;
	return hidden;
}

static int
list_logs(struct invocation *invocation, char *const *operands, size_t count)
{
	struct table *table = table_new(columns, COLUMN_COUNT);
	struct logset set = {.count = 0};
	int status = STATUS_OK;

	if (table == NULL) {
		warn(NULL);
		return STATUS_ERROR;
	}
	if (logset_collect(&set, operands, count, invocation->recording) != 0) {
		warnx("%s", set.error);
		status = STATUS_ERROR;
		goto release;
	}
	for (size_t i = 0; i < set.count; i++)
		status = status_worse(status, list_item(table, &set.items[i]));
	if (set.missing > 0)
		roots_missing(&set, operands, count, invocation->recording, list_missing, table);
	if (table_print(table, !invocation->quiet, columns_hidden(invocation, &set, count)) != 0) {
		warn(NULL);
		status = STATUS_ERROR;
	}
release:
	logset_release(&set);
	table_free(table);
	return status;
}

static int
list_run(struct invocation *invocation)
{
	static const struct option options[] = {COMMON_OPTIONS};
	char **roots;
	size_t count;
	int status;

	if (option_next(invocation, ":" COMMON_LETTERS, options) != -1)
		return invocation->status;
	if (optind < invocation->argc)
		return list_logs(
		    invocation, invocation->argv + optind, (size_t)(invocation->argc - optind));
	roots = roots_here(&count);
	if (roots == NULL) {
		warn("current directory");
		return STATUS_ERROR;
	}
	if (count == 0)
		status =
		    usage_error(invocation, "no logs in the current directory, and none given");
	else
		status = list_logs(invocation, roots, count);
	roots_free(roots, count);
	return status;
}

const struct command list_command = {
    .name = "list",
    .summary = "a table of connections, with their addresses, sizes and ends",
    .usage = "[options] [log...]",
    .about = "Print a table of connections. Without a log, of all logroots in the current\n"
	     "directory. Starts are local time where the index knows it, else seconds since\n"
	     "the recorder started. The last column is the record that ended the connection,\n"
	     "- if there is none (yet), \"cut\" if the log ends inside a record. -v adds the\n"
	     "recorder's run and the log's name, -q leaves the header out.\n",
    .options = "",
    .run = list_run,
};
