/* A log read as what the client did: connect, send, end its stream, fail; each with what it had
 * received before. */
#ifndef NETREPLAY_STEPS_H
#define NETREPLAY_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/logset.h"

enum step_type {
	STEP_SEND,  /* `size` bytes, fetched by steps_data() */
	STEP_END,   /* FIN */
	STEP_RESET, /* RST, or whatever failed */
	STEP_DONE /* the log has ended: nothing more is done, `cause` is all that the server sent */
};

struct step {
	enum step_type type;
	int64_t time;	   /* in the log, nanoseconds */
	uint64_t size;	   /* STEP_SEND */
	uint64_t cause;	   /* server bytes recorded ahead of it */
	bool server_ended; /* the server's end is recorded ahead of it too */
	int64_t response;  /* response time of the answer recorded ahead of it; 0: there is none */
	int64_t answered;  /* in the log: when the last server bytes ahead of it came; INT64_MIN:
			      there are none since the step before */
};

struct steps;

/* The steps of a log. Returns NULL with errno. */
struct steps *steps_open(const struct logset_item *item);
void steps_free(struct steps *steps);

/* Time of `con`; -1 with a reason (steps_message()) if the log does not begin with it. */
int steps_begin(struct steps *steps, int64_t *time);

/* The next step; data of the one before that was not fetched is passed over. Returns -1 with a
 * reason if the log is damaged. */
int steps_next(struct steps *steps, struct step *step);

/* The next piece of a STEP_SEND's data, lent until the next call; its size, 0 at the end, -1 with a
 * reason. Data that is not long comes in one piece. */
ssize_t steps_data(struct steps *steps, const unsigned char **piece);

/* Response times of the turns passed so far go to `add` as they are met; NULL: nowhere. */
void steps_on_response(
    struct steps *steps, void (*add)(void *context, int64_t response), void *context);

const char *steps_message(struct steps *steps);

/* A log read as what the server sent. */
struct answers;

/* Returns NULL with errno. */
struct answers *answers_open(const struct logset_item *item);
void answers_free(struct answers *answers);

/* How the server's stream ended in the recording. */
enum answers_end { ANSWERS_OPEN, ANSWERS_HUP, ANSWERS_ERR };

/* The next piece of its stream, lent until the next call; its size, 0 at its end (then
 * answers_end() is known), -1 with a reason. */
ssize_t answers_next(struct answers *answers, const unsigned char **piece);
enum answers_end answers_end(const struct answers *answers);
const char *answers_message(struct answers *answers);

/* Does the client speak TLS from here on? `data` is the beginning of what it sends: a ClientHello
 * (RFC 8446 section 4.1.2 in a record of section 5.1). */
bool steps_is_tls(const unsigned char *data, size_t size);

#endif
