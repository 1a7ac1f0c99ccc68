/* A log read as what the server did: send, end its stream, fail; each with what it had received
 * before. */
#ifndef NETREPLAY_CUES_H
#define NETREPLAY_CUES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/logset.h"

enum cue_type {
	CUE_SEND,  /* bytes, fetched by cues_data() */
	CUE_END,   /* FIN */
	CUE_RESET, /* RST, or whatever failed */
	CUE_DONE   /* the log has ended: the server did nothing more */
};

struct cue {
	enum cue_type type;
	uint64_t size;	    /* CUE_SEND */
	uint64_t cause;	    /* client bytes recorded ahead of it */
	bool client_ended;  /* the client's end is recorded ahead of it too */
	bool client_failed; /* and was a failure, or one followed */
	bool client_reset;  /* and was a failure */
	bool server_ended;  /* so is the server's own FIN */
	int64_t after;	    /* how long after the last of these, nanoseconds */
	int64_t patience;   /* how long the client had taken for them after the cue before */
};

struct cues;

/* The cues of a log. Returns NULL with errno. */
struct cues *cues_open(const struct logset_item *item);
void cues_free(struct cues *cues);

/* The next cue; data of the one before that was not fetched is passed over. A log that is cut short
 * ends there. Returns -1 with a reason (cues_message()) if the log is damaged. */
int cues_next(struct cues *cues, struct cue *cue);

/* The next piece of a CUE_SEND's data, lent until the next call; its size, 0 at the end, -1 with a
 * reason. */
ssize_t cues_data(struct cues *cues, const unsigned char **piece);

const char *cues_message(struct cues *cues);

/* A log read as what the client sent. */
struct requests;

/* Returns NULL with errno. */
struct requests *requests_open(const struct logset_item *item);
void requests_free(struct requests *requests);

/* The next piece of its stream, lent until the next call; its size, 0 at its end, -1 if the log is
 * damaged. */
ssize_t requests_next(struct requests *requests, const unsigned char **piece);
const char *requests_message(struct requests *requests);

#endif
