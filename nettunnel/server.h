/* The server's side: clients that wait for or have a provider, and the providers. */
#ifndef NETTUNNEL_SERVER_H
#define NETTUNNEL_SERVER_H

#include "nettunnel/settings.h"

struct server;

/* Read the secrets, bind everything. Returns NULL after telling the user why. */
struct server *server_new(const struct settings *settings, struct service *service);

/* Announce all sockets and begin to accept. */
void server_open(struct server *server);

void server_free(struct server *server);

#endif
