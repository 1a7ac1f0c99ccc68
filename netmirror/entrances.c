#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/options.h"
#include "netmirror/entrances.h"

struct entrance {
	char *listen; /* as written */
	struct site *site;
	struct site *next_site; /* while a configuration is applied */
	bool is_new;
	SLIST_ENTRY(entrance) next;
};

void
entrances_init(struct entrances *entrances, struct site_common *common)
{
	entrances->common = common;
	SLIST_INIT(&entrances->all);
}

static struct listener *
entrances_listener(const struct entrances *entrances)
{
	return entrances->common->front->service.listener;
}

static void
entrance_close(struct entrances *entrances, struct entrance *entrance)
{
	SLIST_REMOVE(&entrances->all, entrance, entrance, next);
	listener_leave(entrances_listener(entrances), entrance);
	site_leave(entrance->site);
	site_leave(entrance->next_site);
	free(entrance->listen);
	free(entrance);
}

/* Several may be written alike, with port 0: the oldest that has no next site yet. */
static struct entrance *
entrance_find(struct entrances *entrances, const char *listen)
{
	struct entrance *entrance, *found = NULL;

	SLIST_FOREACH (entrance, &entrances->all, next) {
		if (entrance->next_site == NULL && strcmp(entrance->listen, listen) == 0)
			found = entrance;
	}
	return found;
}

static int
entrance_bind(
    struct entrances *entrances, struct entrance *entrance, const struct front_settings *binds)
{
	struct listener *listener = entrances_listener(entrances);
	struct address_name name;
	const char *reason;
	int inherited;

	if (binds != NULL) {
		inherited = listener_inherit(listener, entrance);
		if (inherited != 0)
			return inherited > 0 ? 0 : -1;
		return options_listen(listener, binds->binds, binds->bind_count, entrance->listen,
		    binds->family, entrance);
	}
	reason = address_split(entrance->listen, &name);
	if (reason == NULL)
		return listener_bind(listener, &name, AF_UNSPEC, entrance);
	notice(NOTICE_ERROR, "cannot listen on %s: %s", entrance->listen, reason);
	return -1;
}

static struct entrance *
entrance_open(struct entrances *entrances, const char *listen, const struct front_settings *binds)
{
	struct entrance *entrance = calloc(1, sizeof(*entrance));

	if (entrance == NULL) {
		notice(NOTICE_ERROR, "cannot listen on %s: %s", listen, strerror(errno));
		return NULL;
	}
	entrance->is_new = true;
	SLIST_INSERT_HEAD(&entrances->all, entrance, next);
	entrance->listen = strdup(listen);
	if (entrance->listen == NULL)
		notice(NOTICE_ERROR, "cannot listen on %s: %s", listen, strerror(errno));
	else if (entrance_bind(entrances, entrance, binds) == 0)
		return entrance;
	entrance_close(entrances, entrance);
	return NULL;
}

/* Have everything there that the new configuration needs. */
static int
prepare(struct entrances *entrances, struct config *config, const struct front_settings *binds)
{
	for (size_t i = 0; i < config->count; i++) {
		struct config_proxy *proxy = &config->proxies[i];
		struct entrance *entrance = entrance_find(entrances, proxy->listen);

		if (entrance == NULL)
			entrance = entrance_open(entrances, proxy->listen, binds);
		if (entrance == NULL)
			return -1;
		entrance->next_site = site_new(entrances->common, proxy);
		if (entrance->next_site == NULL) {
			notice(NOTICE_ERROR, "%s: %s", proxy->listen, strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* Back to what was before. */
static void
undo(struct entrances *entrances)
{
	struct entrance *entrance, *next;

	SLIST_FOREACH_SAFE(entrance, &entrances->all, next, next)
	{
		site_leave(entrance->next_site);
		entrance->next_site = NULL;
		if (entrance->is_new)
			entrance_close(entrances, entrance);
	}
}

int
entrances_apply(
    struct entrances *entrances, struct config *config, const struct front_settings *binds)
{
	struct entrance *entrance, *next;

	if (prepare(entrances, config, binds) == -1) {
		undo(entrances);
		return -1;
	}
	SLIST_FOREACH_SAFE(entrance, &entrances->all, next, next)
	{
		site_leave(entrance->site);
		entrance->site = entrance->next_site;
		entrance->next_site = NULL;
		entrance->is_new = false;
		if (entrance->site == NULL)
			entrance_close(entrances, entrance);
	}
	return 0;
}

void
entrances_release(struct entrances *entrances)
{
	struct entrance *entrance;

	while ((entrance = SLIST_FIRST(&entrances->all)) != NULL)
		entrance_close(entrances, entrance);
}

void
entrance_accept(void *context, int fd, const struct address *client)
{
	const struct entrance *entrance = context;

	site_accept(entrance->site, fd, client);
}
