/* Standard input kept in a file, for commands that read a log more than once. */
#ifndef FORMAT_NETLOG_SPOOL_H
#define FORMAT_NETLOG_SPOOL_H

#include "format/logset.h"

/*
 * If one of the logs is standard input, copy that to an unlinked temporary file (in $TMPDIR, else
 * /tmp; at most one such log can be read) and have the item's path lead there, its name unchanged.
 * Returns 0, or -1 after a message.
 */
int spool_stdin(struct logset *set);

#endif
