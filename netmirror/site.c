#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/proxy.h"
#include "netmirror/mirror.h"
#include "netmirror/site.h"

struct site {
	struct site_common *common;
	size_t references; /* connections, and one until site_leave() */
	struct proxy *proxy;
	struct address_list server;
	struct mirror_config mirrored, plain; /* for connections that are in the sample or not */
	struct target targets[];
};

static void
site_free(struct site *site)
{
	for (size_t i = 0; i < site->mirrored.target_count; i++)
		address_list_release(&site->targets[i].addresses);
	address_list_release(&site->server);
	proxy_free(site->proxy);
	free(site);
}

static void
site_less(void *context)
{
	struct site *site = context;

	if (--site->references == 0)
		site_free(site);
}

/*
 * Is the connection number `id` in the sample? The multiples of the golden ratio fall evenly into
 * every share, whatever the pattern in which clients come.
 */
static bool
is_sampled(const struct site_common *common, uint64_t id)
{
	uint64_t part = id * UINT64_C(0x9e3779b97f4a7c15);

	return common->sample >= 1 || (double)(part >> 11) < common->sample * 0x1p53;
}

void
site_observe(void *context, struct tap *tap)
{
	struct site *site = context;
	struct site_common *common = site->common;
	bool sampled = is_sampled(common, tap->info.id);

	front_observe(common->front, tap);
	if (mirror_attach(sampled ? &site->mirrored : &site->plain, tap) == 0)
		site->references++;
	else
		notice(NOTICE_WARNING, "a connection is not mirrored: %s", strerror(errno));
}

struct site *
site_new(struct site_common *common, struct config_proxy *config)
{
	struct site *site =
	    calloc(1, sizeof(*site) + config->observer_count * sizeof(site->targets[0]));
	struct proxy_config proxy = {.relays = &common->front->service.relays,
	    .connect_timeout = common->settings->connect_timeout,
	    .observe = site_observe,
	    .context = site,
	    .script = common->front->script,
	    .family = common->settings->family,
	    .route_limit = common->settings->route_limit,
	    .route_timeout = common->settings->route_timeout};

	if (site == NULL)
		return NULL;
	site->common = common;
	site->references = 1;
	site->server = config->target.addresses;
	memset(&config->target.addresses, 0, sizeof(config->target.addresses));
	site->plain = (struct mirror_config){.legs = &common->legs,
	    .targets = site->targets,
	    .answers = common->answers,
	    .gone = site_less,
	    .context = site};
	site->mirrored = site->plain;
	/* What is received at once must be little beside a queue. Where there is none, all of it.
	 */
	if (config->observer_count > 0)
		proxy.relays->read_max = common->legs.queue / 4;
	for (size_t i = 0; i < config->observer_count; i++) {
		struct config_peer *observer = &config->observers[i];

		site->targets[i].tally =
		    tally_get(&common->tallies, config->listen, observer->name);
		if (site->targets[i].tally == NULL)
			goto fail;
		site->targets[i].addresses = observer->addresses;
		memset(&observer->addresses, 0, sizeof(observer->addresses));
		site->mirrored.target_count++;
	}
	proxy.targets = &site->server;
	site->proxy = proxy_new(&proxy);
	if (site->proxy != NULL)
		return site;
fail:
	site_free(site);
	return NULL;
}

void
site_leave(struct site *site)
{
	if (site != NULL)
		site_less(site);
}

void
site_accept(struct site *site, int fd, const struct address *client)
{
	proxy_accept(site->proxy, fd, client);
}
