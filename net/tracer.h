/* The observer that tells connections on stderr: begin and end with -v, every record with -vv. */
#ifndef NET_TRACER_H
#define NET_TRACER_H

#include "net/observer.h"

/* Observe the connection of `tap`; without memory for it the connection is simply not told. */
void tracer_attach(struct tap *tap);

#endif
