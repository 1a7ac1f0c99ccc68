/* What is to be seen of a difference in both streams, and where exactly they differ in it. Arrays
 * by enum align_stream. */
#ifndef NETREPLAY_LEARN_WINDOW_H
#define NETREPLAY_LEARN_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/align.h"

#define WINDOW_MAX (ALIGN_SHOW + 2 * ALIGN_CONTEXT)

struct learn_window {
	unsigned char bytes[2][WINDOW_MAX];
	size_t size[2];
	size_t begin[2], end[2]; /* the difference in it */
	uint64_t offset[2];	 /* of the window in the streams */
	uint64_t unseen[2];	 /* so many more bytes of the difference are not shown */
	bool cut;		 /* there are some, so that the difference ends the window */
	bool token; /* is part of a token of more than words, such as base64: set by the caller */
	/* Set by the caller: recorded bytes that vary although they are equal here, and where what
	 * has the same length in both streams ends. */
	bool varies[WINDOW_MAX];
	size_t fixed;
};

void window_init(struct learn_window *window, const struct align_difference *difference);

/* Are there bytes in the difference that text does not have? */
bool window_is_binary(const struct learn_window *window);

/* A piece of the window that is different. */
struct hunk {
	size_t begin[2], end[2];
};

/*
 * Split a difference that is not cut into hunks: of text, words that differ as a whole, of binary
 * data, bytes. Returns how many, at most HUNKS_MAX, or -1: more, or no memory.
 */
#define HUNKS_MAX 64
int window_split(const struct learn_window *window, struct hunk hunks[HUNKS_MAX]);

bool byte_is_digit(unsigned char byte);
bool byte_is_letter(unsigned char byte);
bool byte_is_word(unsigned char byte);	/* one of the two */
bool byte_is_token(unsigned char byte); /* or what base64 and the like have besides these */
bool byte_is_text(unsigned char byte);	/* ASCII, also \t, \r and \n */

#endif
