/* The files of a logroot: one reading of its directory, sorted. */
#ifndef FORMAT_LOGSCAN_H
#define FORMAT_LOGSCAN_H

#include "format/logname.h"

struct logscan_file {
	char *path; /* the logroot's directory as the user wrote it, and the file's name */
	struct logname name;
};

struct logscan {
	struct logscan_file
	    *files; /* by number, then part; the old spelling after the new one of a number */
	size_t count;
};

/*
 * Find all logs and parts of `root`. Of a part that is there both plain and as .gz (gzip(1) is at
 * work) only the plain file is listed. Returns 0, also if there is none, or -1 with errno; release
 * in either case.
 */
int logscan_read(struct logscan *scan, const char *root);
void logscan_release(struct logscan *scan);

#endif
