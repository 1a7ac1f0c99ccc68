/* What the user wants: nettunnel's options and operands. */
#ifndef NETTUNNEL_SETTINGS_H
#define NETTUNNEL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/metrics.h"
#include "net/service.h"

#define SETTINGS_LISTEN_MAX 16

struct settings {
	bool is_server;
	/* both */
	const char *key_path;
	int64_t hold, ping, grace; /* nanoseconds */
	int family;
	int verbose; /* -1: quiet */
	const char *user, *metrics_path;
	/* the server's */
	char *listens[SETTINGS_LISTEN_MAX]; /* for clients */
	char *doors[SETTINGS_LISTEN_MAX];   /* for providers */
	size_t listen_count, door_count;
	size_t max_connections;
	const char *auth_path; /* NULL: clients need no token */
	/* the provider's */
	const char *server[2], *target[2]; /* host and port, or both in the first and NULL */
	const char *name;		   /* NULL: made of host's and target's names */
	int64_t connect_timeout;
};

/* Ends the process with status 2 after telling what is wrong; with 0 after --help and --version. */
void settings_parse(struct settings *settings, int argc, char **argv);

#endif
