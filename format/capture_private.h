/* What reading captures consists of: what was read of a file, and two readers of that. Private to
 * capture_*.c. */
#ifndef FORMAT_CAPTURE_PRIVATE_H
#define FORMAT_CAPTURE_PRIVATE_H

#include "format/capture_read.h"

#define CAPTURE_PACKET_MAX 262144 /* bytes: as libpcap has it */
#define CAPTURE_READ_SIZE 262144  /* stays in the processor's cache until it is looked at */

/* What was read of a file and not taken yet. */
struct capture_input {
	struct source *source;
	int error; /* of the source, as an errno; 0: none */
	size_t at, end;
	uint8_t bytes[16 + CAPTURE_PACKET_MAX + CAPTURE_READ_SIZE];
};

/* Have `size` bytes at `at`, at most those of a packet with its header. Returns 1, 0 if the file
 * ends before that, or -1 with `error` set. */
int capture_input_need(struct capture_input *input, size_t size);

/*
 * capture_classic.c: files of a header, then packets, each behind a header of its own. They are
 * read where they lie in the buffer, several times faster than libpcap does, which copies twice.
 */
struct capture_classic {
	int link;
	bool swapped;	   /* the other byte order */
	unsigned fraction; /* nanoseconds that its fractions of a second count */
};

/* Read the file's header, if it is one of this kind with a link type that is known. Returns 1, 0 if
 * it is not, then nothing was taken, or -1 with the input's error. */
int capture_classic_begin(struct capture_classic *classic, struct capture_input *input);

/* As capture_next(); -1 with the input's error, or with `message`. */
int capture_classic_next(const struct capture_classic *classic, struct capture_input *input,
    struct packet *packet, char message[CAPTURE_ERROR_MAX]);

/* capture_other.c: all that libpcap knows; built without it, opening says so */
struct capture_other;

/* Read all of `input`, from its `at` on. Returns NULL with `message`, unless it is the input's
 * error. */
struct capture_other *capture_other_new(
    struct capture_input *input, char message[CAPTURE_ERROR_MAX]);
void capture_other_free(struct capture_other *other);
int capture_other_filter(
    struct capture_other *other, const char *expression, char message[CAPTURE_ERROR_MAX]);
int capture_other_next(
    struct capture_other *other, struct packet *packet, char message[CAPTURE_ERROR_MAX]);

#endif
