/* What link.c (its life), link_send.c and link_receive.c know of a link. Private to them. */
#ifndef NETTUNNEL_LINK_PRIVATE_H
#define NETTUNNEL_LINK_PRIVATE_H

#include "nettunnel/link.h"

/* link.c */

/* The connection is lost. Harmless if there is none. */
void link_lost(struct link *link, const char *reason);

/* Have COUNTER_RETAINED know what the outbox holds now. */
void link_count_retained(struct link *link);

/* link_send.c: what its task calls: send what there is to send. */
void link_flush_task(struct task *task);

/* link_receive.c: what its watch calls. */
void link_ready(struct watch *watch, short events);

#endif
