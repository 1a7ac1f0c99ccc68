/*
 * The logs that a command's operands name: a file, a .gz, "-", or a logroot (all its connections).
 * Finds the parts of split logs, joins them, and looks each log up in the index.
 */
#ifndef FORMAT_LOGSET_H
#define FORMAT_LOGSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/index.h"
#include "format/reader.h"

struct logset_item {
	char *name;   /* path of the first part, "-" for standard input: what messages call it */
	char **parts; /* paths in order */
	size_t part_count;
	uint64_t end;		  /* its readers read no record that begins there or behind */
	unsigned first_part;	  /* 0, or more when --keep deleted the first ones */
	bool behind_gap;	  /* parts between it and the item before are missing */
	uint64_t n;		  /* its number, 0 if the name has none */
	bool indexed;		  /* `entry` is set */
	struct index_entry entry; /* from the index beside it */
};

struct logset {
	struct logset_item *items;
	size_t count;
	size_t missing;	 /* connections that the index knows and no file holds */
	char error[512]; /* after a failure: one line, "root: no log of that name" */
};

/*
 * Collect the logs that `operands` name. Operands keep their order; within a logroot logs are
 * ordered by the wall clock of their start where the index has it, by number else. An operand that
 * names an existing file is that file with the parts .1, .2 ... that follow it; one that follows a
 * file named before it is there already. Else the operand is a logroot. `recording`, if not NULL,
 * keeps only the logs whose run has that id (a unique beginning of it will do). Returns 0, or -1
 * with errno and set->error; release with logset_release() in either case.
 */
int logset_collect(struct logset *set, char *const *operands, size_t count, const char *recording);
void logset_release(struct logset *set);

/* Set set->error: what is wrong with `subject`, without control characters. Returns -1; errno is
 * kept. */
int logset_fail(struct logset *set, const char *subject, const char *problem);

/* Is the log's wall clock known? The index may have its entry and not know it. */
bool logset_has_wall(const struct logset_item *item);

/* A reader over all parts of the item, in order. Returns NULL with errno. */
struct reader *logset_reader(const struct logset_item *item);

/* As logset_reader(), but a file that cannot be opened is what reader_next() tells. */
struct reader *logset_reader_late(const struct logset_item *item);

#endif
