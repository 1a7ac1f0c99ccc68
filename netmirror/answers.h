/*
 * --compare: what observers answer against what the server answers. Each leg's answers are aligned
 * with the server's bytes as both come; differences are told at once on stderr, and in a report.
 */
#ifndef NETMIRROR_ANSWERS_H
#define NETMIRROR_ANSWERS_H

#include "format/align.h"
#include "format/histogram.h"
#include "format/mask.h"
#include "format/report.h"
#include "net/chunk.h"
#include "net/loop.h"
#include "net/notice.h"
#include "net/observer.h"
#include "net/script.h"

/* What all comparisons of a process share. */
struct answers_set {
	struct mask_set *masks;
	struct script *script; /* its normalise() is asked before comparing; NULL: there is none */
	bool sizes_only;
	size_t limit; /* memory that the server's bytes of one comparison may hold until the
			 observer has answered */
	size_t total; /* and those of all */
	size_t held;  /* of that, now */
	struct loop *loop;
	struct report *report;
	struct report_summary summary;
	struct histogram *times[2];  /* of response, by enum align_stream; a byte of the first one
					counts once a connection, not once an observer */
	struct notice_ration ration; /* of words about differences */
};

/* `masks` and `report` outlive it; `queue` is that of a leg (--queue). Returns -1 with errno. */
int answers_set_init(struct answers_set *set, struct loop *loop, struct report *report,
    struct mask_set *masks, size_t queue);
void answers_set_release(struct answers_set *set);

/* Complete the report. Returns what the process exits with: 0 all equal, 1 not, 2 nothing was
 * compared or the report could not be written, which is told. */
int answers_set_conclude(struct answers_set *set);

struct answers;

/* The comparison of the answers of `observer` (its name) for the connection of `info`. Only one of
 * a connection is to be its `first`: it counts masks and the server's response times. Returns NULL
 * with errno. */
struct answers *answers_new(
    struct answers_set *set, const struct conn_info *info, const char *observer, bool first);

/* The client has sent something, at `time` by the clock of its connection. */
void answers_ask(struct answers *answers, int64_t time);

/* The server has sent `slice`, lent, at `time` by the same clock; `*shared` as for leg_send().
 * Returns -1 if there is no more room for it. */
int answers_expect(
    struct answers *answers, const struct slice *slice, struct slice *shared, int64_t time);

/* The server has ended its stream, or (`error`) failed. */
void answers_expect_end(struct answers *answers, int error);

/* The observer has sent these bytes. Returns -1 if the comparison has failed. */
int answers_take(struct answers *answers, const struct slice *slice);

/* Why it has failed; valid until answers_finish(). */
const char *answers_failure(const struct answers *answers);

/* It has ended its stream, or (`error`) failed. */
void answers_take_end(struct answers *answers, int error);

/* May the observer send more now? It may not run far ahead of the server. */
bool answers_wanted(const struct answers *answers);

/* Has the observer ended or failed while the server goes on? Then its connection may be over, but
 * not the comparison: what it did not answer is found by what the server does. */
bool answers_wait_for_server(const struct answers *answers);

/* Nothing more will come: report, and free it. `reason` is why the connection to the observer was
 * given up or never stood; NULL: it was not. NULL answers are harmless. */
void answers_finish(struct answers *answers, const char *reason);

#endif
