/* Connections that came and whose logs were deleted before anybody looked: the index has them
 * still. */
#ifndef FORMAT_NETLOG_UNSEEN_H
#define FORMAT_NETLOG_UNSEEN_H

#include <stddef.h>

#include "format/logset.h"
#include "format/netlog/known.h"

struct unseen;

/* Take what the index of a logroot among `operands`, which must outlive this, knows by now as
 * older: it is never counted. Returns NULL with errno. */
struct unseen *unseen_new(char *const *operands, size_t count);
void unseen_free(struct unseen *unseen);

/*
 * How many connections of the operand's index have come to be unseen since this was asked last,
 * `set` being what was found of it. A log that has come since is in the index and not in the set:
 * so one counts the second time it is without a file. `known` has the logs that were found earlier;
 * `recording` is as in logset_collect(). Returns -1 with errno.
 */
ssize_t unseen_count(struct unseen *unseen, size_t operand, const struct logset *set,
    const char *recording, const struct known *known);

#endif
