/*
 * Names resolved beside the loop: getaddrinfo(3) may wait for a nameserver for long, so a few
 * threads of its own do that. Numbers and paths need none.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "net/address.h"
#include "net/loop.h"

struct resolver;
struct query;

/* Returns NULL with errno. */
struct resolver *resolver_new(struct loop *loop);

/* All queries must be answered or cancelled. Lookups under way are not waited for. */
void resolver_free(struct resolver *resolver);

/*
 * Have `name` resolved for connecting, within `family`. `done` is called once from the loop, never
 * before this returns: with addresses that are the callee's from then on, or with the reason why
 * there are none (static). The query is gone then. Queries for the same name at the same time are
 * one lookup. Returns NULL with errno; EAGAIN if too many names wait.
 */
struct query *resolver_ask(struct resolver *resolver, const struct address_name *name, int family,
    void (*done)(void *context, struct address_list *list, const char *reason), void *context);

/* `done` is not called. NULL is harmless. */
void resolver_cancel(struct query *query);

#endif
