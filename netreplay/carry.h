/*
 * --carry: what a live answer says instead of what the recorded one said (session ids, tokens)
 * replaces it in what is sent later. Tables are per copy of the recording (--clients) and run of it
 * (--loop), shared by its connections.
 */
#ifndef NETREPLAY_CARRY_H
#define NETREPLAY_CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct carry_set; /* the patterns, in the order of the options */

struct carry_set *carry_set_new(void); /* NULL with errno */
void carry_set_free(struct carry_set *set);

/* Add a pattern with exactly one group (more are told to be wrong). Returns 0, or -1 with a
 * one-line reason. */
int carry_set_add(struct carry_set *set, const char *text, char *error, size_t error_size);
size_t carry_set_count(const struct carry_set *set);

struct carry_table; /* recorded text -> live text */

struct carry_table *carry_table_new(const struct carry_set *set); /* NULL with errno */
void carry_table_free(struct carry_table *table);

/*
 * The whole match of pattern `index` in the recorded answer and the one that took its place in the
 * live answer: what their groups captured is remembered, a later one for the same recorded text
 * replaces an earlier one. An index beyond the set's is no pattern of --carry: nothing is learned.
 * Returns -1 with errno ENOMEM.
 */
int carry_table_learn(struct carry_table *table, size_t index, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size);

/*
 * Another pattern, a mask, took both: look for pattern `index` within them. The first match in one
 * belongs to the first in the other, and so on; `*matches` is raised by how many there are. Returns
 * as carry_table_learn().
 */
int carry_table_learn_within(struct carry_table *table, size_t index, const void *recorded,
    size_t recorded_size, const void *live, size_t live_size, uint64_t *matches);

/* How many texts it holds. 0: carry_stream_rewrite() would copy for nothing. */
size_t carry_table_count(const struct carry_table *table);

/* One connection's client bytes on their way out. All zeros is its beginning; release with
 * carry_stream_release(). */
struct carry_stream {
	unsigned char *held; /* the end of what was given, where a recorded text may begin */
	size_t held_size;
	unsigned char *out; /* what was returned last */
	size_t out_capacity;
};

/*
 * Replace every recorded text in `data` by its live one (the longest where several begin at the
 * same place). A text that may go on in what follows is held back, unless `last` says that nothing
 * follows before an answer is waited for. Returns -1 with errno ENOMEM, else 0 and `*out`,
 * `*out_size`, valid until the next call.
 */
int carry_stream_rewrite(struct carry_stream *stream, const struct carry_table *table,
    const void *data, size_t size, bool last, const unsigned char **out, size_t *out_size);
void carry_stream_release(struct carry_stream *stream);

#endif
