/* What `netlog show` shares between its one pass over what is there and the following of what
 * comes. */
#ifndef FORMAT_NETLOG_SHOW_H
#define FORMAT_NETLOG_SHOW_H

#include <signal.h>

#include "format/netlog/matches.h"
#include "format/netlog/netlog.h"
#include "format/netlog/slow.h"
#include "format/netlog/transcript.h"
#include "format/pattern.h"
#include "format/turn.h"

struct show {
	struct invocation *invocation;
	struct transcript transcript;
	int side;		 /* enum side, or -1: both */
	int64_t from, to;	 /* times in the log: from included, to not */
	int64_t slow;		 /* -1: all turns */
	struct pattern *pattern; /* NULL: all records */
	bool follow;
	const volatile sig_atomic_t
	    *interrupted; /* set by a signal; NULL: signals end the program */
};

/* Where the reading of one log is. */
struct lane {
	uint64_t number;    /* of the next record, from 0 */
	uint64_t stream[2]; /* payload bytes passed, by side */
	struct turn_tracker turns;
	bool begun;		    /* the two below were made, where they are asked for */
	struct matches *matches[2]; /* NULL once no more is to be found */
	struct slow *slow;
	bool lost;   /* a file was deleted before it was read: what is left is to be followed */
	size_t part; /* that file, of the item's parts */
};

void lane_init(struct lane *lane);

/* Show what the logs of `set` hold; `lanes` has one for each. Returns the exit status. */
int show_set(struct show *show, const struct logset *set, struct lane *lanes);

/* No use, or no wish, to go on showing. */
bool show_stopped(const struct show *show);

/* Do the record's side and time ask for it to be shown? */
bool show_wants(const struct show *show, const struct record *record);

/* What the connection column says of the item: its name, printable. */
const char *show_column(const struct show *show, const struct logset_item *item);

/* Show what the logs hold and go on with what is written to them, until SIGINT. Returns the exit
 * status. */
int follow_run(struct show *show, char *const *operands, size_t count);

#endif
