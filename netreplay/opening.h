/* The beginning of what a client sends, compared with the beginning of a recorded client's stream.
 */
#ifndef NETREPLAY_OPENING_H
#define NETREPLAY_OPENING_H

#include <stdbool.h>
#include <stddef.h>

#include "format/mask.h"

/* As much as is ever compared to choose a log. */
#define OPENING_MAX ((size_t)64 * 1024)

/* The beginning of a stream, lent. */
struct opening {
	const unsigned char *bytes;
	size_t size;
	bool ended; /* that is all of it */
};

enum opening_fit {
	OPENING_DEPARTS, /* the live bytes are others, more or fewer than the recorded ones */
	OPENING_MAYBE,	 /* the last live bytes may yet become a match of a mask */
	OPENING_FITS,	 /* all live bytes are met */
	OPENING_BEYOND	 /* all that is known of the recording is met: more of it is needed */
};

/*
 * Compare; `masks` may be NULL. `*reached` is how much of the recording is met: up to where they
 * depart, or to where the live bytes end.
 */
enum opening_fit opening_compare(const struct mask_set *masks, const struct opening *recorded,
    const struct opening *live, size_t *reached);

#endif
