/*
 * What the commands' options and operands have in common. Each function tells the user what is
 * wrong with a value, naming the option, and returns -1; the command then ends with status 2.
 */
#ifndef NET_OPTIONS_H
#define NET_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/mask.h"
#include "net/address.h"
#include "net/recorder.h"

/* What all commands take: letters and entries for getopt_long(3), and what --help says of them. */
#define OPTIONS_FAMILY_LETTERS "46"
#define OPTIONS_FAMILY_LONG                                                                        \
	{"ipv4", no_argument, NULL, '4'},                                                          \
	{                                                                                          \
		"ipv6", no_argument, NULL, '6'                                                     \
	}
#define OPTIONS_FAMILY_HELP                                                                        \
	"  -4, --ipv4                   use only IPv4\n"                                           \
	"  -6, --ipv6                   use only IPv6\n"
#define OPTIONS_COMMON_LETTERS "vqhV"
#define OPTIONS_COMMON_LONG                                                                        \
	{"verbose", no_argument, NULL, 'v'}, {"quiet", no_argument, NULL, 'q'},                    \
	    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},                 \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}
#define OPTIONS_COMMON_HELP                                                                        \
	"  -v, --verbose                tell more, connections first; repeatable\n"                \
	"  -q, --quiet                  tell errors only, and where it listens\n"                  \
	"  -h, --help                   print this help\n"                                         \
	"  -V, --version                print the version\n"

/* Take -4, -6, -v or -q into `family` (AF_INET, AF_INET6) or `verbose` (-1: -q). Returns whether
 * it was one of them. */
bool options_common(int option, int *family, int *verbose);

/* For -h print `usage`, for -V the version, and end with status 0, or 2 if that cannot be written.
 * Returns if it was none of them. */
void options_help(int option, const char *usage);

/* Report what getopt_long(3) has just refused; see format/complaint.h. */
void options_unknown(int mark, char *const *argv, const struct option *options);

/* Report a wrong use, with the way to the help, and end with status 2. */
_Noreturn void options_refuse(const char *reason);

/* For a comparison of sizes alone, which looks at no byte: drop the masks, if there are any, with a
 * warning. */
void options_mask_nothing(struct mask_set *masks);

/* "64k" of `option` ("--rotate"); must be at least 1. */
int options_size(const char *option, const char *text, uint64_t *size);

/* "1.5s" of `option`, in nanoseconds. */
int options_time(const char *option, const char *text, int64_t *nanoseconds);

/* A whole number from `least` to `most`. */
int options_number(
    const char *option, const char *text, long long least, long long most, long long *number);

/* Resolve the server given by `host` and `port`, or by `host` alone ("host:port", "[v6]:port",
 * "unix:/path") if `port` is NULL. */
int options_server(const char *host, const char *port, int family, struct address_list *list);

/* Does `text` stand for host and port both: "host:port", "[v6]:port", "unix:/path"? */
bool options_is_joined(const char *text);

/* The port to listen on, on the addresses `binds` (none: all of them). Also takes "unix:/path" and
 * "address:port" for `port`. `context` is the sockets' own (net/listener). */
struct listener;
int options_listen(struct listener *listener, char *const *binds, size_t bind_count,
    const char *port, int family, void *context);

#endif
