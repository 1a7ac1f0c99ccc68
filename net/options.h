/*
 * What the commands' options and operands have in common. Each function tells the user what is
 * wrong with a value, naming the option, and returns -1; the command then ends with status 2.
 */
#ifndef NET_OPTIONS_H
#define NET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"
#include "net/recorder.h"

/*
 * What getopt_long(3) has just refused, with opterr 0: `mark` is '?' (unknown) or ':' (a value is
 * missing). Long options have values from 256 on.
 */
void options_unknown(int mark, char *const *argv);

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
