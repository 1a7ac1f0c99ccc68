#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"
#include "net/notice.h"
#include "net/options.h"
#include "nettunnel/auth.h"
#include "nettunnel/settings.h"
#include "nettunnel/tunnel.h"

#define NEVER (INT64_MAX / 4) /* nanoseconds: so far away that sums of two do not overflow */

static const char usage_text[] =
    "usage: nettunnel server [options] --key FILE\n"
    "       nettunnel provider [options] --key FILE server:port host:port\n"
    "\n"
    "Reach host:port, which only the provider can reach, through the server, which\n"
    "the provider connects to. The link between them is authenticated, not encrypted.\n"
    "\n"
    "  -k, --key FILE               what both must know; readable by its owner only\n"
    "      --hold T                 keep connections so long while the link is lost\n"
    "                               (90 s)\n"
    "      --ping T                 after this silence, ask if the other is there\n"
    "                               (10 s)\n"
    "  -u, --user USER              drop privileges after binding\n"
    "      --metrics FILE           counters in Prometheus text format\n"
    "      --grace T                after TERM, wait so long for the rest (10 "
    "s)\n" OPTIONS_FAMILY_HELP OPTIONS_COMMON_HELP "\n"
    "server:\n"
    "      --listen ADDR            for clients (:8080); repeatable\n"
    "      --provider ADDR          for providers (:9887); repeatable\n"
    "  -m, --max-connections N      beyond it, clients wait in the backlog\n"
    "      --client-auth FILE       HTTP clients must carry one of its tokens in\n"
    "                               X-Nettunnel-Auth on their first request\n"
    "\n"
    "provider:\n"
    "      --name NAME              by which the server knows it when it comes again\n"
    "      --connect-timeout T      give up connecting to host:port (30 s)\n";

enum long_option {
	OPTION_HOLD = 256,
	OPTION_PING,
	OPTION_METRICS,
	OPTION_GRACE,
	OPTION_LISTEN,
	OPTION_PROVIDER,
	OPTION_CLIENT_AUTH,
	OPTION_NAME,
	OPTION_CONNECT_TIMEOUT
};

static const struct option long_options[] = {
    {"key", required_argument, NULL, 'k'},
    {"hold", required_argument, NULL, OPTION_HOLD},
    {"ping", required_argument, NULL, OPTION_PING},
    {"user", required_argument, NULL, 'u'},
    {"metrics", required_argument, NULL, OPTION_METRICS},
    {"grace", required_argument, NULL, OPTION_GRACE},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"provider", required_argument, NULL, OPTION_PROVIDER},
    {"max-connections", required_argument, NULL, 'm'},
    {"client-auth", required_argument, NULL, OPTION_CLIENT_AUTH},
    {"name", required_argument, NULL, OPTION_NAME},
    {"connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT},
    OPTIONS_FAMILY_LONG,
    OPTIONS_COMMON_LONG,
};

/* Which options were given that only one of the two takes. */
struct given {
	const char *server, *provider;
};

/* A time after which something is given up; 0 is never. */
static void
parse_time(const char *option, const char *value, int64_t *time)
{
	if (options_time(option, value, time) == -1)
		exit(2);
	if (*time == 0)
		*time = NEVER;
	if (*time < TUNNEL_SECOND / 1000)
		notice_exit("%s: %s is too short", option, value);
}

static void
add_address(const char *option, char **list, size_t *count, char *value)
{
	if (*count == SETTINGS_LISTEN_MAX)
		notice_exit("%s: more than %d addresses", option, SETTINGS_LISTEN_MAX);
	list[(*count)++] = value;
}

/* The server's options; false if it is none of these. */
static bool
parse_server_option(struct settings *settings, struct given *given, int option, char *value)
{
	long long number;

	switch (option) {
	case OPTION_LISTEN:
		given->server = "--listen";
		add_address("--listen", settings->listens, &settings->listen_count, value);
		return true;
	case OPTION_PROVIDER:
		given->server = "--provider";
		add_address("--provider", settings->doors, &settings->door_count, value);
		return true;
	case 'm':
		given->server = "--max-connections";
		if (options_number(given->server, value, 1, INT32_MAX, &number) == -1)
			exit(2);
		settings->max_connections = (size_t)number;
		return true;
	case OPTION_CLIENT_AUTH:
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
	case OPTION_NAME:
		given->provider = "--name";
		settings->name = value;
		if (value[0] == '\0' || strlen(value) > AUTH_NAME_SIZE)
			notice_exit("--name: 1 to %d bytes", AUTH_NAME_SIZE);
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
	options_help(option, usage_text);
	if (options_common(option, &settings->family, &settings->verbose))
		return;
	switch (option) {
	case 'k':
		settings->key_path = value;
		break;
	case OPTION_HOLD:
		parse_time("--hold", value, &settings->hold);
		break;
	case OPTION_PING:
		parse_time("--ping", value, &settings->ping);
		break;
	case OPTION_GRACE:
		if (options_time("--grace", value, &settings->grace) == -1)
			exit(2);
		break;
	case 'u':
		settings->user = value;
		break;
	case OPTION_METRICS:
		settings->metrics_path = value;
		break;
	}
}

/* Take "host:port", or two operands; returns how many. */
static int
take_address(const char *where[2], char **operands, int left)
{
	struct address_name name;

	if (left == 0)
		options_refuse("server and target are needed");
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
		options_refuse("server or provider is needed");
	settings->is_server = strcmp(operands[0], "server") == 0;
	if (!settings->is_server && strcmp(operands[0], "provider") != 0)
		notice_exit(
		    "%s is neither server nor provider (try nettunnel --help)", operands[0]);
	if (!settings->is_server) {
		taken += take_address(settings->server, operands + taken, count - taken);
		taken += take_address(settings->target, operands + taken, count - taken);
	}
	if (taken != count)
		options_refuse("too many operands");
	if (settings->key_path == NULL)
		options_refuse("--key is needed");
	if (settings->is_server ? given->provider != NULL : given->server != NULL)
		notice_exit("%s is an option of nettunnel %s",
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
	while ((option = getopt_long(argc, argv,
		    ":k:u:m:" OPTIONS_FAMILY_LETTERS OPTIONS_COMMON_LETTERS, long_options, NULL)) !=
	       -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv, long_options);
			exit(2);
		}
		if (!parse_server_option(settings, &given, option, optarg) &&
		    !parse_provider_option(settings, &given, option, optarg))
			parse_option(settings, option, optarg);
	}
	parse_operands(settings, &given, argc - optind, argv + optind);
}
