/* Standard input and pipes kept in files, for commands that read a log more than once. */
#ifndef FORMAT_SPOOL_H
#define FORMAT_SPOOL_H

#include "format/logset.h"

/*
 * Copy every log that can be read only once to an unlinked temporary file (in $TMPDIR, else /tmp)
 * and have the item's path lead there, its name unchanged. Returns 0, or -1 with errno and
 * set->error.
 */
int spool_streams(struct logset *set);

/* Can the log be read only once? */
bool spool_needed(const struct logset_item *item);

/* Returns the descriptor of an empty file without a name, as copies are kept in, or -1 with errno.
 */
int spool_open(void);

#endif
