/* HUP: the configuration is read anew by a thread of its own, since resolving names may take long,
 * and applied by the loop. */
#ifndef NETMIRROR_RELOAD_H
#define NETMIRROR_RELOAD_H

#include "netmirror/entrances.h"

struct reload;

/* Returns NULL with errno. `path` and `entrances` are lent. */
struct reload *reload_new(const char *path, int family, struct entrances *entrances);

/* Read the file and use it; a bad one is told and refused. What service.reload calls; `context` is
 * the reload. */
void reload_start(void *context);

/* Waits for the thread if there is one. NULL is harmless. */
void reload_free(struct reload *reload);

#endif
