/* Which proxies there are, each with its server and its observers: from the command line, or from a
 * file as tcp-clone reads it. */
#ifndef NETMIRROR_CONFIG_H
#define NETMIRROR_CONFIG_H

#include <stddef.h>

#include "net/address.h"

#define CONFIG_ERROR_MAX 512

/* A server or an observer. */
struct config_peer {
	char *name; /* as written: "host:port", ... */
	unsigned line;
	struct address_list addresses; /* count 0 until it is resolved */
};

struct config_proxy {
	char *listen; /* as written */
	unsigned line;
	struct config_peer target;
	struct config_peer *observers;
	size_t observer_count;
};

struct config {
	char *path; /* NULL: from the command line */
	struct config_proxy *proxies;
	size_t count;
};

void config_init(struct config *config);
void config_release(struct config *config);

/* Add a proxy that listens where `listen` says, lent; returns it, or NULL with errno ENOMEM. It is
 * valid until the next one is added. */
struct config_proxy *config_add(struct config *config, const char *listen);

/* Add an observer, or set the server, lent as written. Return -1 with errno ENOMEM. */
int config_observe(struct config_proxy *proxy, const char *name);
int config_target(struct config_proxy *proxy, const char *name);

/* Read a file. Returns -1 with a reason that names file and line. */
int config_load(struct config *config, const char *path, char error[CONFIG_ERROR_MAX]);

/* Resolve all names; may block, so not in the loop's thread while it runs. Returns -1 with a
 * reason. */
int config_resolve(struct config *config, int family, char error[CONFIG_ERROR_MAX]);

/* Most observers that a connection has. */
size_t config_observers_max(const struct config *config);

#endif
