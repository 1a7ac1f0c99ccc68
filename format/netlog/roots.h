/* What logset does not tell: connections whose logs are gone, and the logroots of a directory. */
#ifndef FORMAT_NETLOG_ROOTS_H
#define FORMAT_NETLOG_ROOTS_H

#include "format/logset.h"

/* Call `found` for each connection that the index of a logroot among `operands` knows and `set`
 * does not hold; `recording` as in logset_collect(). */
void roots_missing(const struct logset *set, char *const *operands, size_t count,
    const char *recording,
    void (*found)(void *context, const char *root, const struct index_entry *entry), void *context);

/* The logroots in the current directory, sorted: names with an index, and with files that are named
 * as logs and begin as such. Returns NULL with errno. */
char **roots_here(size_t *count);
void roots_free(char **roots, size_t count);

#endif
