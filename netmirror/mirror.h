/* The observer of one connection that has a leg to each observer of its proxy. */
#ifndef NETMIRROR_MIRROR_H
#define NETMIRROR_MIRROR_H

#include "netmirror/answers.h"
#include "netmirror/leg.h"

/* Where the connections of one proxy, or of a capture, are mirrored to. */
struct mirror_config {
	struct leg_set *legs;
	const struct target *targets;
	size_t target_count;
	struct answers_set *answers; /* NULL: what observers send is dropped */
	/* It and its targets are kept by mirrors alive: called for each when it has gone. */
	void (*gone)(void *context);
	void *context;
};

/* Mirror the connection of `tap`; `config` lives until config->gone() was called for it. Returns -1
 * with errno. */
int mirror_attach(const struct mirror_config *config, struct tap *tap);

#endif
