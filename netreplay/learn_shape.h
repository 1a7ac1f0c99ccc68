/* What a field that varies looks like: literal bytes and runs of bytes of some kind; and as a
 * regular expression. */
#ifndef NETREPLAY_LEARN_SHAPE_H
#define NETREPLAY_LEARN_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct byte_set {
	uint64_t bits[4];
};

struct shape_part {
	bool varies;	    /* a run; else the one byte */
	bool any;	    /* a run of any bytes: a binary one, of fixed length */
	unsigned char byte; /* the literal one */
	int follow;	    /* the byte behind a run, or -1: not always the same */
	size_t least, most; /* how long a run is */
	size_t weight;	    /* from how many bytes its kind was guessed */
	struct byte_set seen;
};

#define SHAPE_PARTS_MAX 64

struct shape {
	size_t count;
	struct shape_part parts[SHAPE_PARTS_MAX];
};

/* Add to the end. They return false if it is full. */
bool shape_add_byte(struct shape *shape, unsigned char byte);
bool shape_add_any(struct shape *shape, size_t size);
/* A run seen in two streams; `follow` is what stands behind it in both, or -1. */
bool shape_add_run(
    struct shape *shape, const unsigned char *const bytes[2], const size_t size[2], int follow);

/* The bytes that a letter of a known shape stands for: 0 a digit, a and A letters, x and X
 * hexadecimal digits in lower and upper case, _ a blank or a digit, ? any; NULL: itself. */
const char *shape_letter(char letter);
/* Add a known shape, in these letters. */
bool shape_add_known(struct shape *shape, const char *letters, size_t size);

/* Make `into` match what `from` matches too; of one that is the beginning of the other, what the
 * longer one does. Returns false, changing nothing, if that would not be narrow. */
bool shape_merge(struct shape *into, const struct shape *from);

/* Is a part of it binary? */
bool shape_is_binary(const struct shape *shape);

/* Is it one run, of more than letters and digits? */
bool shape_is_token(const struct shape *shape);

/* Write it, or bytes, as a regular expression. */
void shape_write(const struct shape *shape, FILE *stream);
void shape_write_bytes(const unsigned char *bytes, size_t size, FILE *stream);

#endif
