/*
 * Regular expressions on raw bytes: POSIX extended, C locale, NULs too, "." and "[^x]" not matching
 * newline; \xHH \r \n \t are understood. regex(7); matching is glibc's re_search(3).
 */
#ifndef FORMAT_PATTERN_H
#define FORMAT_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define PATTERN_MATCH_MAX                                                                          \
	65536 /* longer matches are not looked for: what bounds the memory of stream searches */

struct pattern;

/* Compile `text`. Returns NULL with a one-line reason in `error`; one that matches the empty string
 * is refused. */
struct pattern *pattern_new(const char *text, char *error, size_t error_size);
void pattern_free(struct pattern *pattern);

/* The text it was compiled from. */
const char *pattern_text(const struct pattern *pattern);

/*
 * Find the first (leftmost, longest) match in `data` that begins at or after `from`. `begin` and
 * `end` are set. `at_start` tells whether data[0] is the beginning of the stream (for "^"; newlines
 * are no line ends: "^" and "$" match only at the stream's ends), `at_end` likewise for "$".
 */
bool pattern_find(struct pattern *pattern, const unsigned char *data, size_t size, size_t from,
    bool at_start, bool at_end, size_t *begin, size_t *end);

/* How many groups, parts in parentheses, it has. */
size_t pattern_groups(const struct pattern *pattern);

/* Where in `match`, which is all that a match took, its first group is; of a repeated one the last
 * time. Returns false if the group had no part in it, `match` is none, or memory is short. */
bool pattern_group(
    struct pattern *pattern, const unsigned char *match, size_t size, size_t *begin, size_t *end);

/*
 * A stream searched piece by piece, in bounded memory: matches across pieces are found. `found` is
 * called for each match, in order, not overlapping, with its offset in the stream.
 */
struct pattern_stream;
struct pattern_stream *pattern_stream_new(struct pattern *const *patterns, size_t count,
    void (*found)(void *context, size_t pattern, uint64_t begin, uint64_t end), void *context);
int pattern_stream_feed(
    struct pattern_stream *stream, const void *data, size_t size); /* -1 with errno */
int pattern_stream_end(struct pattern_stream *stream);		   /* -1 with errno */
void pattern_stream_free(struct pattern_stream *stream);

#endif
