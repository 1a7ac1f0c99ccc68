/*
 * Two streams of bytes compared as they come: what was recorded, and what a live peer sends. Knows
 * masks; after a difference it finds where both go on alike, so that one inserted field is one
 * difference. Memory is bound by a window, not by the streams, and given back when both are equal.
 *
 * How: what both have in common is passed over. At the first bytes that differ both are read as
 * mask matches (leftmost, longest, not overlapping) and the bytes between them: a match in the
 * recorded stream must be met by a match of the same mask at the same place in the live one. Else
 * it is a difference: the nearest place behind it where both streams go on alike (for 16 bytes, or
 * to their common end) ends it. Each is decided as soon as no further byte could change it, so
 * that what is told does not depend on the pieces in which the streams came.
 */
#ifndef FORMAT_ALIGN_H
#define FORMAT_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/mask.h"

enum align_stream { ALIGN_RECORDED = 0, ALIGN_LIVE = 1 };

#define ALIGN_CONTEXT 32 /* bytes before a difference that are told with it */
#define ALIGN_SHOW 256	 /* bytes of a difference that are told; its size may be larger */

/* A place where the streams differ. Arrays by enum align_stream. */
struct align_difference {
	uint64_t offset[2];	       /* where in each stream */
	uint64_t size[2];	       /* how many bytes of each; one of them may be 0 */
	const unsigned char *bytes[2]; /* the first `shown` of these, lent */
	size_t shown[2];
	const unsigned char *before[2]; /* the bytes before it, lent */
	size_t before_size[2];
	const unsigned char *after[2]; /* the bytes behind it, as far as they are there (at most
					  ALIGN_CONTEXT), lent */
	size_t after_size[2];
};

/*
 * A mask met in both streams, told only where it was needed to make them equal. A match at the end
 * of the live bytes so far, which may yet become longer, is told when align_reached() counts it or
 * align_settle() is called, and once more if it has become longer.
 */
struct align_masked {
	size_t mask;
	uint64_t offset[2];
	const unsigned char *bytes[2]; /* lent */
	size_t size[2];
};

struct align_config {
	const struct mask_set *masks; /* may be NULL */
	void (*differ)(void *context, const struct align_difference *difference);
	void (*masked)(void *context, const struct align_masked *masked); /* may be NULL */
	void *context;
	/* Sizes only: every byte equals every other, so that only lengths can differ (-C size). */
	bool sizes_only;
};

struct align;

/* Returns NULL with errno. The configuration is copied, the masks are lent. */
struct align *align_new(const struct align_config *config);
void align_free(struct align *align);

/* More bytes of one stream. Returns 0, or -1 with errno ENOMEM. Recorded bytes that align_wanted()
 * does not ask for are kept, and cost memory. */
int align_feed(struct align *align, enum align_stream stream, const void *data, size_t size);

/* That stream has ended. When both have, everything is decided and told. */
int align_end(struct align *align, enum align_stream stream);

/* The recorded stream ends where the recording does, not where the peer ended it: live bytes that
 * follow are no difference. To be said before align_end(). */
void align_open_end(struct align *align);

/*
 * How many more recorded bytes it is worth feeding now (0: enough are held). To be asked after
 * live bytes were fed or have ended, and until it is 0: without these bytes align_reached() falls
 * behind.
 */
size_t align_wanted(const struct align *align);

/*
 * How far the live stream has come: the recorded offset before which all is matched, masked, or
 * told as different. Also `target` (a recorded offset, such as the end of an answer), although less
 * is certain, if the live bytes since the last target end as the recorded ones do there, or a match
 * of a mask at their end stands where such a match ends the answer and is no shorter. Takes
 * constant time.
 */
uint64_t align_reached(struct align *align, uint64_t target);

/* The live stream has been silent for so long that nothing more may come for now: tell a mask's
 * match at its end. */
void align_settle(struct align *align);

/* Differences told so far; bytes of each stream that were compared. */
uint64_t align_differences(const struct align *align);
uint64_t align_compared(const struct align *align, enum align_stream stream);

#endif
