/* Cutting a damaged log back to its whole records. */
#ifndef FORMAT_NETLOG_REPAIR_H
#define FORMAT_NETLOG_REPAIR_H

#include "format/netlog/summary.h"

/*
 * Keep the `summary->whole` first bytes of the log. Nothing is lost: what is cut off (of a .gz: the
 * old file) is saved as <part>.damaged, later parts of a split log are renamed so. Says what was
 * done, or what prevented it. Returns an exit status.
 */
int repair(const struct logset_item *item, const struct summary *summary);

#endif
