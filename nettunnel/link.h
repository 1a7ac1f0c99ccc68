/*
 * A link: the frames of one session between a server and a provider, over one TCP connection after
 * the other. What one end puts comes out at the other once and in order, also if the connection is
 * lost in between, unless it stays lost for longer than tunnel.hold.
 *
 * A new connection supersedes the old one.
 */
#ifndef NETTUNNEL_LINK_H
#define NETTUNNEL_LINK_H

#include "nettunnel/frame.h"
#include "nettunnel/outbox.h"
#include "nettunnel/tunnel.h"

struct link;

struct link_ops {
	/*
	 * A frame of the sequence, but no BYE, has come; `payload` is lent. Returns NULL, or in
	 * what it breaks the protocol: the link is then over.
	 */
	const char *(*frame)(
	    struct link *link, const struct frame *frame, const struct slice *payload);
	/* All frames that came at once have been told. */
	void (*parsed)(struct link *link);
	/* There is link_room() again, perhaps for some time. */
	void (*room)(struct link *link);
	/* The connection is lost; link_attach() may bring another. */
	void (*lost)(struct link *link, const char *reason);
	/* It is over for good. The owner releases it after the round. */
	void (*over)(struct link *link, const char *reason);
};

enum link_state {
	LINK_DOWN, /* no connection now; what is put is kept */
	LINK_UP,
	LINK_OVER /* for good: nothing is kept */
};

/* Embedded in its owner. */
struct link {
	const struct link_ops *ops;
	struct tunnel *tunnel;
	enum link_state state;
	struct watch watch;
	struct outbox outbox;
	uint64_t received;	/* frames of the other end's sequence */
	size_t unacknowledged;	/* bytes of these since the last ACK */
	unsigned char *partial; /* the beginning of a frame whose rest has not come; NULL: none */
	size_t partial_size;
	unsigned char control[3 * (FRAME_HEADER + 8)]; /* frames outside of the sequence */
	size_t control_size, control_sent;
	bool ack_due, ping_due, pong_due;
	uint64_t pong;	    /* what it has to repeat */
	size_t smooth;	    /* bytes sent since the connection last took no more */
	size_t counted;	    /* what COUNTER_RETAINED knows of */
	int64_t heard;	    /* when the last byte came */
	struct timer timer; /* up: pings; down: the end of tunnel.hold */
	struct timer ack_timer;
	struct task flush;
};

void link_init(struct link *link, struct tunnel *tunnel, const struct link_ops *ops);
void link_release(struct link *link);

/*
 * Go on over `fd`, the link's from now on, with an end that has got `received` frames. Returns -1
 * if that cannot be: the link is then as it was and `fd` the caller's.
 */
int link_attach(struct link *link, int fd, uint64_t received);

/* Ask for a sign of life, and believe the connection lost if there is none soon. */
void link_probe(struct link *link);

/* Put a frame; see outbox.h. Returns -1 with errno ENOMEM: what it belongs to cannot go on. */
int link_put(
    struct link *link, enum frame_type type, uint64_t stream, const void *payload, size_t size);
int link_put_data(struct link *link, uint64_t stream, const struct slice *slice);

/* How many bytes of data should be put now at most, what waits to be sent being little. */
size_t link_room(const struct link *link);

/* How much of that one stream should put while others wait for their turn. */
size_t link_share(const struct link *link);

/* End it for good: its connection is closed, the owner told. */
void link_end(struct link *link, const char *reason);

/* End it for good since its other end broke the protocol: `what` it did. */
void link_violation(struct link *link, const char *what);

/*
 * This process ends: send what is left (or, if `abrupt`, no more than the frame that is under way),
 * say BYE, close. Waits for a second at most, a fifth if `abrupt`.
 */
void link_bye(struct link *link, bool abrupt);

#endif
