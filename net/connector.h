/* Connects to the first of several addresses that accepts, without blocking. */
#ifndef NET_CONNECTOR_H
#define NET_CONNECTOR_H

#include "net/address.h"
#include "net/loop.h"

struct connector;

/*
 * Try `targets`, which must outlive the attempt, one after the other, all within `timeout`
 * nanoseconds (0: however long it takes). `done` is called once: with a connected descriptor, now
 * the callee's, and the address that accepted, or with fd -1, an errno value (ETIMEDOUT after the
 * timeout) and the address tried last; the connector is gone when it is called. It may be called
 * before connector_start() returns, which then returns NULL, as it does if memory is short.
 *
 * With `sends`, `done` sends something at once and then calls socket_sent(): see socket_connect().
 * It is then called after the current round at the earliest, unless memory is short.
 */
struct connector *connector_start(struct loop *loop, const struct address_list *targets,
    int64_t timeout, bool sends,
    void (*done)(void *context, int fd, int error, const struct address *address), void *context);

/* The descriptor of the attempt under way, lent; -1: none at this moment. */
int connector_descriptor(const struct connector *connector);

/* Give up; `done` is not called. NULL is harmless. */
void connector_cancel(struct connector *connector);

#endif
