/*
 * A relay joins two ends by two flows; observers see what passes.
 */
#ifndef NET_RELAY_H
#define NET_RELAY_H

#include "net/observer.h"

/* Add an observer; before the first byte is relayed. It sees what passes until relay's end, close() last. */
void relay_observe(struct relay *relay, struct observer *observer);

/* An observer whose ready() had said no takes it back. */
void relay_resume(struct relay *relay);

/* End the connection at once (reason CLOSE_KILLED), both sides reset. Safe to be called from an observer's callback: it takes place after the
 * current round. */
void relay_kill(struct relay *relay);

const struct conn_info *relay_info(const struct relay *relay);

#endif
