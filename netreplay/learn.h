/*
 * --learn: makes patterns out of what differs between a recording and several replays of it: as
 * narrow as will do, for a person to review.
 */
#ifndef NETREPLAY_LEARN_H
#define NETREPLAY_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "format/align.h"

struct learn; /* what was learned so far */

struct learn *learn_new(void); /* NULL with errno */
void learn_free(struct learn *learn);

/* One difference of connection `name`, as align tells it. Returns -1 with errno ENOMEM. */
int learn_difference(
    struct learn *learn, const char *name, const struct align_difference *difference);

/*
 * Add a mask to `masks` for all that is not covered yet: made from the differences since the last
 * call, and widened where an earlier mask of its own was not wide enough. Returns how many were
 * added or widened, 0 if nothing new was seen, or -1 with a one-line reason if there were only
 * differences that no narrow pattern covers, which are named. What was learned stays, and may be
 * written.
 */
int learn_apply(struct learn *learn, struct mask_set *masks, char *error, size_t error_size);

/* There are to be no more runs, though the last learn_apply() has added something: a one-line
 * reason that names one of these differences. */
void learn_unsettled(const struct learn *learn, char *error, size_t error_size);

/* Write the learned patterns as a file for -I: each with a comment that says where it was seen and
 * what it matched. Returns -1 with errno. */
int learn_write(const struct learn *learn, FILE *stream);

#endif
