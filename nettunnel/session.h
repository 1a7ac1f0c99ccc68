/* A session: a link and the streams that share it. They take turns, so that a small request is not
 * stuck behind a bulk transfer. */
#ifndef NETTUNNEL_SESSION_H
#define NETTUNNEL_SESSION_H

#include "nettunnel/auth.h"
#include "nettunnel/link.h"
#include "nettunnel/stream.h"

#define SESSION_BATCH 32

RB_HEAD(stream_tree, stream);
TAILQ_HEAD(stream_turns, stream);

struct session;

struct session_ops {
	/* The provider's: a client has come, `text` tells from where. NULL: never. */
	void (*open)(struct session *session, uint64_t id, const char *text);
	/* The server's: no more clients, please. NULL: never. */
	void (*drain)(struct session *session);
	void (*lost)(struct session *session, const char *reason);
	/* The link is over. The owner sees to the streams, which are all still there, and releases
	 * the session after the round. */
	void (*over)(struct session *session, const char *reason);
};

struct session {
	const struct session_ops *ops;
	struct link link;
	unsigned char id[AUTH_SESSION_SIZE];
	char name[AUTH_NAME_SIZE + 1];
	struct stream_tree streams;
	size_t count;	  /* of these */
	uint64_t last_id; /* of the stream that was opened last; ids are never used again */
	struct stream_turns turns;
	struct timer turn_timer;
	/* Consecutive DATA of one stream, sent to its socket at once. */
	struct stream *batch_stream;
	struct slice batch[SESSION_BATCH];
	size_t batch_count;
};

void session_init(struct session *session, struct tunnel *tunnel, const struct session_ops *ops);
void session_release(struct session *session);

/* See link_attach(). */
int session_attach(struct session *session, int fd, uint64_t received);

/* The server's: have a waiting stream served by this session. */
void session_serve(struct session *session, struct stream *stream, const char *text);

RB_PROTOTYPE(stream_tree, stream, node, stream_compare)

/* The first of the streams, by id; NULL: there is none. */
struct stream *session_first(struct session *session);

/* -- for streams -- */

void session_add(struct session *session, struct stream *stream);
void session_remove(struct session *session, struct stream *stream);

/* The stream's socket has something: its turn comes now or later. */
void session_want_turn(struct session *session, struct stream *stream);

#endif
