#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/version.h"
#include "net/address.h"
#include "net/options.h"
#include "nettunnel/auth.h"
#include "nettunnel/settings.h"
#include "nettunnel/tunnel.h"

static const char usage_text[] =
    "usage: nettunnel server [options] --key FILE\n"
    "       nettunnel provider [options] --key FILE server:port host:port\n"
    "\n"
    "Reach host:port, which only the provider can reach, through the server, which the\n"
    "provider connects to. The link between the two is authenticated, not encrypted.\n"
    "\n"
    "  -k, --key FILE               what both must know; readable by its owner only\n"
    "  -H, --hold T                 keep connections so long while the link is lost (90 s)\n"
    "  -i, --ping T                 ask after such a silence whether the other is there (10 s)\n"
    "  -4, -6                       only IPv4, only IPv6\n"
    "  -u, --user USER              drop privileges after binding\n"
    "  -M, --metrics FILE           counters in Prometheus text format\n"
    "  -g, --grace T                after TERM, wait so long for the rest (10 s)\n"
    "  -v, --verbose                tell connections\n"
    "  -q, --quiet                  tell errors only\n"
    "  -h, --help    -V, --version\n"
    "server:\n"
    "  -l, --listen ADDR            for clients (:8080); repeatable\n"
    "  -p, --provider ADDR          for providers (:9887); repeatable\n"
    "  -m, --max-connections N      beyond it, clients wait in the backlog\n"
    "  -a, --client-auth FILE       HTTP clients must carry one of the file's tokens in\n"
    "                               X-Nettunnel-Auth on their first request\n"
    "provider:\n"
    "  -n, --name NAME              by which the server knows it when it is started again\n"
    "      --connect-timeout T      give up connecting to host:port (30 s)\n";

enum { OPTION_CONNECT_TIMEOUT = 256 };

static const struct option long_options[] = {
    {"key", required_argument, NULL, 'k'},
    {"hold", required_argument, NULL, 'H'},
    {"ping", required_argument, NULL, 'i'},
    {"user", required_argument, NULL, 'u'},
    {"metrics", required_argument, NULL, 'M'},
    {"grace", required_argument, NULL, 'g'},
    {"listen", required_argument, NULL, 'l'},
    {"provider", required_argument, NULL, 'p'},
    {"max-connections", required_argument, NULL, 'm'},
    {"client-auth", required_argument, NULL, 'a'},
    {"name", required_argument, NULL, 'n'},
    {"connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* Which options were given that only one of the two takes. */
struct given {
	const char *server, *provider;
};

static void
parse_time(const char *option, const char *value, int64_t *time)
{
	if (options_time(option, value, time) == -1)
		exit(2);
	if (*time < TUNNEL_SECOND / 1000)
		errx(2, "%s: %s is too short", option, value);
}

static void
add_address(const char *option, char **list, size_t *count, char *value)
{
	if (*count == SETTINGS_LISTEN_MAX)
		errx(2, "%s: more than %d addresses", option, SETTINGS_LISTEN_MAX);
	list[(*count)++] = value;
}

/* The server's options; false if it is none of these. */
static bool
parse_server_option(struct settings *settings, struct given *given, int option, char *value)
{
	long long number;

	switch (option) {
	case 'l':
		given->server = "--listen";
		add_address("--listen", settings->listens, &settings->listen_count, value);
		return true;
	case 'p':
		given->server = "--provider";
		add_address("--provider", settings->doors, &settings->door_count, value);
		return true;
	case 'm':
		given->server = "--max-connections";
		if (options_number(given->server, value, 1, INT32_MAX, &number) == -1)
			exit(2);
		settings->max_connections = (size_t)number;
		return true;
	case 'a':
		given->server = "--client-auth";
		settings->auth_path = value;
		return true;
	default:
		return false;
	}
}

/* The provider's options; false if it is none of these. */
static bool
parse_provider_option(struct settings *settings, struct given *given, int option, char *value)
{
	switch (option) {
	case 'n':
		given->provider = "--name";
		settings->name = value;
		if (value[0] == '\0' || strlen(value) > AUTH_NAME_SIZE)
			errx(2, "--name: 1 to %d bytes", AUTH_NAME_SIZE);
		return true;
	case OPTION_CONNECT_TIMEOUT:
		given->provider = "--connect-timeout";
		parse_time(given->provider, value, &settings->connect_timeout);
		return true;
	default:
		return false;
	}
}

static void
parse_option(struct settings *settings, int option, char *value)
{
	switch (option) {
	case 'k':
		settings->key_path = value;
		break;
	case 'H':
		parse_time("--hold", value, &settings->hold);
		break;
	case 'i':
		parse_time("--ping", value, &settings->ping);
		break;
	case 'g':
		if (options_time("--grace", value, &settings->grace) == -1)
			exit(2);
		break;
	case '4':
	case '6':
		settings->family = option == '4' ? AF_INET : AF_INET6;
		break;
	case 'u':
		settings->user = value;
		break;
	case 'M':
		settings->metrics_path = value;
		break;
	case 'v':
		settings->verbose = settings->verbose < 0 ? 1 : settings->verbose + 1;
		break;
	case 'q':
		settings->verbose = -1;
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	case 'V':
		printf("nettunnel %s\n", VERSION_TEXT);
		exit(0);
	}
}

/* Take "host:port", or two operands; returns how many. */
static int
take_address(const char *where[2], char **operands, int left)
{
	struct address_name name;

	if (left == 0)
		errx(2, "server and target are needed (try nettunnel --help)");
	where[0] = operands[0];
	if (left == 1 || address_split(operands[0], &name) == NULL)
		return 1;
	where[1] = operands[1];
	return 2;
}

static void
parse_operands(struct settings *settings, const struct given *given, int count, char **operands)
{
	int taken = 1;

	if (count == 0)
		errx(2, "server or provider is needed (try nettunnel --help)");
	settings->is_server = strcmp(operands[0], "server") == 0;
	if (!settings->is_server && strcmp(operands[0], "provider") != 0)
		errx(2, "%s is neither server nor provider (try nettunnel --help)", operands[0]);
	if (!settings->is_server) {
		taken += take_address(settings->server, operands + taken, count - taken);
		taken += take_address(settings->target, operands + taken, count - taken);
	}
	if (taken != count)
		errx(2, "too many operands (try nettunnel --help)");
	if (settings->key_path == NULL)
		errx(2, "--key is needed (try nettunnel --help)");
	if (settings->is_server ? given->provider != NULL : given->server != NULL)
		errx(2, "%s is an option of nettunnel %s",
		    settings->is_server ? given->provider : given->server,
		    settings->is_server ? "provider" : "server");
}

void
settings_parse(struct settings *settings, int argc, char **argv)
{
	struct given given = {NULL, NULL};
	int option;

	memset(settings, 0, sizeof(*settings));
	settings->hold = 90 * TUNNEL_SECOND;
	settings->ping = 10 * TUNNEL_SECOND;
	settings->grace = SERVICE_GRACE;
	settings->connect_timeout = 30 * TUNNEL_SECOND;
	settings->family = AF_UNSPEC;
	settings->max_connections = SIZE_MAX;
	opterr = 0;
	while ((option = getopt_long(
		    argc, argv, ":k:H:i:46u:M:g:l:p:m:a:n:vqhV", long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv);
			exit(2);
		}
		if (!parse_server_option(settings, &given, option, optarg) &&
		    !parse_provider_option(settings, &given, option, optarg))
			parse_option(settings, option, optarg);
	}
	parse_operands(settings, &given, argc - optind, argv + optind);
}
