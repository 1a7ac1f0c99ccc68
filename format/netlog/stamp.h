/* Whether a logroot may have changed since it was looked at: to look at one that is at rest costs
 * as much as its index is long. */
#ifndef FORMAT_NETLOG_STAMP_H
#define FORMAT_NETLOG_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct stamp {
	struct timespec directory, index; /* when they were changed last; 0: not there */
	off_t size;			  /* of the index */
	unsigned looks;			  /* since these are so */
};

/*
 * Is the operand, a log or a logroot, worth a look? To be asked before each, the stamp being all 0
 * at first. True after any change of its directory or its index, and for two more looks, as what
 * changes within one tick of the clock changes no time; and every tenth time in any case, for file
 * systems that don't tell.
 */
bool stamp_worth_a_look(struct stamp *stamp, const char *operand);

#endif
