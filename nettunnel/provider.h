/* The provider's side: the link to the server, kept up, and the targets of its streams. */
#ifndef NETTUNNEL_PROVIDER_H
#define NETTUNNEL_PROVIDER_H

#include "nettunnel/settings.h"

struct provider;

/* Read the key, resolve the names. Returns NULL after telling the user why. */
struct provider *provider_new(const struct settings *settings, struct service *service);

/* Begin to connect. */
void provider_open(struct provider *provider);

void provider_free(struct provider *provider);

#endif
