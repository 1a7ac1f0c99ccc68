/* What the user asked for. */
#ifndef NETREPLAY_SETTINGS_H
#define NETREPLAY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/logset.h"
#include "format/mask.h"
#include "format/report.h"
#include "net/address.h"
#include "netreplay/carry.h"
#include "netreplay/fail_if.h"

enum compare_mode { COMPARE_BYTES, COMPARE_SIZE, COMPARE_NONE };

#define SETTINGS_BIND_MAX 64

struct settings {
	bool serve;	  /* play the server */
	const char *port; /* --serve: where to listen */
	char *binds[SETTINGS_BIND_MAX];
	size_t bind_count;
	int family;
	struct address_list targets; /* the server */
	struct address_list against; /* --against; count 0: none */

	bool fast;	 /* --timing fast */
	double speed;	 /* 1: as recorded */
	int64_t max_gap; /* nanoseconds; 0: none */
	int64_t settle;	 /* --settle; what is added to twice the recorded response time */
	int64_t timeout; /* --timeout */
	int64_t grace;	 /* --serve: after TERM */
	long long loop;	 /* --loop; 0 with --serve: for ever */
	bool loop_given;
	long long clients;	 /* --clients */
	long long shard, shards; /* --shard I/N; 0/0: all */

	enum compare_mode compare;
	struct mask_set masks; /* -i and -I, then the carry patterns in their order */
	size_t carry_first;    /* index of the first carry pattern in `masks` */
	struct carry_set *carry;
	const char *learn;  /* --learn FILE */
	const char *update; /* --update LOGROOT */
	const char *record; /* --record LOGROOT */
	const char *server; /* --server COMMAND */
	bool fresh;
	struct fail_if fail_if; /* text NULL: none */
	const char *script;	/* --script FILE */
	const char *recording;	/* --recording ID */
	enum report_format output;
	int verbose; /* -1: quiet */
};

/* Read the command line; the operands that name logs are left in argv from *first on. Ends the
 * process with status 2 (0 for --help) where it cannot be followed. */
void settings_parse(struct settings *settings, int argc, char **argv, int *first);
void settings_release(struct settings *settings);

#endif
