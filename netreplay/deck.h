/*
 * The logs that clients are served from: which of them are still to be played, and which of these
 * fits what a client has sent. The logs stay on disk; of each only the beginning of the client's
 * stream is kept, of all together at most some 16M.
 */
#ifndef NETREPLAY_DECK_H
#define NETREPLAY_DECK_H

#include "format/logset.h"
#include "netreplay/opening.h"

struct deck_log {
	const struct logset_item *item;
	unsigned char *bytes; /* the beginning of what the client sent */
	size_t size;
	bool whole;	    /* that is all of it */
	bool silent;	    /* it sent nothing at all */
	bool waits_for_end; /* the server did nothing before the client ended */
	uint64_t first;	    /* client bytes before the server did something */
	int64_t patience;   /* how long the client took for its first byte, nanoseconds */
	long long uses;	    /* how often it was or is being played */
	bool unusable;	    /* damaged */
	bool tls;	    /* of a client that speaks TLS */
};

struct deck {
	struct deck_log *logs;
	size_t count;	  /* as in the set */
	long long rounds; /* how often each is played; 0: for ever */
	size_t usable;
	uint64_t taken;	  /* the sum of `uses` */
	int64_t patience; /* the greatest of all */
};

/*
 * Read the beginnings of all logs; `set` must outlive the deck. Logs that cannot be played are told
 * by `unplayable`, each with a reason. Returns -1 with errno ENOMEM; release in either case.
 */
int deck_init(struct deck *deck, const struct logset *set, long long rounds,
    void (*unplayable)(void *context, const struct deck_log *log, const char *reason),
    void *context);
void deck_release(struct deck *deck);

/* How many plays are left beyond those that were taken; UINT64_MAX: for ever. */
uint64_t deck_left(const struct deck *deck);

/* May it be played once more? */
bool deck_is_free(const struct deck *deck, const struct deck_log *log);

void deck_take(struct deck *deck, struct deck_log *log);
void deck_give_back(struct deck *deck, struct deck_log *log);

/*
 * Does what a client has sent fit the log? Reads more of it from disk where the bytes in memory do
 * not tell; `more`, if not NULL, keeps what was read for the next question about the same log (free
 * its bytes). `*reached` as of opening_compare(); OPENING_BEYOND is never returned.
 */
enum opening_fit deck_fit(const struct deck_log *log, const struct mask_set *masks,
    const struct opening *live, struct opening *more, size_t *reached);

/* What deck_choose() has found. NULL: none such. In order means least played first, then as they
 * were recorded. */
struct deck_choice {
	struct deck_log *answers; /* the first that fits and whose server would act now */
	struct deck_log *fits;	  /* the first that fits, or may yet */
	struct deck_log *speaks;  /* the first that fits whose client has something to send still */
	struct deck_log *closest; /* the one that fits furthest, whether at all or not */
};

/* Look through the free logs. Equal bytes go before masked ones. */
void deck_choose(const struct deck *deck, const struct mask_set *masks, const struct opening *live,
    struct deck_choice *choice);

#endif
