/*
 * A stream: a client's or a target's socket at one end, a session at the other. What the socket
 * sends goes into DATA frames as far as the other end has opened its window; what comes in such
 * frames waits here until the socket takes it, and only then opens the window again. So a reader
 * that stops holds up its own stream only, and what is kept of a stream is at most its window.
 *
 * One FIN in, one FIN out; one RST in, one RST out, behind the bytes before it.
 */
#ifndef NETTUNNEL_STREAM_H
#define NETTUNNEL_STREAM_H

#include "format/record.h"
#include "net/end.h"
#include "nettunnel/frame.h"
#include "nettunnel/tunnel.h"

struct session;
struct stream;
struct piece;

enum stream_state {
	STREAM_WAITING,	 /* no session yet: nothing is received */
	STREAM_OPENING,	 /* the target is being connected: what comes for it waits */
	STREAM_OPEN,	 /* each direction ends on its own */
	STREAM_DRAINING, /* the other end has failed: what came before is delivered, then a RST */
	STREAM_CLOSED	 /* gone after the current round */
};

/* Embedded in a client or a target. */
struct stream {
	RB_ENTRY(stream) node; /* among its session's, by id */
	TAILQ_ENTRY(stream) turn;
	struct session *session; /* NULL: none (any more) */
	struct tunnel *tunnel;
	uint64_t id;
	enum stream_state state;
	enum side side; /* whose socket it is */
	struct end end;
	bool error_seen; /* HUP or ERR was told while nothing could be done about it */
	int broken; /* errno of a send that failed; what the socket sent before is still received */
	/* from the socket to the session */
	bool has_turn; /* waits for its turn to be received from */
	bool ended;    /* the socket's FIN was received */
	size_t credit; /* bytes that the other end lets us send */
	/* from the session to the socket */
	STAILQ_HEAD(, piece) pending;
	struct piece *newest; /* the last of these, if there is one */
	size_t waiting;	      /* bytes of these */
	bool finished;	      /* the other end has sent END */
	bool forwarded;	      /* and the FIN is passed on */
	size_t window;	      /* bytes that the other end may have on the way to us */
	size_t granted;	      /* of these, not come yet */
	size_t consumed;      /* come, given to the socket, and not granted again */
	uint64_t bytes[2];    /* passed on, by enum side */
	struct timer timer;
	int64_t pause, deadline; /* STREAM_DRAINING: look again; reset then at the latest */
	struct task task;	 /* release */
	/* It is gone: the owner frees it. */
	void (*gone)(struct stream *stream);
};

void stream_init(struct stream *stream, struct tunnel *tunnel, enum side side,
    void (*gone)(struct stream *stream));

/* The socket, from now on the stream's. */
void stream_set_socket(struct stream *stream, int fd);

/* It has a session now, which has put OPEN if it is the server's. `opening`: its target is being
 * connected. */
void stream_join(struct stream *stream, struct session *session, uint64_t id, bool opening);

/* The target has accepted. */
void stream_opened(struct stream *stream, int fd);

/* No byte has passed yet: another session may serve it. */
bool stream_is_untouched(const struct stream *stream);

/* Its session is over: wait for another (only if untouched), or end as failed. */
void stream_wait(struct stream *stream);
void stream_fail(struct stream *stream);

/* End it now: the socket is reset, the other end told why. */
void stream_kill(struct stream *stream, enum frame_reason reason);

/* Its socket is gone already, or was never there: nobody is told, nothing counted. */
void stream_dismiss(struct stream *stream);

/* What came for it in frames. Slices are lent. NULL, or in what that breaks the protocol. */
const char *stream_receive(struct stream *stream, const struct slice *slices, size_t count);
const char *stream_grow(struct stream *stream, uint64_t size);
const char *stream_finish(struct stream *stream);

/* Put `data`, which the socket sent before it was the stream's. */
void stream_put_first(struct stream *stream, const void *data, size_t size);

/*
 * Receive from the socket at most `most` bytes and put them. Returns whether there may be more.
 */
bool stream_take_turn(struct stream *stream, size_t most);

/* Have the socket polled for what the stream now waits for. */
void stream_update(struct stream *stream);

#endif
