/* The fields that vary in a difference: each with the constant text before it, by which it is
 * found again, and what it looks like. */
#ifndef NETREPLAY_LEARN_FIELD_H
#define NETREPLAY_LEARN_FIELD_H

#include "netreplay/learn_shape.h"
#include "netreplay/learn_window.h"

struct learn_field {
	size_t begin[2], end[2]; /* in the window */
	size_t anchor;		 /* so many constant bytes before it */
	bool first;		 /* the stream begins with the anchor */
	struct shape shape;
	const char *wrong; /* why there is no narrow pattern for it; NULL: there is one */
};

/* Finds the fields of a window, one after another. */
struct field_reader {
	const struct learn_window *window;
	struct hunk hunks[HUNKS_MAX];
	size_t count, next;
	size_t floor[2]; /* the end of the last field */
};

/* Returns false if the difference has too many pieces, or memory is short. */
bool field_reader_init(struct field_reader *reader, const struct learn_window *window);
/* Returns false if there are no more. */
bool field_next(struct field_reader *reader, struct learn_field *field);

#endif
