#include "format/netlog/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_MOST 32
#define CELL_GAP 2

struct table {
	const struct table_column *columns;
	size_t column_count;
	char **cells; /* row by row; NULL is empty */
	size_t rows, room;
	int widths[COLUMN_MOST];
	bool failed;
};

struct table *
table_new(const struct table_column *columns, size_t count)
{
	struct table *table;

	if (count > COLUMN_MOST) {
		errno = EINVAL;
		return NULL;
	}
	table = calloc(1, sizeof(*table));
	if (table != NULL) {
		table->columns = columns;
		table->column_count = count;
	}
	return table;
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->rows * table->column_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void
table_row(struct table *table)
{
	if (table->rows == table->room) {
		size_t room = table->room > 0 ? 2 * table->room : 64;
		char **cells =
		    reallocarray(table->cells, room, table->column_count * sizeof(*table->cells));
		if (cells == NULL) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	memset(table->cells + table->rows * table->column_count, 0,
	    table->column_count * sizeof(*table->cells));
	table->rows++;
}

void
table_set(struct table *table, unsigned column, const char *text)
{
	char **cell;
	int width = (int)strlen(text);

	if (table->failed || table->rows == 0 || width == 0)
		return;
	cell = &table->cells[(table->rows - 1) * table->column_count + column];
	free(*cell);
	*cell = strdup(text);
	if (*cell == NULL)
		table->failed = true;
	if (width > table->widths[column])
		table->widths[column] = width;
}

static void
line_print(const struct table *table, char *const *cells, unsigned hidden)
{
	int pad = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		const char *text = cells != NULL ? cells[i] : table->columns[i].title;
		int width = table->widths[i], title = (int)strlen(table->columns[i].title);
		if ((width == 0 && table->columns[i].optional) || (hidden & 1u << i) != 0)
			continue;
		if (width < title)
			width = title;
		if (text == NULL)
			text = "-";
		/* padding is held back until something follows: no blanks at a line's end */
		printf("%*s", pad, "");
		if (table->columns[i].right)
			printf("%*s", width - (int)strlen(text), "");
		fputs(text, stdout);
		pad = CELL_GAP + (table->columns[i].right ? 0 : width - (int)strlen(text));
	}
	putchar('\n');
}

int
table_print(const struct table *table, bool header, unsigned hidden)
{
	if (table->failed) {
		errno = ENOMEM;
		return -1;
	}
	if (header)
		line_print(table, NULL, hidden);
	for (size_t row = 0; row < table->rows; row++)
		line_print(table, table->cells + row * table->column_count, hidden);
	return 0;
}
