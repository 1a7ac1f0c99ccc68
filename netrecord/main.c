/* netrecord: proxy a TCP port and write one log per connection. See netrecord(1). */

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/version.h"
#include "net/notice.h"
#include "net/options.h"
#include "net/proxy.h"
#include "net/recorder.h"
#include "net/service.h"
#include "net/tracer.h"

#define BIND_MAX 64
#define SECOND (INT64_C(1000) * 1000 * 1000)

enum long_option {
	OPTION_ROTATE = 256,
	OPTION_KEEP,
	OPTION_CONNECT_TIMEOUT,
	OPTION_IDLE_TIMEOUT,
	OPTION_HALF_CLOSE_TIMEOUT,
	OPTION_ON_LOG_ERROR,
	OPTION_LOG_STALL,
	OPTION_NO_INDEX,
	OPTION_METRICS,
	OPTION_GRACE
};

static const char usage_line[] = "usage: netrecord [options] host port proxyport logroot";

static const char help_text[] =
    "\n"
    "Listen on proxyport, forward every connection to host:port, and write one log\n"
    "per connection: logroot_1, logroot_2, ... Read them with netlog(1).\n"
    "\n"
    "  -b, --bind ADDR              listen on this address only; repeatable\n"
    "  -4, -6                       only IPv4, only IPv6\n"
    "  -z, --gzip[=LEVEL]           write .gz logs\n"
    "      --rotate SIZE            split logs into parts of this size\n"
    "      --keep SIZE              delete the oldest closed parts beyond this total\n"
    "  -x, --exec COMMAND           run for each finished part, its name as argument\n"
    "  -m, --max-connections N      beyond it, clients wait in the backlog\n"
    "      --connect-timeout T      give up connecting to the server (30 s)\n"
    "      --idle-timeout T         end connections idle for so long (none)\n"
    "      --half-close-timeout T   the same once one side has ended (1 h)\n"
    "      --on-log-error ACTION    pass (traffic goes on, default) or close\n"
    "      --log-stall T            end a log whose disk hangs so long (5 s)\n"
    "  -u, --user USER              drop privileges after binding\n"
    "      --no-index               write no index file\n"
    "      --metrics FILE           counters in Prometheus text format\n"
    "      --grace T                after TERM, wait so long for the rest (10 s)\n"
    "  -v, --verbose                tell connections; twice: every record\n"
    "  -q, --quiet                  tell errors only\n"
    "  -h, --help    -V, --version\n";

static const struct option long_options[] = {
    {"bind", required_argument, NULL, 'b'},
    {"gzip", optional_argument, NULL, 'z'},
    {"rotate", required_argument, NULL, OPTION_ROTATE},
    {"keep", required_argument, NULL, OPTION_KEEP},
    {"exec", required_argument, NULL, 'x'},
    {"pcap", required_argument, NULL, 'w'},
    {"script", required_argument, NULL, 's'},
    {"max-connections", required_argument, NULL, 'm'},
    {"connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT},
    {"idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT},
    {"half-close-timeout", required_argument, NULL, OPTION_HALF_CLOSE_TIMEOUT},
    {"on-log-error", required_argument, NULL, OPTION_ON_LOG_ERROR},
    {"log-stall", required_argument, NULL, OPTION_LOG_STALL},
    {"user", required_argument, NULL, 'u'},
    {"no-index", no_argument, NULL, OPTION_NO_INDEX},
    {"metrics", required_argument, NULL, OPTION_METRICS},
    {"grace", required_argument, NULL, OPTION_GRACE},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

struct settings {
	const char *host, *port; /* port NULL: host is "host:port" or "unix:/path" */
	const char *proxy_port;
	char *binds[BIND_MAX];
	size_t bind_count;
	int family;
	size_t max_connections;
	int64_t connect_timeout, idle_timeout, half_close_timeout, grace;
	const char *user;
	const char *metrics_path;
	int verbose; /* -1: quiet */
	struct recorder_config recorder;
};

/* Everything that runs. */
struct netrecord {
	struct service service;
	struct metrics metrics;
	struct metrics_file *metrics_file;
	struct address_list targets;
	struct proxy *proxy;
	struct recorder *recorder;
	bool trace;
};

static void
usage_error(const char *reason)
{
	errx(2, "%s (try netrecord --help)", reason);
}

static void
parse_action(struct settings *settings, const char *action)
{
	if (strcmp(action, "close") == 0)
		settings->recorder.close_on_error = true;
	else if (strcmp(action, "pass") != 0)
		errx(2, "--on-log-error: %s is neither pass nor close", action);
}

static int
parse_gzip(struct settings *settings, const char *level)
{
	long long number = 1;

	if (level != NULL && options_number("--gzip", level, 1, 9, &number) == -1)
		return -1;
	settings->recorder.gzip_level = (int)number;
	return 0;
}

static int
parse_max(struct settings *settings, const char *text)
{
	long long number;

	if (options_number("--max-connections", text, 1, INT32_MAX, &number) == -1)
		return -1;
	settings->max_connections = (size_t)number;
	return 0;
}

/* Options with a value that is a time or a size; returns -1 if the value is wrong, 1 if it is none
 * of these. */
static int
parse_quantity(struct settings *settings, int option, const char *value)
{
	switch (option) {
	case OPTION_ROTATE:
		return options_size("--rotate", value, &settings->recorder.rotate_size);
	case OPTION_KEEP:
		return options_size("--keep", value, &settings->recorder.keep_size);
	case OPTION_CONNECT_TIMEOUT:
		return options_time("--connect-timeout", value, &settings->connect_timeout);
	case OPTION_IDLE_TIMEOUT:
		return options_time("--idle-timeout", value, &settings->idle_timeout);
	case OPTION_HALF_CLOSE_TIMEOUT:
		return options_time("--half-close-timeout", value, &settings->half_close_timeout);
	case OPTION_LOG_STALL:
		return options_time("--log-stall", value, &settings->recorder.stall);
	case OPTION_GRACE:
		return options_time("--grace", value, &settings->grace);
	default:
		return 1;
	}
}

static void
parse_option(struct settings *settings, int option, char *value)
{
	int wrong = parse_quantity(settings, option, value);

	if (wrong == -1)
		exit(2);
	if (wrong == 0)
		return;
	switch (option) {
	case 'b':
		if (settings->bind_count == BIND_MAX)
			errx(2, "--bind: more than %d addresses", BIND_MAX);
		settings->binds[settings->bind_count++] = value;
		break;
	case '4':
	case '6':
		settings->family = option == '4' ? AF_INET : AF_INET6;
		break;
	case 'z':
		if (parse_gzip(settings, value) == -1)
			exit(2);
		break;
	case 'm':
		if (parse_max(settings, value) == -1)
			exit(2);
		break;
	case 'x':
		settings->recorder.exec = value;
		break;
	case 'u':
		settings->user = value;
		break;
	case OPTION_ON_LOG_ERROR:
		parse_action(settings, value);
		break;
	case OPTION_NO_INDEX:
		settings->recorder.no_index = true;
		break;
	case OPTION_METRICS:
		settings->metrics_path = value;
		break;
	case 'v':
		settings->verbose = settings->verbose < 0 ? 1 : settings->verbose + 1;
		break;
	case 'q':
		settings->verbose = -1;
		break;
	case 'w':
		errx(2, "--pcap: live capture is not in this version");
	case 's':
		errx(2, "--script: scripts are not in this version");
	case 'h':
		printf("%s\n%s", usage_line, help_text);
		exit(0);
	case 'V':
		printf("netrecord %s\n", VERSION_TEXT);
		exit(0);
	}
}

static void
parse_arguments(struct settings *settings, int argc, char **argv)
{
	int option, left;

	memset(settings, 0, sizeof(*settings));
	settings->family = AF_UNSPEC;
	settings->max_connections = SIZE_MAX;
	settings->connect_timeout = 30 * SECOND;
	settings->half_close_timeout = 3600 * SECOND;
	settings->grace = SERVICE_GRACE;
	settings->recorder.stall = 5 * SECOND;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":b:46z::x:w:s:m:u:vqhV", long_options, NULL)) !=
	       -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv);
			exit(2);
		}
		parse_option(settings, option, optarg);
	}
	argv += optind;
	left = argc - optind;
	if (left != 4 && left != 3)
		usage_error(left > 4 ? "too many operands"
				     : "host, port, proxyport and logroot are needed");
	settings->host = argv[0];
	settings->port = left == 4 ? argv[1] : NULL;
	settings->proxy_port = argv[left - 2];
	settings->recorder.root = argv[left - 1];
	if (strcmp(settings->host, "-") == 0)
		errx(2, "host -: a script would have to choose the server, and scripts are not in "
			"this version");
	if (settings->recorder.root[0] == '\0')
		usage_error("logroot is empty");
}

static void
observe(void *context, struct tap *tap)
{
	struct netrecord *netrecord = context;

	if (recorder_attach(netrecord->recorder, tap) == -1)
		notice(NOTICE_WARNING, "a connection is not recorded: %s", strerror(errno));
	if (netrecord->trace)
		tracer_attach(tap);
}

static void
bytes_lost(void *context)
{
	struct netrecord *netrecord = context;

	metrics_file_touch(netrecord->metrics_file);
}

static void
start_listening(struct netrecord *netrecord, const struct settings *settings)
{
	struct service *service = &netrecord->service;
	size_t room = service_max_relays(service_raise_descriptors());
	struct proxy_config proxy = {.relays = &service->relays,
	    .targets = &netrecord->targets,
	    .connect_timeout = settings->connect_timeout,
	    .observe = observe,
	    .context = netrecord};
	struct listener_config listener = {.loop = service->loop,
	    .metrics = &netrecord->metrics,
	    .accepted = proxy_accept,
	    .max = settings->max_connections < room ? settings->max_connections : room};
	int inherited;

	netrecord->proxy = listener.context = proxy_new(&proxy);
	if (netrecord->proxy == NULL)
		err(2, NULL);
	service->listener = listener_new(&listener);
	if (service->listener == NULL)
		err(2, NULL);
	inherited = listener_inherit(service->listener);
	if (inherited == -1)
		exit(2);
	if (inherited == 0 &&
	    options_listen(service->listener, settings->binds, settings->bind_count,
		settings->proxy_port, settings->family) == -1)
		exit(2);
}

static void
start_recording(struct netrecord *netrecord, struct settings *settings)
{
	const char *reason;

	if (settings->user != NULL) {
		reason = service_drop_privileges(settings->user);
		if (reason != NULL)
			errx(2, "--user %s: %s", settings->user, reason);
	}
	if (settings->metrics_path != NULL) {
		netrecord->metrics_file =
		    metrics_file_start(settings->metrics_path, "netrecord", &netrecord->metrics);
		if (netrecord->metrics_file == NULL)
			err(2, "--metrics %s", settings->metrics_path);
		settings->recorder.lost = bytes_lost;
		settings->recorder.lost_context = netrecord;
	}
	settings->recorder.metrics = &netrecord->metrics;
	settings->recorder.exec_grace = settings->grace;
	netrecord->recorder = recorder_new(netrecord->service.loop, &settings->recorder);
	if (netrecord->recorder == NULL)
		exit(2);
}

static int
finish(struct netrecord *netrecord)
{
	int status = 0;

	if (recorder_finish(netrecord->recorder) == -1) {
		notice(NOTICE_ERROR, "logs are not complete: %s", strerror(errno));
		status = 1;
	}
	metrics_file_stop(netrecord->metrics_file);
	if (status != 0)
		_exit(status); /* the writer may hang in the kernel: nothing can be released */
	recorder_free(netrecord->recorder);
	proxy_free(netrecord->proxy);
	service_release(&netrecord->service);
	address_list_release(&netrecord->targets);
	return status;
}

int
main(int argc, char **argv)
{
	static struct netrecord netrecord;
	struct settings settings;

	parse_arguments(&settings, argc, argv);
	notice_set_level(settings.verbose < 0
			     ? NOTICE_ERROR
			     : (enum notice_level)(NOTICE_INFO + settings.verbose));
	netrecord.trace = settings.verbose > 0;
	if (options_server(settings.host, settings.port, settings.family, &netrecord.targets) == -1)
		return 2;
	if (service_init(&netrecord.service, &netrecord.metrics) == -1)
		err(2, "event loop");
	netrecord.service.grace = settings.grace;
	netrecord.service.relays.idle_timeout = settings.idle_timeout;
	netrecord.service.relays.half_close_timeout = settings.half_close_timeout;
	start_listening(&netrecord, &settings);
	start_recording(&netrecord, &settings);
	if (service_run(&netrecord.service) == -1)
		err(2, "poll");
	return finish(&netrecord);
}
