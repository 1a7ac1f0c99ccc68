/* What a script makes of a leg's two streams of answers, the recorded and the live one, before they
 * are compared: normalise(). Without such a script both stay as they are. */
#ifndef NETREPLAY_NORMAL_H
#define NETREPLAY_NORMAL_H

#include "format/align.h"
#include "net/script.h"

struct normal_mark;

struct normal {
	struct script_conn conns[2]; /* by enum align_stream */
	bool normalises;
	bool loaded;	    /* there is a script */
	const char *reason; /* of the failure; NULL: there was none */
	struct normal_mark *marks;
	size_t mark_count, mark_capacity;
	uint64_t recorded, normalised; /* recorded bytes taken so far, and what became of them */
};

/* All zeros is one without a script. `info` and `script` must outlive it. */
void normal_init(struct normal *normal, struct script *script, const struct conn_info *info);
/* Addresses in `info` have changed. */
void normal_refresh(struct normal *normal);
void normal_release(struct normal *normal);

/*
 * The next bytes of `stream` (size 0: its end); they become those to compare, lent until the next
 * call of any. Returns -1 with normal->reason.
 */
int normal_take(
    struct normal *normal, enum align_stream stream, const unsigned char **data, size_t *size);

/* The same with what is sent: client_data(). */
int normal_send(struct normal *normal, const unsigned char **data, size_t *size);

/* The offset among normalised recorded bytes that stands for `offset` among those of the recording.
 */
uint64_t normal_place(const struct normal *normal, uint64_t offset);

#endif
