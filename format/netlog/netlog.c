#include "format/netlog/netlog.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "format/complaint.h"
#include "format/netlog/text.h"
#include "format/version.h"

#define STDOUT_BUFFER (256 * 1024)

static const struct command *const commands[] = {
    &list_command,
    &show_command,
    &check_command,
    &diff_command,
    &stat_command,
    &pcap_command,
    &json_command,
    &html_command,
    &cut_command,
    &merge_command,
    &redact_command,
    &import_command,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void
help_print(void)
{
	printf(
	    "usage: netlog command [options] log...\n\n"
	    "A log is a file, a .gz, - (standard input), or a logroot: all its connections.\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	printf(
	    "\nnetlog command --help tells a command's own options.\n\n"
	    "      --recording ID           only connections of the recorder's run ID\n" COMMON_HELP
	    "\nExit status: 0 success, 1 a log is damaged or recordings differ, 2 usage or\n"
	    "environment error.\n");
}

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

/* The common options may stand before the command too: leave them to it. Sets `*at` to the index of
 * the command's name; returns -1 if the run is over. */
static int
global_options(int argc, char **argv, int *at, int *status)
{
	static const struct option options[] = {COMMON_OPTIONS};
	char text[COMPLAINT_MAX];
	int option;

	*status = STATUS_OK;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:" COMMON_LETTERS, options, NULL)) != -1) {
		switch (option) {
		case 'h':
			help_print();
			return -1;
		case 'V':
			printf("netlog %s\n", VERSION_TEXT);
			return -1;
		case 'v':
		case 'q':
		case OPTION_RECORDING:
			break;
		default:
			warnx("%s (try netlog --help)",
			    text_name(option_complaint(option, argv, options, text)));
			*status = STATUS_ERROR;
			return -1;
		}
	}
	*at = optind;
	if (optind < argc)
		return 0;
	warnx("no command given (try netlog --help)");
	*status = STATUS_ERROR;
	return -1;
}

/* A log is two descriptors while it is followed, and one set may hold thousands. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(int argc, char **argv)
{
	static char buffer[STDOUT_BUFFER];
	struct invocation invocation = {.argc = argc - 1, .argv = argv};
	int at, status;

	/* a reader that went away shows as EPIPE, so that every way out is the same */
	(void)signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	source_on_wait(stdout_flush);
	if (global_options(argc, argv, &at, &status) != 0)
		return status_worse(status, stdout_finish());
	invocation.command = command_find(argv[at]);
	if (invocation.command == NULL) {
		warnx("unknown subcommand %s (try netlog --help)", text_name(argv[at]));
		return STATUS_ERROR;
	}
	raise_descriptor_limit();
	/* what stood before the name joins what stands behind it */
	memmove(argv + at, argv + at + 1, sizeof(*argv) * (size_t)(argc - at));
	status = invocation.command->run(&invocation);
	return status_worse(status, stdout_finish());
}
