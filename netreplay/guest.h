/* A client that is being served from a log. */
#ifndef NETREPLAY_GUEST_H
#define NETREPLAY_GUEST_H

#include <sys/queue.h>

#include "net/chunk.h"
#include "net/metrics.h"
#include "net/recorder.h"
#include "netreplay/deck.h"
#include "netreplay/settings.h"

/* What all guests share. */
struct host {
	const struct settings *settings;
	struct mask_set masks; /* the settings', to be counted in */
	struct deck deck;
	struct loop *loop;
	struct chunk_pool *pool;
	struct metrics *metrics;
	struct recorder *recorder; /* --record; or NULL */
	struct report *report;
	LIST_HEAD(, guest) guests;
	uint64_t connections[4]; /* done, by enum report_result */
	uint64_t compared;	 /* recorded bytes that live ones were compared with */
	uint64_t differences;
	uint64_t last_id;
	size_t playing; /* guests that a log is being played to */
	/* A guest has gone, its log (if it had one) been played. */
	void (*gone)(void *context);
	void *context;
};

/* Serve the accepted socket `fd` of `client`, at `server`. Returns -1 with errno, `fd` is then
 * still the caller's; else host->gone() is called in the end, never before this returns. */
int guest_new(struct host *host, int fd, const struct address *client);

/* End all of them now, reported as not played to their end; host->gone() is called no more. Not
 * from a callback of one. */
void guest_stop_all(struct host *host);

#endif
