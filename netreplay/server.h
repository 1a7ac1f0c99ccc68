/* --server: the server under test, started by netreplay. */
#ifndef NETREPLAY_SERVER_H
#define NETREPLAY_SERVER_H

#include <stdint.h>

#include "net/address.h"

struct server;

/*
 * Start `command`, split at blanks with "..." and '...' and \ as a shell splits them (no shell: no
 * expansion), in a process group of its own, its stdin /dev/null, its stdout joined to our stderr;
 * and wait until `targets` accept a connection, `patience` nanoseconds at most. Something that
 * listens there already before the start is an error. Returns NULL after telling the user why (it
 * ended with status N, it does not listen).
 */
struct server *server_start(
    const char *command, const struct address_list *targets, int64_t patience);

/* End it: TERM to its group, KILL after 5 s, or at once when a signal comes that asks us to end;
 * wait until nothing listens there any more. Tells if it had ended by itself. NULL is harmless. */
void server_stop(struct server *server);

/* Have it end at once, without waiting for that: KILL to its group. NULL is harmless. */
void server_kill(const struct server *server);

#endif
