/*
 * A log that can be read only once, as standard input, and that is followed: what comes is copied
 * to a file without a name, for two readers at their own pace, and what both have read is let go.
 */
#ifndef FORMAT_NETLOG_INTAKE_H
#define FORMAT_NETLOG_INTAKE_H

#include "format/source.h"

#define INTAKE_READERS 2

struct intake;

/* Of the file `path`, or "-" for standard input. Returns NULL with errno. */
struct intake *intake_new(const char *path);

/* Release it, after its sources; NULL is harmless. */
void intake_free(struct intake *intake);

/*
 * A source for reader `number`, once for each: what has come, from its beginning. It never waits:
 * read() returns 0 where nothing is there yet, and looks again when it is called again. Returns
 * NULL with errno.
 */
struct source *intake_source(struct intake *intake, unsigned number);

/* Has all come, so that a 0 of read() is the log's end? */
bool intake_ended(const struct intake *intake);

#endif
