/* What guest.c (its connection), guest_send.c (what it is sent), guest_match.c (which log),
 * guest_log.c (reading it) and guest_play.c (playing it) know of a guest. Private to them. */
#ifndef NETREPLAY_GUEST_PRIVATE_H
#define NETREPLAY_GUEST_PRIVATE_H

#include "format/align.h"
#include "net/end.h"
#include "netreplay/cues.h"
#include "netreplay/guest.h"

enum guest_state {
	GUEST_WAITING, /* no log yet: it has not sent enough to tell which */
	GUEST_PLAYING, /* a log is being played */
	GUEST_CLOSED   /* released after the current round */
};

struct guest {
	struct tap tap;
	enum guest_state state;
	struct host *host;
	struct end end;
	struct timer timer;
	struct task task; /* kill, or release when closed */
	LIST_ENTRY(guest) all;

	/* what it has sent */
	unsigned char *live; /* all of it while `open`; NULL else */
	size_t live_size, live_capacity;
	size_t fed;    /* of these were given to `align` */
	bool open;     /* another log may take over still */
	bool departed; /* no log fits */
	bool ended;    /* its FIN was received, or it failed */
	bool reset;    /* it failed, as its end */
	bool unclear;  /* sending had failed before its end came: that may have been a FIN before */
	bool broken;   /* it failed: what it is sent leads nowhere */
	uint64_t received;
	int64_t received_at; /* loop time of the last byte, or of its end */
	bool held_back;	     /* a recorder says: nothing more for now */
	bool settling;	     /* WAITING: give it some time to send before it is sent something */

	/* the log that is being played; all of this is guest_begin()'s and guest_leave()'s */
	struct deck_log *log;
	struct opening more; /* see deck_fit() */
	struct cues *cues;
	struct cue cue; /* the next one, if `cued` */
	bool cued;
	struct requests *requests;     /* feeds `align` */
	bool requests_ended, compared; /* all that was recorded was fed, and both streams ended */
	uint64_t requested;	       /* recorded bytes fed */
	struct align *align;
	struct mask_counter *counter;

	/* what it is sent */
	bool sending; /* within a CUE_SEND */
	const unsigned char *pending;
	size_t pending_size; /* of a piece, in the cues' reader */
	uint64_t sent, discarded;
	size_t live_at_send; /* live_size when something was last sent */
	bool finished;	     /* our FIN was sent */
	int64_t base;	     /* when the cause of the cue was there; 0: not yet */
	int64_t floor;	     /* when the cue before was due */
	int64_t due;	     /* when the cue is; 0: its cause is not there */
	int64_t progress;    /* when something was last received, sent or done */
};

/* guest.c */

int64_t guest_now(const struct guest *guest);
struct opening guest_live(const struct guest *guest);

/* It is over; `reason` says why it could not be played to its end, NULL that it was. */
void guest_finish(struct guest *guest, const char *reason, bool reset);

void guest_fail(struct guest *guest, const char *reason);

/* It came and went without a byte, and no log does so: not counted. */
void guest_dismiss(struct guest *guest);

/* Have the guest look at what is due, from the loop. */
void guest_wake(struct guest *guest);

/* guest_send.c */

/* Send what is pending; returns whether all of it went. */
bool guest_flush(struct guest *guest);

/* End our stream. */
void guest_shut(struct guest *guest);

/* guest_match.c */

/* GUEST_WAITING: choose a log if what was sent is enough for that. */
void guest_match(struct guest *guest);

/* Nothing more is to be expected: take the log that is closest. Returns false if there is none. */
bool guest_match_closest(struct guest *guest);

/* GUEST_PLAYING: see that the log still fits what was sent, else have another one take over. */
void guest_consider(struct guest *guest);

/* guest_log.c */

/* Begin to play the log. What was sent to the guest so far is taken as sent by this one. On failure
 * the guest is over. */
void guest_begin(struct guest *guest, struct deck_log *log);

/* Forget the log. */
void guest_leave(struct guest *guest);

/* Give `align` as much of the recording as it wants. Like the next two it returns false if the
 * guest is over. */
bool guest_prompt(struct guest *guest);

/* Feed what the guest has sent, up to `until`. */
bool guest_feed(struct guest *guest, size_t until);

bool guest_next_cue(struct guest *guest);

/* Feed `align` all that is left of the recording, and end both streams. */
void guest_compare_rest(struct guest *guest);

/* guest_play.c */

/* Do whatever can be done now. */
void guest_play(struct guest *guest);

/* Until when to wait: the loop time of the next thing due, or of giving up; 0: only a recorder is
 * waited for. */
int64_t guest_until(const struct guest *guest);

/* Has nothing happened for too long? */
bool guest_is_late(const struct guest *guest);

/* Give up waiting. */
void guest_expire(struct guest *guest);

#endif
