/* The line on a terminal that tells how far a replay is. */
#ifndef NETREPLAY_PROGRESS_H
#define NETREPLAY_PROGRESS_H

#include "netreplay/session.h"

struct progress;

/* Begin to show it on stderr, if that is a terminal and it is `wanted`; else NULL is returned. */
struct progress *progress_start(const struct play *play, uint64_t total, bool wanted);

/* Take the line away; NULL is harmless. */
void progress_stop(struct progress *progress);

#endif
