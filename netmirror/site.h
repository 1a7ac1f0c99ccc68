/*
 * One proxy as one configuration describes it: its server and its observers. It lives as long as
 * connections that were accepted under that configuration, so that a new one touches none of them.
 */
#ifndef NETMIRROR_SITE_H
#define NETMIRROR_SITE_H

#include "net/front.h"
#include "netmirror/answers.h"
#include "netmirror/config.h"
#include "netmirror/leg.h"

struct site;

/* What all sites of a process share. */
struct site_common {
	struct front *front;
	struct leg_set legs;
	struct tally_set tallies;
	const struct front_settings *settings; /* lent */
	struct answers_set *answers;	       /* NULL: what observers send is dropped */
	double sample;			       /* share of connections that are mirrored: 0 to 1 */
};

/* Makes one of `config`, whose addresses it takes over. Returns NULL with errno. */
struct site *site_new(struct site_common *common, struct config_proxy *config);

/* Accept no more clients; it goes when its last connection has gone. NULL is harmless. */
void site_leave(struct site *site);

/* Add what observes a connection that has come in otherwise; call it before tap_open(). */
void site_observe(void *site, struct tap *tap);

/* A client has come. */
void site_accept(struct site *site, int fd, const struct address *client);

#endif
