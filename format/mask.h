/*
 * Masks: patterns whose matches count as equal whatever their bytes are, also of other length. What
 * -i, -I and --carry give, what --learn writes.
 */
#ifndef FORMAT_MASK_H
#define FORMAT_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "format/automaton.h"
#include "format/pattern.h"

/* One mask, and what it has done so far. */
struct mask {
	struct pattern *pattern;
	struct automaton *automaton; /* the same pattern, to search with */
	uint64_t matches;	     /* in recorded bytes, counted by mask_count_*() */
	uint64_t bytes;		     /* of these */
};

struct mask_set {
	struct mask *masks;
	size_t count;
	uint64_t searched; /* recorded bytes that were searched */
};

void mask_set_init(struct mask_set *set);

/* The set is empty then, as after mask_set_init(). */
void mask_set_release(struct mask_set *set);

/* Add one pattern. Returns 0, or -1 with a one-line reason in `error`. */
int mask_set_add(struct mask_set *set, const char *text, char *error, size_t error_size);

/* Give one of the masks another pattern; what it has counted stays. Returns 0, or -1 with a reason,
 * the mask as it was. */
int mask_set_replace(
    struct mask_set *set, size_t index, const char *text, char *error, size_t error_size);

/* Add the patterns of a file, one a line; blank lines and those that begin with # are passed over.
 * Returns 0, or -1 with a reason that names file and line. "-" is standard input. */
int mask_set_load(struct mask_set *set, const char *path, char *error, size_t error_size);

/* A match of one of the masks. */
struct mask_match {
	size_t mask; /* its index in the set */
	size_t begin, end;
};

/* Can no match hold a newline? */
bool mask_set_in_lines(const struct mask_set *set);

/*
 * The first match in `data` (leftmost, of these the longest, of these the first mask) that begins
 * at or after `from` and before `before`. `at_start`, `at_end`: as pattern_find().
 */
bool mask_set_find(const struct mask_set *set, const unsigned char *data, size_t size, size_t from,
    size_t before, bool at_start, bool at_end, struct mask_match *match);

/*
 * One match after the other in bytes that may still go on. What was found of each mask is kept, so
 * that a search for the next match does not begin anew.
 */
struct mask_scan {
	const struct mask_set *set;
	struct automaton_span span;
	struct automaton_match *found; /* of each mask: the first match from `span.from` on */
	bool *known;
};

struct mask_scan_match {
	bool found;
	bool certain;		 /* further bytes cannot change what is told here */
	struct mask_match match; /* if found: leftmost, longest, first mask */
	size_t alive;		 /* if not certain: a match may begin here, none before it does */
};

/* Begin to scan; the span is copied, its bytes are lent. Returns -1 with errno. Release in either
 * case. */
int mask_scan_init(
    struct mask_scan *scan, const struct mask_set *set, const struct automaton_span *span);
void mask_scan_release(struct mask_scan *scan);

/* The first match that begins at or after `from`, which never goes back, and before span.before. */
void mask_scan_next(struct mask_scan *scan, size_t from, struct mask_scan_match *match);

/* Count how often each mask matches in a recorded stream, for the report: feed it piece by piece.
 * It holds some KB, more only within long matches. Feeding and ending return -1 with errno. */
struct mask_counter;
struct mask_counter *mask_counter_new(struct mask_set *set); /* NULL with errno */
int mask_counter_feed(struct mask_counter *counter, const void *data, size_t size);
int mask_counter_end(struct mask_counter *counter);
void mask_counter_free(struct mask_counter *counter);

#endif
