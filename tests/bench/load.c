/* Chooses the mode. */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/load.h"

static const struct mode {
	const char *name;
	int operands;
	const char *usage;
	int (*run)(char **operands, const char *index);
} modes[] = {
    {"serve", 0, "", serve_main},
    {"bulk", 4, "PORT up|down CONNECTIONS SIZE", bulk_main},
    {"request", 3, "PORT CLIENTS MILLISECONDS", request_main},
    {"connect", 4, "PORT CONCURRENT MILLISECONDS MOST", connect_main},
    {"idle", 2, "PORT CONNECTIONS", idle_main},
    {"sleep", 1, "DEADLINES", sleep_main},
    {"send", 2, "PORT SIZE", send_main},
    {"rate", 4, "PORT CLIENTS PER-SECOND MILLISECONDS", rate_main},
    {"verify", 4, "bulk|request LOGROOT LOGS TOTAL", verify_main},
};

static int
usage(void)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		fprintf(stderr, "usage: load [-i INDEX] %s %s\n", modes[i].name, modes[i].usage);
	return 2;
}

/* As many descriptors as the system allows: thousands of connections are held at a time. */
static void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(int argc, char **argv)
{
	const char *index = NULL;
	int option;

	while ((option = getopt(argc, argv, "+i:")) != -1) {
		if (option != 'i')
			return usage();
		index = optarg;
	}
	if (optind == argc)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	descriptors_raise();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, argv[optind]) == 0 &&
		    modes[i].operands == argc - optind - 1)
			return modes[i].run(argv + optind + 1, index);
	}
	return usage();
}
