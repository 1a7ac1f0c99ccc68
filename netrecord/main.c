/* netrecord: proxy a TCP port and write one log per connection. See netrecord(1). */

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/segment_peer.h"
#include "net/front.h"
#include "net/notice.h"
#include "net/options.h"
#include "net/proxy.h"

static const char usage_text[] =
    "usage: netrecord [options] host port proxyport logroot\n"
    "\n"
    "Listen on proxyport, forward every connection to host:port, and write one log\n"
    "per connection: logroot_1, logroot_2, ... Read them with netlog(1).\n"
    "\n" FRONT_HELP_LISTEN FRONT_HELP_LOGS
    "  -w, --pcap FILE              also write a live capture (pcapng); - for "
    "stdout\n" FRONT_HELP_SCRIPT FRONT_HELP_SERVE;

static const struct option long_options[] = {
    FRONT_LONG_OPTIONS,
    {"pcap", required_argument, NULL, 'w'},
    OPTIONS_COMMON_LONG,
};

struct settings {
	struct front_settings front;
	const char *host, *port; /* port NULL: host is "host:port" or "unix:/path" */
	const char *proxy_port;
};

/* Everything that runs. */
struct netrecord {
	struct front front;
	struct address_list targets;
	struct proxy *proxy;
};

static void
parse_option(struct settings *settings, int option, char *value)
{
	options_help(option, usage_text);
	if (option == 'w')
		settings->front.capture.path = value;
	else if (front_option(&settings->front, option, value) == -1)
		exit(2);
}

static void
parse_arguments(struct settings *settings, int argc, char **argv)
{
	int option, left;

	memset(settings, 0, sizeof(*settings));
	front_settings_init(&settings->front);
	opterr = 0;
	while ((option = getopt_long(
		    argc, argv, ":" FRONT_SHORT_OPTIONS "w:", long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv, long_options);
			exit(2);
		}
		parse_option(settings, option, optarg);
	}
	argv += optind;
	left = argc - optind;
	if (left != 4 && left != 3)
		options_refuse(left > 4 ? "too many operands"
					: "host, port, proxyport and logroot are needed");
	settings->host = argv[0];
	settings->port = left == 4 ? argv[1] : NULL;
	settings->proxy_port = argv[left - 2];
	settings->front.recorder.root = argv[left - 1];
	settings->front.must_route = strcmp(settings->host, "-") == 0 &&
				     (settings->port == NULL || strcmp(settings->port, "-") == 0);
	if (settings->front.must_route && settings->front.script_path == NULL)
		options_refuse("host -: only a script (-s) can choose the server");
	if (settings->front.recorder.root[0] == '\0')
		options_refuse("logroot is empty");
}

static void
observe(void *context, struct tap *tap)
{
	front_observe(context, tap);
}

static void
start_listening(struct netrecord *netrecord, const struct settings *settings)
{
	const struct front_settings *front = &settings->front;
	struct service *service = &netrecord->front.service;
	struct proxy_config proxy = {.relays = &service->relays,
	    .targets = &netrecord->targets,
	    .connect_timeout = front->connect_timeout,
	    .observe = observe,
	    .context = &netrecord->front,
	    .script = netrecord->front.script,
	    .family = front->family,
	    .route_limit = front->route_limit,
	    .route_timeout = front->route_timeout};
	int inherited;

	netrecord->proxy = proxy_new(&proxy);
	if (netrecord->proxy == NULL)
		err(2, NULL);
	inherited = listener_inherit(service->listener, netrecord->proxy);
	if (inherited == -1)
		exit(2);
	if (inherited == 0 && options_listen(service->listener, front->binds, front->bind_count,
				  settings->proxy_port, front->family, netrecord->proxy) == -1)
		exit(2);
}

/* The server's name in a capture: NULL if it has none but its address, or scripts choose others. */
static const char *
server_name(const struct settings *settings, struct address_name *name)
{
	struct segment_peer peer;
	const char *wrong = settings->port != NULL
				? address_join(settings->host, settings->port, name)
				: address_split(settings->host, name);

	if (wrong != NULL || name->is_unix || settings->front.script_path != NULL ||
	    segment_peer_parse(name->host, &peer) == NULL)
		return NULL;
	return name->host;
}

int
main(int argc, char **argv)
{
	static struct netrecord netrecord;
	struct settings settings;
	struct address_name name;
	int status;

	parse_arguments(&settings, argc, argv);
	settings.front.capture.comment = settings.front.recorder.root;
	settings.front.capture.server_name = server_name(&settings, &name);
	notice_set_verbose(settings.front.verbose);
	if (!settings.front.must_route && options_server(settings.host, settings.port,
					      settings.front.family, &netrecord.targets) == -1)
		return 2;
	if (front_init(&netrecord.front, &settings.front, 1, 0, proxy_accept) == -1)
		return 2;
	start_listening(&netrecord, &settings);
	if (front_start(&netrecord.front, &settings.front) == -1)
		return 2;
	if (service_run(&netrecord.front.service) == -1)
		err(2, "poll");
	proxy_free(netrecord.proxy);
	status = front_finish(&netrecord.front);
	if (status == -1)
		_exit(1);
	address_list_release(&netrecord.targets);
	return status;
}
