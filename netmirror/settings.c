#include <err.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/options.h"
#include "netmirror/settings.h"

#define QUEUE_DEFAULT ((uint64_t)1024 * 1024)
#define QUEUE_LEAST 4096 /* some room for what a queue holds besides bytes */

#define BUFFER_DEFAULT ((uint64_t)32 * 1024 * 1024)

enum long_option {
	OPTION_QUEUE = 256,
	OPTION_SAMPLE,
	OPTION_COMPARE,
	OPTION_CAPTURE,
	OPTION_INTERFACE,
	OPTION_BUFFER
};

static const char usage_text[] =
    "usage: netmirror [options] host port proxyport observer...\n"
    "       netmirror [options] -f file\n"
    "       netmirror [options] --capture port observer...\n"
    "\n"
    "Forward every connection to host:port, and send what its client sends to each\n"
    "observer (host:port) too. What observers send is dropped; one that is slow or\n"
    "gone delays nobody. Without observers, a relay.\n"
    "\n"
    "  -f, --file FILE              proxies from tcp-clone's file; HUP rereads it\n"
    "      --capture                take what clients send to port from packets\n"
    "      --interface NAME         --capture: on this interface only; repeatable\n"
    "  -F, --filter EXPRESSION      --capture: packets that match pcap-filter(7), not\n"
    "                               those of this machine's addresses\n"
    "  -R, --read FILE              --capture: from a capture file\n"
    "      --buffer SIZE            --capture: what the kernel may keep for us (32M)\n"
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
    {"capture", no_argument, NULL, OPTION_CAPTURE},
    {"interface", required_argument, NULL, OPTION_INTERFACE},
    {"filter", required_argument, NULL, 'F'},
    {"read", required_argument, NULL, 'R'},
    {"buffer", required_argument, NULL, OPTION_BUFFER},
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

/* Options of --capture; returns whether it was one. */
static bool
parse_capture_option(struct settings *settings, int option, char *value)
{
	switch (option) {
	case OPTION_CAPTURE:
		settings->capture = true;
		return true;
	case OPTION_INTERFACE:
		if (settings->interface_count == SETTINGS_INTERFACE_MAX)
			errx(2, "--interface: more than %d", SETTINGS_INTERFACE_MAX);
		settings->interfaces[settings->interface_count++] = value;
		return true;
	case 'F':
		settings->filter = value;
		return true;
	case 'R':
		settings->read = value;
		return true;
	case OPTION_BUFFER:
		if (options_size("--buffer", value, &settings->buffer) == -1)
			exit(2);
		return true;
	default:
		return false;
	}
}

static void
parse_option(struct settings *settings, int option, char *value)
{
	options_help(option, usage_text);
	if (parse_comparison(settings, option, value) ||
	    parse_capture_option(settings, option, value))
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

/* "machineD": an observer without a port gets the captured one. */
static void
observe_at(struct config_proxy *proxy, const char *observer, const char *port)
{
	bool has_port = options_is_joined(observer);
	char *name = join(observer, has_port ? NULL : port);

	if (config_observe(proxy, name) == -1)
		err(2, NULL);
	free(name);
}

/* The captured port, and the observers. */
static void
parse_capture(struct settings *settings, char **operands, int count)
{
	struct servent *service = count > 0 ? getservbyname(operands[0], "tcp") : NULL;
	struct config_proxy *proxy;
	long long port = service != NULL ? ntohs((uint16_t)service->s_port) : 0;
	char text[8];

	if (settings->file != NULL)
		options_refuse("--capture and -f exclude each other");
	if (settings->front.script_path != NULL || settings->front.bind_count > 0)
		options_refuse("with --capture nothing is proxied: no --script, no --bind");
	if (settings->read != NULL && settings->interface_count > 0)
		options_refuse("--read and --interface exclude each other");
	if (count == 0)
		options_refuse("--capture: a port is needed");
	if (service == NULL && options_number("port", operands[0], 1, 65535, &port) == -1)
		exit(2);
	if (count < 2 && settings->front.recorder.root == NULL)
		options_refuse("--capture: an observer is needed, or --log");
	settings->port = (uint16_t)port;
	snprintf(text, sizeof(text), "%u", settings->port);
	proxy = config_add(&settings->config, text);
	if (proxy == NULL)
		err(2, NULL);
	for (int i = 1; i < count; i++)
		observe_at(proxy, operands[i], text);
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
	settings->buffer = BUFFER_DEFAULT;
	settings->sample = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv,
		    ":" FRONT_SHORT_OPTIONS "f:F:R:l:i:I:o:", long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv, long_options);
			exit(2);
		}
		parse_option(settings, option, optarg);
	}
	if (settings->compare == COMPARE_NONE &&
	    (settings->masks.count > 0 || settings->has_output))
		options_refuse("--ignore and --output need --compare");
	if (settings->compare == COMPARE_SIZE)
		options_mask_nothing(&settings->masks);
	if (!settings->capture &&
	    (settings->interface_count > 0 || settings->filter != NULL || settings->read != NULL))
		options_refuse("--interface, --filter and --read need --capture");
	if (settings->capture)
		parse_capture(settings, argv + optind, argc - optind);
	else if (settings->file != NULL)
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
