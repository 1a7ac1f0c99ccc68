/* The logs that were found already, whichever of their files are there by now. */
#ifndef FORMAT_NETLOG_KNOWN_H
#define FORMAT_NETLOG_KNOWN_H

#include <stdbool.h>

struct known {
	void *keys; /* tsearch(3); NULL: there is none yet */
};

/*
 * What a log is known by, given the path of any of its files: that of its first file, uncompressed;
 * a path that is not named as a log stands for itself. Returns NULL with errno; free it.
 */
char *known_key(const char *path);

/* Was the log added that the file `path` is of? */
bool known_has(const struct known *known, const char *path);

/* Returns -1 with errno. */
int known_add(struct known *known, const char *path);

void known_release(struct known *known);

#endif
