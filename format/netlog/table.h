/* An aligned table, kept until it is printed because its widths depend on all rows. */
#ifndef FORMAT_NETLOG_TABLE_H
#define FORMAT_NETLOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table_column {
	const char *title;
	bool right;    /* aligned to the right, as numbers are */
	bool optional; /* left out if no row has a value there */
};

struct table;

/* `columns` must outlive the table; at most 32. Returns NULL with errno. */
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);

/* Begin a row of empty cells. A lack of memory is told by table_print(). */
void table_row(struct table *table);

/* Fill a cell of the current row; `text` is copied. */
void table_set(struct table *table, unsigned column, const char *text);

/* Print to stdout, optional columns without a value and those in the set `hidden` left out.
 * Returns 0, or -1 with errno if memory was lacking. */
int table_print(const struct table *table, bool header, unsigned hidden);

#endif
