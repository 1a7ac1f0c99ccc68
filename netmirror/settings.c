#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/options.h"
#include "netmirror/settings.h"

#define QUEUE_DEFAULT ((uint64_t)1024 * 1024)
#define QUEUE_LEAST 4096 /* some room for what a queue holds besides bytes */

enum long_option { OPTION_QUEUE = 256, OPTION_SAMPLE, OPTION_COMPARE };

static const char usage_text[] =
    "usage: netmirror [options] host port proxyport observer...\n"
    "       netmirror [options] -f file\n"
    "\n"
    "Forward every connection to host:port, and send what its client sends to each\n"
    "observer (host:port) too. What observers send is dropped; one that is slow or\n"
    "gone delays nobody. Without observers, a relay.\n"
    "\n"
    "  -f, --file FILE              proxies from tcp-clone's file; HUP rereads it\n"
    "      --queue SIZE             memory for what one connection of an observer\n"
    "                               has not read yet (1M); beyond it, it is dropped\n"
    "      --sample P%              mirror this share of the connections (100%)\n"
    "      --compare[=WHAT]         compare observers' answers with the server's:\n"
    "                               bytes (default) or size\n"
    "  -i, --ignore REGEX           bytes that match are equal whatever they are;\n"
    "                               repeatable\n"
    "  -I, --ignore-file FILE       read such patterns, one a line\n"
    "  -o, --output FORMAT          the report: text (default), json, tap or junit\n"
    "  -l, --log LOGROOT            record connections as netrecord(1) does\n" FRONT_HELP_LOGS
	FRONT_HELP_SCRIPT FRONT_HELP_LISTEN FRONT_HELP_SERVE;

static const struct option long_options[] = {
    FRONT_LONG_OPTIONS,
    {"file", required_argument, NULL, 'f'},
    {"queue", required_argument, NULL, OPTION_QUEUE},
    {"sample", required_argument, NULL, OPTION_SAMPLE},
    {"log", required_argument, NULL, 'l'},
    {"compare", optional_argument, NULL, OPTION_COMPARE},
    {"ignore", required_argument, NULL, 'i'},
    {"ignore-file", required_argument, NULL, 'I'},
    {"output", required_argument, NULL, 'o'},
    OPTIONS_COMMON_LONG,
};

static void
parse_queue(struct settings *settings, const char *value)
{
	if (options_size("--queue", value, &settings->queue) == -1)
		exit(2);
	if (settings->queue < QUEUE_LEAST)
		notice_exit("--queue: %s is less than %d", value, QUEUE_LEAST);
}

static void
parse_sample(struct settings *settings, const char *value)
{
	char *end;
	double percent = strtod(value, &end);

	if (end == value || (strcmp(end, "%") != 0 && *end != '\0') ||
	    !(percent >= 0 && percent <= 100))
		notice_exit("--sample: %s is no percentage from 0 to 100", value);
	settings->sample = percent / 100;
}

static void
parse_compare(struct settings *settings, const char *value)
{
	if (value == NULL || strcmp(value, "bytes") == 0)
		settings->compare = COMPARE_BYTES;
	else if (strcmp(value, "size") == 0)
		settings->compare = COMPARE_SIZE;
	else
		notice_exit("--compare: %s is neither bytes nor size", value);
}

/* Options about what is compared and told; returns whether it was one. */
static bool
parse_comparison(struct settings *settings, int option, const char *value)
{
	char error[512];

	switch (option) {
	case OPTION_COMPARE:
		parse_compare(settings, value);
		return true;
	case 'i':
		if (mask_set_add(&settings->masks, value, error, sizeof(error)) == -1)
			notice_exit("--ignore %s: %s", value, error);
		return true;
	case 'I':
		if (mask_set_load(&settings->masks, value, error, sizeof(error)) == -1)
			notice_exit("--ignore-file: %s", error);
		return true;
	case 'o':
		if (report_format_parse(value, &settings->output) == -1)
			notice_exit("--output: %s is none of text, json, tap, junit", value);
		settings->has_output = true;
		return true;
	default:
		return false;
	}
}

static void
parse_option(struct settings *settings, int option, char *value)
{
	if (options_help(option, usage_text))
		exit(0);
	if (parse_comparison(settings, option, value))
		return;
	switch (option) {
	case 'f':
		settings->file = value;
		break;
	case OPTION_QUEUE:
		parse_queue(settings, value);
		break;
	case OPTION_SAMPLE:
		parse_sample(settings, value);
		break;
	case 'l':
		settings->front.recorder.root = value;
		if (*value == '\0')
			options_refuse("logroot is empty");
		break;
	default:
		if (front_option(&settings->front, option, value) == -1)
			exit(2);
	}
}

/* "host port" or "host:port" as one text, to be freed. */
static char *
join(const char *host, const char *port)
{
	bool bare6 = strchr(host, ':') != NULL && host[0] != '[';
	char *text;

	if (port == NULL)
		text = strdup(host);
	else if (asprintf(&text, bare6 ? "[%s]:%s" : "%s:%s", host, port) == -1)
		text = NULL;
	if (text == NULL)
		err(2, NULL);
	return text;
}

/* The server, the port to listen on, the observers. */
static void
parse_proxy(struct settings *settings, char **operands, int count)
{
	bool joined = count > 0 && options_is_joined(operands[0]);
	int listen = joined ? 1 : 2;
	struct config_proxy *proxy;
	char *server;

	if (count <= listen)
		options_refuse("host, port and proxyport are needed, or -f");
	settings->front.must_route =
	    strcmp(operands[0], "-") == 0 && (joined || strcmp(operands[1], "-") == 0);
	if (settings->front.must_route && settings->front.script_path == NULL)
		options_refuse("host -: only a script (-s) can choose the server");
	proxy = config_add(&settings->config, operands[listen]);
	if (proxy == NULL)
		err(2, NULL);
	server = join(operands[0], joined ? NULL : operands[1]);
	if (!settings->front.must_route && config_target(proxy, server) == -1)
		err(2, NULL);
	for (int i = listen + 1; i < count; i++)
		if (config_observe(proxy, operands[i]) == -1)
			err(2, NULL);
	free(server);
}

static void
parse_file(struct settings *settings, int operands)
{
	char error[CONFIG_ERROR_MAX];

	if (operands > 0)
		options_refuse("with -f there are no operands");
	if (settings->front.bind_count > 0)
		options_refuse("with -f the file says where to listen, not --bind");
	if (config_load(&settings->config, settings->file, error) == -1)
		notice_exit("%s", error);
}

void
settings_parse(struct settings *settings, int argc, char **argv)
{
	int option;

	memset(settings, 0, sizeof(*settings));
	front_settings_init(&settings->front);
	config_init(&settings->config);
	mask_set_init(&settings->masks);
	settings->queue = QUEUE_DEFAULT;
	settings->sample = 1;
	opterr = 0;
	while ((option = getopt_long(
		    argc, argv, ":" FRONT_SHORT_OPTIONS "f:l:i:I:o:", long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv, long_options);
			exit(2);
		}
		parse_option(settings, option, optarg);
	}
	if (settings->compare == COMPARE_NONE &&
	    (settings->masks.count > 0 || settings->has_output))
		options_refuse("--ignore and --output need --compare");
	if (settings->file != NULL)
		parse_file(settings, argc - optind);
	else
		parse_proxy(settings, argv + optind, argc - optind);
}

void
settings_release(struct settings *settings)
{
	config_release(&settings->config);
	mask_set_release(&settings->masks);
}
