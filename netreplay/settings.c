#include "netreplay/settings.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/options.h"
#include "net/service.h"

#define SECOND (INT64_C(1000) * 1000 * 1000)

enum long_option {
	OPTION_SERVE = 256,
	OPTION_MAX_GAP,
	OPTION_LEARN,
	OPTION_CARRY,
	OPTION_AGAINST,
	OPTION_UPDATE,
	OPTION_SERVER,
	OPTION_FRESH,
	OPTION_TIMEOUT,
	OPTION_SETTLE,
	OPTION_FAIL_IF,
	OPTION_SHARD,
	OPTION_GRACE,
	OPTION_RECORDING
};

static const char help_text[] =
    "usage: netreplay [options] host port log...\n"
    "       netreplay [options] --serve port log...\n"
    "\n"
    "Play logs of netrecord(1) as the client against a server and compare its answers\n"
    "with the recorded ones; or play the server.\n"
    "\n"
    "  -t, --timing HOW             recorded (default), or fast: each step as\n"
    "                               soon as the answer before it has come\n"
    "  -S, --speed X                play X times as fast\n"
    "      --max-gap T              shorten longer silences to T\n"
    "  -i, --ignore REGEX           bytes that match are equal whatever they are;\n"
    "                               repeatable\n"
    "  -I, --ignore-file FILE       read such patterns, one a line\n"
    "      --learn FILE             replay several times (-n), write what differed as\n"
    "                               an ignore file\n"
    "      --carry REGEX            its group, from live answers, replaces the\n"
    "                               recorded text in what is sent later; repeatable\n"
    "  -C, --compare WHAT           bytes (default), size or none\n"
    "      --against HOST:PORT      replay to two servers and compare these\n"
    "      --update LOGROOT         write the recording anew with the live answers\n"
    "  -n, --loop N                 play the recording N times (--serve: 0 for ever)\n"
    "  -c, --clients N              play each connection N times at once\n"
    "  -o, --output FORMAT          the report: text (default), json, tap or junit\n"
    "  -r, --record LOGROOT         record this replay\n"
    "      --server COMMAND         start the server, end it afterwards\n"
    "      --fresh                  start it anew for each log\n"
    "      --timeout T              give up on an answer after T without a byte (5 s)\n"
    "      --settle T               a shorter answer is complete after this silence\n"
    "                               and twice the recorded response time (200 ms)\n"
    "      --fail-if EXPR           such as p99>1.5x or p99>20ms\n"
    "      --shard I/N              play only each N-th connection, from the I-th on\n"
    "  -s, --script FILE            Lua: rewrite what is sent, normalise what is\n"
    "                               compared, see netrecord-script(5)\n"
    "      --recording ID           only connections of the recorder's run ID\n"
    "      --serve                  play the server\n"
    "  -b, --bind ADDR              --serve: listen on this address only; repeatable\n"
    "      --grace T                --serve: after TERM, wait so long for the rest\n"
    "                               (10 s)\n" OPTIONS_FAMILY_HELP OPTIONS_COMMON_HELP;

static const struct option long_options[] = {
    {"timing", required_argument, NULL, 't'},
    {"speed", required_argument, NULL, 'S'},
    {"max-gap", required_argument, NULL, OPTION_MAX_GAP},
    {"ignore", required_argument, NULL, 'i'},
    {"ignore-file", required_argument, NULL, 'I'},
    {"learn", required_argument, NULL, OPTION_LEARN},
    {"carry", required_argument, NULL, OPTION_CARRY},
    {"compare", required_argument, NULL, 'C'},
    {"against", required_argument, NULL, OPTION_AGAINST},
    {"update", required_argument, NULL, OPTION_UPDATE},
    {"loop", required_argument, NULL, 'n'},
    {"clients", required_argument, NULL, 'c'},
    {"output", required_argument, NULL, 'o'},
    {"record", required_argument, NULL, 'r'},
    {"server", required_argument, NULL, OPTION_SERVER},
    {"fresh", no_argument, NULL, OPTION_FRESH},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"settle", required_argument, NULL, OPTION_SETTLE},
    {"fail-if", required_argument, NULL, OPTION_FAIL_IF},
    {"shard", required_argument, NULL, OPTION_SHARD},
    {"recording", required_argument, NULL, OPTION_RECORDING},
    {"script", required_argument, NULL, 's'},
    {"serve", no_argument, NULL, OPTION_SERVE},
    {"bind", required_argument, NULL, 'b'},
    {"grace", required_argument, NULL, OPTION_GRACE},
    OPTIONS_FAMILY_LONG,
    OPTIONS_COMMON_LONG,
};

/* --carry patterns, until all -i and -I have been read: they come last among the masks. */
static const char *carried[256];
static size_t carried_count;
static const char *against;

static void
parse_timing(struct settings *settings, const char *value)
{
	if (strcmp(value, "fast") == 0)
		settings->fast = true;
	else if (strcmp(value, "recorded") == 0)
		settings->fast = false;
	else
		notice_exit("--timing: %s is neither recorded nor fast", value);
}

static void
parse_speed(struct settings *settings, const char *value)
{
	char *end;

	settings->speed = strtod(value, &end);
	if (end == value || strcmp(end, "x") == 0)
		end += end != value;
	if (end == value || *end != '\0' || !(settings->speed > 0 && settings->speed <= 1e6))
		notice_exit("--speed: %s is no factor above 0", value);
}

static void
parse_compare(struct settings *settings, const char *value)
{
	static const char *const names[] = {"bytes", "size", "none"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(value, names[i]) == 0) {
			settings->compare = (enum compare_mode)i;
			return;
		}
	}
	notice_exit("--compare: %s is none of bytes, size, none", value);
}

static void
parse_shard(struct settings *settings, const char *value)
{
	char *slash = strchr(value, '/'), *copy;
	const char *error = "";

	copy = strdup(value);
	if (copy == NULL)
		err(2, NULL);
	if (slash != NULL) {
		copy[slash - value] = '\0';
		settings->shards = strtonum(slash + 1, 1, INT32_MAX, &error);
		if (error == NULL)
			settings->shard = strtonum(copy, 1, settings->shards, &error);
	}
	free(copy);
	if (slash == NULL || error != NULL)
		notice_exit("--shard: %s is not I/N with I from 1 to N", value);
}

static void
add_mask(struct settings *settings, const char *text)
{
	char error[256];

	if (mask_set_add(&settings->masks, text, error, sizeof(error)) == -1)
		notice_exit("--ignore %s: %s", text, error);
}

static void
load_masks(struct settings *settings, const char *path)
{
	char error[512];

	if (mask_set_load(&settings->masks, path, error, sizeof(error)) == -1)
		notice_exit("--ignore-file: %s", error);
}

static void
add_carried(struct settings *settings)
{
	char error[256];

	settings->carry_first = settings->masks.count;
	for (size_t i = 0; i < carried_count; i++) {
		if (carry_set_add(settings->carry, carried[i], error, sizeof(error)) == -1 ||
		    mask_set_add(&settings->masks, carried[i], error, sizeof(error)) == -1)
			notice_exit("--carry %s: %s", carried[i], error);
	}
}

static void
parse_fail_if(struct settings *settings, const char *value)
{
	const char *reason = fail_if_parse(value, &settings->fail_if);

	if (reason != NULL)
		notice_exit("--fail-if: %s: %s", value, reason);
}

/* Options that are numbers or times; returns whether it was one. */
static bool
parse_quantity(struct settings *settings, int option, const char *value)
{
	int result;

	switch (option) {
	case OPTION_MAX_GAP:
		result = options_time("--max-gap", value, &settings->max_gap);
		break;
	case OPTION_TIMEOUT:
		result = options_time("--timeout", value, &settings->timeout);
		break;
	case OPTION_SETTLE:
		result = options_time("--settle", value, &settings->settle);
		break;
	case OPTION_GRACE:
		result = options_time("--grace", value, &settings->grace);
		break;
	case 'n':
		settings->loop_given = true;
		result = options_number("--loop", value, 0, INT32_MAX, &settings->loop);
		break;
	case 'c':
		result = options_number("--clients", value, 1, 100000, &settings->clients);
		break;
	default:
		return false;
	}
	if (result == -1)
		exit(2);
	if (option == OPTION_TIMEOUT && settings->timeout == 0)
		notice_exit("--timeout: %s leaves no time for any answer", value);
	return true;
}

/* Options about what is compared and told; returns whether it was one. */
static bool
parse_comparison(struct settings *settings, int option, char *value)
{
	switch (option) {
	case 'i':
		add_mask(settings, value);
		return true;
	case 'I':
		load_masks(settings, value);
		return true;
	case OPTION_CARRY:
		if (carried_count == sizeof(carried) / sizeof(carried[0]))
			notice_exit("--carry: too many patterns");
		carried[carried_count++] = value;
		return true;
	case 'C':
		parse_compare(settings, value);
		return true;
	case 'o':
		if (report_format_parse(value, &settings->output) == -1)
			notice_exit("--output: %s is none of text, json, tap, junit", value);
		return true;
	case OPTION_FAIL_IF:
		parse_fail_if(settings, value);
		return true;
	case OPTION_LEARN:
		settings->learn = value;
		return true;
	default:
		return false;
	}
}

static void
parse_option(struct settings *settings, int option, char *value)
{
	options_help(option, help_text);
	if (options_common(option, &settings->family, &settings->verbose) ||
	    parse_quantity(settings, option, value) || parse_comparison(settings, option, value))
		return;
	switch (option) {
	case 't':
		parse_timing(settings, value);
		break;
	case 'S':
		parse_speed(settings, value);
		break;
	case OPTION_AGAINST:
		against = value;
		break;
	case OPTION_UPDATE:
		settings->update = value;
		break;
	case 'r':
		settings->record = value;
		break;
	case OPTION_SERVER:
		settings->server = value;
		break;
	case OPTION_FRESH:
		settings->fresh = true;
		break;
	case OPTION_SHARD:
		parse_shard(settings, value);
		break;
	case OPTION_RECORDING:
		settings->recording = value;
		break;
	case OPTION_SERVE:
		settings->serve = true;
		break;
	case 'b':
		if (settings->bind_count == SETTINGS_BIND_MAX)
			notice_exit("--bind: more than %d addresses", SETTINGS_BIND_MAX);
		settings->binds[settings->bind_count++] = value;
		break;
	case 's':
		settings->script = value;
		break;
	}
}

static void
check_combination(const struct settings *settings)
{
	if (settings->record != NULL && settings->update != NULL)
		options_refuse("--record and --update exclude each other");
	if (settings->learn != NULL &&
	    (settings->update != NULL || settings->compare != COMPARE_BYTES))
		options_refuse("--learn compares bytes and writes no baseline");
	if (settings->serve && settings->script != NULL)
		options_refuse("--script is for the client side");
	if (settings->fresh && settings->server == NULL)
		options_refuse("--fresh needs --server");
	if (settings->serve && (settings->server != NULL || settings->learn != NULL ||
				   settings->update != NULL || against != NULL))
		options_refuse("--server, --learn, --update and --against are for the client side");
	if (settings->serve && (settings->clients > 1 || settings->shards > 0 ||
				   settings->fail_if.text != NULL || carried_count > 0))
		options_refuse("--clients, --shard, --fail-if and --carry are for the client side");
	if (carried_count > 0 && settings->compare == COMPARE_SIZE)
		options_refuse(
		    "--carry and --compare size exclude each other: no byte of the answers "
		    "is looked at");
	if (carried_count > 0 && against != NULL)
		options_refuse("--carry and --against exclude each other: each server hands out "
			       "something else");
	if (!settings->serve && settings->bind_count > 0)
		options_refuse("--bind is for --serve");
	if (!settings->serve && settings->loop == 0)
		options_refuse("--loop 0 is for --serve");
	if (settings->learn != NULL && settings->loop_given && settings->loop < 2)
		options_refuse("--learn: --loop must be at least 2");
}

/* "host port" or "host:port" in front of the logs; returns how many operands that are. */
static int
parse_server(struct settings *settings, char **operands, int count)
{
	bool joined = count > 0 && options_is_joined(operands[0]);

	if (count < (joined ? 1 : 2))
		options_refuse("a server (host port) and logs are needed");
	if (options_server(operands[0], joined ? NULL : operands[1], settings->family,
		&settings->targets) == -1)
		exit(2);
	if (against != NULL &&
	    options_server(against, NULL, settings->family, &settings->against) == -1)
		exit(2);
	return joined ? 1 : 2;
}

void
settings_parse(struct settings *settings, int argc, char **argv, int *first)
{
	int option;

	memset(settings, 0, sizeof(*settings));
	settings->family = AF_UNSPEC;
	settings->speed = 1;
	settings->settle = SECOND / 5;
	settings->timeout = 5 * SECOND;
	settings->grace = SERVICE_GRACE;
	settings->loop = settings->clients = 1;
	mask_set_init(&settings->masks);
	settings->carry = carry_set_new();
	if (settings->carry == NULL)
		err(2, NULL);
	opterr = 0;
	while ((option = getopt_long(argc, argv,
		    ":t:S:i:I:C:n:c:o:r:s:b:" OPTIONS_FAMILY_LETTERS OPTIONS_COMMON_LETTERS,
		    long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			options_unknown(option, argv, long_options);
			exit(2);
		}
		parse_option(settings, option, optarg);
	}
	check_combination(settings);
	if (settings->compare == COMPARE_SIZE)
		options_mask_nothing(&settings->masks);
	add_carried(settings);
	if (settings->serve) {
		if (optind == argc)
			options_refuse("a port and logs are needed");
		settings->port = argv[optind];
		*first = optind + 1;
	} else {
		*first = optind + parse_server(settings, argv + optind, argc - optind);
	}
	if (*first >= argc)
		options_refuse("no log is given");
}

void
settings_release(struct settings *settings)
{
	address_list_release(&settings->targets);
	address_list_release(&settings->against);
	mask_set_release(&settings->masks);
	carry_set_free(settings->carry);
}
