/*
 * Texts and what they are replaced by, by the thousand: a tree by their bytes, in which a text that
 * shares no more bytes with others ends at once (its rest is compared, not laid out in nodes).
 */
#ifndef NETREPLAY_TEXTS_H
#define NETREPLAY_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

struct texts;

struct texts *texts_new(void); /* NULL with errno */
void texts_free(struct texts *texts);
size_t texts_count(const struct texts *texts);

/* Have `from`, which is not empty, replaced by `to`, whatever replaced it before. Returns -1 with
 * errno ENOMEM. */
int texts_put(struct texts *texts, const unsigned char *from, size_t from_size,
    const unsigned char *to, size_t to_size);

struct text_match {
	size_t size;		 /* of the longest text that `data` begins with; 0: there is none */
	const unsigned char *to; /* what replaces it */
	size_t to_size;
	bool open; /* `data` is the beginning of a longer text still */
};

/* The text at the beginning of `data`, which is not empty. */
void texts_match(
    const struct texts *texts, const unsigned char *data, size_t size, struct text_match *match);

/* How many bytes of `data` can be passed over because no text begins with them. */
size_t texts_skip(const struct texts *texts, const unsigned char *data, size_t size);

#endif
