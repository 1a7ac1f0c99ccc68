/* What a program tells its operator: lines on stderr, each written at once and whole, from any
 * thread. Where nobody reads them they are lost rather than waited for, counted, and told with the
 * next one for which there is room. */
#ifndef NET_NOTICE_H
#define NET_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

enum notice_level {
	NOTICE_ANNOUNCE, /* where it listens, counters that were asked for: -q does not suppress
			    these */
	NOTICE_ERROR,
	NOTICE_WARNING,
	NOTICE_INFO, /* shown unless -q */
	NOTICE_VERBOSE,
	NOTICE_DEBUG
};

/* Show notices up to `level`: NOTICE_INFO until this is called, NOTICE_ERROR for -q, more for each
 * -v. */
void notice_set_level(enum notice_level level);

/* The same by how often -v was given; -1 for -q. */
void notice_set_verbose(int verbose);

/*
 * Write "program: message\n" to stderr with one write(2). Control characters and bytes that are not
 * ASCII are made visible (vis(3)), and what is longer than some 2,000 bytes is cut, so that names
 * and bytes of others may stand in a message. errno is kept.
 */
void notice(enum notice_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The descriptor beside stderr that this writes to, -1: none; for thread_own_descriptors(). */
int notice_descriptor(void);

/* For commands, instead of errx(3), which writes what users and files say as it is: tell it as an
 * error, and end with status 2. */
_Noreturn void notice_exit(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Keeps a flood of alike notices readable: some ten a second are said, the others are counted. One
 * for each thread and kind of notice.
 */
struct notice_ration {
	int64_t window; /* when the current second began */
	unsigned said;	/* in it */
	uint64_t withheld;
};

/* May one more be said now (thread_clock() or loop_now())? If not it is counted as withheld. */
bool notice_ration_take(struct notice_ration *ration, int64_t now);

/* How many were withheld, to be told in one line; 0 while the current second lasts, and afterwards.
 */
uint64_t notice_ration_rest(struct notice_ration *ration, int64_t now);

#endif
