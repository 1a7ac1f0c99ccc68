/* How log files are named: <root>_<n>, its further parts <root>_<n>.<part>, both perhaps .gz, and
 * <root><n> of old. */
#ifndef FORMAT_LOGNAME_H
#define FORMAT_LOGNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_SUFFIX "_index.jsonl" /* what the index of a root is called beside its logs */

struct logname {
	size_t root_length; /* the root is that many bytes of the name */
	uint64_t n;	    /* its number, 1 or more */
	unsigned part;	    /* 0 for the first part */
	bool gzip;	    /* the name ends in ".gz" */
	bool joined;	    /* spelt <root><n>; has no parts */
};

/* Does `name` (a base name) name a log, or a part of one, under the root whose base name is `root`?
 * `parsed` is set if so. */
bool logname_match(const char *name, const char *root, struct logname *parsed);

/* The same for paths, as far as their spelling tells: does `path` lie beside `root`, as a log of
 * it?
 */
bool logname_beside(const char *path, const char *root, struct logname *parsed);

/* The same for a name whose root is not known: it ends before the last "_<n>", else before the last
 * digits. */
bool logname_parse(const char *name, struct logname *parsed);

/* The path of the log's part `part`, spelt as `path` (a first or further part of it) is. Returns
 * NULL with errno (EINVAL: `path` is no log's name); free it. */
char *logname_part(const char *path, unsigned part, bool gzip);

/* Do both paths lie in one directory, however it is spelt? `names` are then what stands behind it;
 * lent. */
bool logname_neighbours(const char *one, const char *other, const char *names[2]);

/* May nothing else be written to `path`, existing or not: is it, however its directory is spelt and
 * also as a symbolic link, the name of a log under `root`, or that of its index? */
bool logname_reserved(const char *path, const char *root);

#endif
