/* --serve: recordings play the server. */
#ifndef NETREPLAY_SERVE_H
#define NETREPLAY_SERVE_H

#include "netreplay/settings.h"

/*
 * For each client that connects the next log whose beginning fits what it sends plays the server,
 * until all are played (--loop) or a signal comes. Departures are reported. Returns the exit
 * status: 0, 1 (a departure), 2 (nothing was played).
 */
int serve_run(const struct settings *settings, const struct logset *set);

#endif
