/*
 * What commands that proxy have in common, netrecord and netmirror: their options, and what stands
 * around the proxy itself: service, metrics file, recorder, tracer.
 */
#ifndef NET_FRONT_H
#define NET_FRONT_H

#include <getopt.h>
#include <stdbool.h>

#include "net/livecapture.h"
#include "net/metrics.h"
#include "net/options.h"
#include "net/recorder.h"
#include "net/script.h"
#include "net/service.h"

#define FRONT_BIND_MAX 64

struct front_settings {
	char *binds[FRONT_BIND_MAX];
	size_t bind_count;
	int family;
	size_t max_connections;
	int64_t connect_timeout, idle_timeout, half_close_timeout, grace; /* nanoseconds */
	const char *script_path;					  /* NULL: none */
	bool must_route; /* the script has to choose every server: set by the command */
	uint64_t route_limit;
	int64_t route_timeout; /* nanoseconds */
	const char *user;
	const char *metrics_path;
	int verbose;			   /* -1: quiet */
	struct recorder_config recorder;   /* root NULL: nothing is recorded */
	struct livecapture_config capture; /* path NULL: none; set by the command */
};

/* Values of the long options among these; a command's own begin at 256. */
enum front_option {
	FRONT_ROTATE = 1024,
	FRONT_KEEP,
	FRONT_CONNECT_TIMEOUT,
	FRONT_IDLE_TIMEOUT,
	FRONT_HALF_CLOSE_TIMEOUT,
	FRONT_ON_LOG_ERROR,
	FRONT_LOG_STALL,
	FRONT_NO_INDEX,
	FRONT_METRICS,
	FRONT_GRACE,
	FRONT_ROUTE_LIMIT,
	FRONT_ROUTE_TIMEOUT
};

/* For getopt_long(3): part of the string of short options, and entries of the table of long ones,
 * behind which OPTIONS_COMMON_LONG stands. */
#define FRONT_SHORT_OPTIONS "b:z::x:s:m:u:" OPTIONS_FAMILY_LETTERS OPTIONS_COMMON_LETTERS
#define FRONT_LONG_OPTIONS                                                                         \
	{"bind", required_argument, NULL, 'b'}, {"gzip", optional_argument, NULL, 'z'},            \
	    {"rotate", required_argument, NULL, FRONT_ROTATE},                                     \
	    {"keep", required_argument, NULL, FRONT_KEEP}, {"exec", required_argument, NULL, 'x'}, \
	    {"script", required_argument, NULL, 's'},                                              \
	    {"route-limit", required_argument, NULL, FRONT_ROUTE_LIMIT},                           \
	    {"route-timeout", required_argument, NULL, FRONT_ROUTE_TIMEOUT},                       \
	    {"max-connections", required_argument, NULL, 'm'},                                     \
	    {"connect-timeout", required_argument, NULL, FRONT_CONNECT_TIMEOUT},                   \
	    {"idle-timeout", required_argument, NULL, FRONT_IDLE_TIMEOUT},                         \
	    {"half-close-timeout", required_argument, NULL, FRONT_HALF_CLOSE_TIMEOUT},             \
	    {"on-log-error", required_argument, NULL, FRONT_ON_LOG_ERROR},                         \
	    {"log-stall", required_argument, NULL, FRONT_LOG_STALL},                               \
	    {"user", required_argument, NULL, 'u'},                                                \
	    {"no-index", no_argument, NULL, FRONT_NO_INDEX},                                       \
	    {"metrics", required_argument, NULL, FRONT_METRICS},                                   \
	    {"grace", required_argument, NULL, FRONT_GRACE}, OPTIONS_FAMILY_LONG

/* What --help says of them. */
#define FRONT_HELP_LISTEN                                                                          \
	"  -b, --bind ADDR              listen on this address only; "                             \
	"repeatable\n" OPTIONS_FAMILY_HELP
#define FRONT_HELP_LOGS                                                                            \
	"  -z, --gzip[=LEVEL]           write .gz logs\n"                                          \
	"      --rotate SIZE            split logs into parts of this size\n"                      \
	"      --keep SIZE              delete the oldest closed parts beyond this total\n"        \
	"  -x, --exec COMMAND           run for each finished part, its name as argument\n"        \
	"      --on-log-error ACTION    pass (traffic goes on, default) or close\n"                \
	"      --log-stall T            end a log whose disk hangs so long (5 s)\n"                \
	"      --no-index               write no index file\n"
#define FRONT_HELP_SCRIPT                                                                          \
	"  -s, --script FILE            Lua: route and rewrite, see netrecord-script(5);\n"        \
	"                               host and port may be - - if it routes all\n"               \
	"      --route-limit SIZE       it must decide within so many bytes (64k)\n"               \
	"      --route-timeout T        and within this time (10 s)\n"
#define FRONT_HELP_SERVE                                                                           \
	"  -m, --max-connections N      beyond it, clients wait in the backlog\n"                  \
	"      --connect-timeout T      give up connecting to the server (30 s)\n"                 \
	"      --idle-timeout T         end connections idle for so long (none)\n"                 \
	"      --half-close-timeout T   the same once one side has ended (1 h)\n"                  \
	"  -u, --user USER              drop privileges after binding\n"                           \
	"      --metrics FILE           counters in Prometheus text format\n"                      \
	"      --grace T                after TERM, wait so long for the rest (10 "                \
	"s)\n" OPTIONS_COMMON_HELP

/* The defaults. */
void front_settings_init(struct front_settings *settings);

/* Take an option that getopt_long(3) returned. Returns 0, 1 if it is none of these, or -1 after
 * telling the user what is wrong with its value, which is lent. */
int front_option(struct front_settings *settings, int option, char *value);

/* Everything that runs but the proxies. */
struct front {
	struct service service;
	struct metrics metrics;
	struct metrics_file *metrics_file;
	struct recorder *recorder;   /* NULL: nothing is recorded */
	struct livecapture *capture; /* NULL: none */
	struct script *script;	     /* NULL: none */
	bool trace;		     /* -v: connections are told */
};

/*
 * Load the script, make the service and its listener, which calls `accepted`; `legs` is how many
 * descriptors a connection takes at most besides its client's, `kept` how many are needed for
 * something else. Sockets are added by the caller. Returns -1 after telling the user why.
 */
int front_init(struct front *front, const struct front_settings *settings, size_t legs, size_t kept,
    void (*accepted)(void *context, int fd, const struct address *client));

/* Now that all is bound: drop privileges, start the metrics file (its names begin with the
 * program's), the live capture and the recorder. Returns -1 after telling the user why. */
int front_start(struct front *front, const struct front_settings *settings);

/* Add the recorder, the live capture and the tracer to a new connection. */
void front_observe(struct front *front, struct tap *tap);

/* Complete the logs and the metrics file when all connections are closed, and release everything.
 * Returns 0; 1 if logs or index lack something, which has been told; -1 after telling the user that
 * logs cannot be completed: the writer may hang in the kernel, nothing can be released, and the
 * process is left by _exit(2). */
int front_finish(struct front *front);

#endif
