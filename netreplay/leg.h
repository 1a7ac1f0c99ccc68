/* A session's connection to one server: what it is sent, and how far its answers have come along
 * the recorded ones. */
#ifndef NETREPLAY_LEG_H
#define NETREPLAY_LEG_H

#include "format/align.h"
#include "net/connector.h"
#include "net/end.h"
#include "netreplay/session.h"
#include "netreplay/normal.h"
#include "netreplay/steps.h"

struct leg {
	struct session *session;
	struct end end; /* descriptor -1 until connected, and when closed */
	struct connector *connector;
	struct address server; /* that accepted */
	struct align *align;   /* its answers along the recorded ones */
	struct align *cross;   /* --against: its answers along the other server's; NULL: none */
	enum align_stream cross_stream;
	struct normal normal; /* what a script makes of these before */
	struct answers *answers;
	struct histogram *responses; /* its response times go there */
	struct mask_counter
	    *counter; /* of matches in the recorded answers; NULL: there are no masks */
	bool answers_ended;
	enum answers_end recorded_end;
	unsigned char *unsent; /* what the kernel did not take; NULL: nothing */
	size_t unsent_size, unsent_at;
	bool finish_pending; /* the FIN follows behind `unsent` */
	uint64_t received;
	uint64_t received_at_cause; /* `received` when what is answered next was sent */
	uint64_t deficit;	    /* recorded bytes that the session has given up waiting for */
	int64_t last_sent, last_received, connected; /* loop time; 0: not yet */
	int64_t longest_silence;		     /* that was followed by bytes after all */
	bool unanswered;			     /* nothing has come since bytes were sent */
	bool held_back;				     /* a recorder says: no more for now */
	bool ended;				     /* its FIN or failure was received */
	int error;				     /* of the failure; 0: FIN */
	int broken; /* errno of a send that failed: a reset is told only once */
};

/* Prepare a leg for `item`; connect to `targets` by leg_connect(). Returns -1 with errno. */
int leg_init(struct leg *leg, struct session *session, const struct logset_item *item,
    const struct align_config *config);
void leg_connect(struct leg *leg, const struct address_list *targets);

/* Send, or keep what the kernel does not take. Returns -1 with errno ENOMEM; a server that is gone
 * is noticed on receiving. */
int leg_send(struct leg *leg, const void *data, size_t size);

/* End our stream behind what is unsent. `is_cause`: an answer came before it, so what comes from
 * now on answers this end. */
void leg_finish(struct leg *leg, bool is_cause);

/* May the next bytes be given to leg_send()? */
bool leg_idle(const struct leg *leg);

/* Feed recorded answers as far as they are wanted. Returns -1 if the log is damaged, memory is
 * short or the script fails (leg_message()). */
int leg_feed(struct leg *leg);

/* The live answers have ended: compare what is left of both streams. Returns -1 as leg_feed(). */
int leg_feed_end(struct leg *leg);

/* What failed. */
const char *leg_message(const struct leg *leg);

/* Where among the compared bytes the recorded offset is. */
uint64_t leg_place(const struct leg *leg, uint64_t cause);

/* Wait for what the leg now waits for. */
void leg_update(struct leg *leg);

void leg_close(struct leg *leg, bool reset);
void leg_release(struct leg *leg);

/* What a session's legs need of it. */
const struct play *session_play(const struct session *session);

/* What a leg tells its session. */
void session_connected(struct session *session);
void session_refused(struct session *session, int error, const struct address *server);
/* Bytes have come; they are counted in the leg already, and fed to its align. */
void session_received(struct session *session, struct leg *leg, const struct slice *slice);
/* The server ended its stream, or failed (leg->error). */
void session_ended(struct session *session, struct leg *leg);
/* What was unsent has been sent. */
void session_sent(struct session *session);
void session_out_of_memory(struct session *session);
/* The leg's script has failed, or memory is short. */
void session_fail_script(struct session *session, const struct leg *leg);

#endif
