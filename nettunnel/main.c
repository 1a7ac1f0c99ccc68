/* nettunnel: reach a server behind NAT. See nettunnel(1). */

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "nettunnel/provider.h"
#include "nettunnel/server.h"

static struct metrics_file *
start_metrics(const struct settings *settings, struct metrics *metrics)
{
	struct metrics_file *file;

	if (settings->metrics_path == NULL)
		return NULL;
	file = metrics_file_start(settings->metrics_path, "nettunnel", metrics);
	if (file == NULL)
		notice_exit("--metrics %s: %s", settings->metrics_path, strerror(errno));
	return file;
}

int
main(int argc, char **argv)
{
	static struct service service;
	static struct metrics metrics = {.sections = METRICS_TUNNEL};
	struct settings settings;
	struct server *server = NULL;
	struct provider *provider = NULL;
	struct metrics_file *metrics_file;
	const char *reason;

	settings_parse(&settings, argc, argv);
	notice_set_verbose(settings.verbose);
	if (service_init(&service, &metrics) == -1)
		err(2, "event loop");
	service.grace = settings.grace;
	if (settings.is_server)
		server = server_new(&settings, &service);
	else
		provider = provider_new(&settings, &service);
	if (server == NULL && provider == NULL)
		return 2;
	reason = settings.user != NULL ? service_drop_privileges(settings.user) : NULL;
	if (reason != NULL)
		notice_exit("--user %s: %s", settings.user, reason);
	metrics_file = start_metrics(&settings, &metrics);
	if (server != NULL)
		server_open(server);
	else
		provider_open(provider);
	if (service_run(&service) == -1)
		err(2, "poll");
	if (server != NULL)
		server_free(server);
	else
		provider_free(provider);
	metrics_file_stop(metrics_file);
	service_release(&service);
	return 0;
}
