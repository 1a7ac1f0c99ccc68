/* Where clients come in: the listening addresses of all proxies, and the site that each now leads
 * to. */
#ifndef NETMIRROR_ENTRANCES_H
#define NETMIRROR_ENTRANCES_H

#include "netmirror/site.h"

struct entrance;

struct entrances {
	struct site_common *common;
	SLIST_HEAD(, entrance) all;
};

void entrances_init(struct entrances *entrances, struct site_common *common);

/*
 * Make the proxies those of `config`, which is resolved, and whose addresses are taken over: an
 * address that is listened on already only leads elsewhere from now on, others are bound or closed.
 * Nothing changes for connections there are. `binds` are for a port without address, as from the
 * command line; NULL for a file. Returns -1 after telling the user why, all being as before.
 */
int entrances_apply(
    struct entrances *entrances, struct config *config, const struct front_settings *binds);

void entrances_release(struct entrances *entrances);

/* A client has come: what the listener calls; `context` is the entrance. */
void entrance_accept(void *context, int fd, const struct address *client);

#endif
