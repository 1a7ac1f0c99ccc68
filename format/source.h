/* Where the bytes of a log come from: a file, a gzip file, memory, several of these in a row. */
#ifndef FORMAT_SOURCE_H
#define FORMAT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source;

struct source_ops {
	/* Read at most `size` bytes. Returns how many (0 only at the end), or -1 with errno. */
	ssize_t (*read)(struct source *source, void *buffer, size_t size);
	/*
	 * Pass over `count` bytes without reading them. Returns how many were passed, or -1 with
	 * errno; fewer at the end or before a failure, which the next call tells. NULL where
	 * reading is the only way.
	 */
	int64_t (*skip)(struct source *source, uint64_t count);
	/* See source_part(). NULL where there is one file only. */
	size_t (*part)(const struct source *source);
	void (*free)(struct source *source);
};

/* Every kind of source embeds this as its first member. */
struct source {
	const struct source_ops *ops;
};

/* Read; see source_ops. A damaged gzip stream fails with EILSEQ, one cut short with ENODATA. */
ssize_t source_read(struct source *source, void *buffer, size_t size);

/* Skip, by reading where the source has no quicker way; see source_ops. */
int64_t source_skip(struct source *source, uint64_t count);

/* Of several files in a row, the one that was read last or could not be opened, from 0. */
size_t source_part(const struct source *source);

/* Release the source and what it owns; NULL is harmless. */
void source_free(struct source *source);

/*
 * Have `waiting` called whenever a source is about to wait for more of a pipe or a terminal, so
 * that what came of earlier bytes can be handed on first. For the whole process; NULL: nothing is
 * called.
 */
void source_on_wait(void (*waiting)(void));

/* A source over `fd`, closed with it if `owned`. Gzip is recognised by its first two bytes,
 * whatever the name is (RFC 1952, several members in a row). Returns NULL with errno. */
struct source *source_from_fd(int fd, bool owned);

/* As source_from_fd() for the file `path`; "-" is standard input. Returns NULL with errno. */
struct source *source_open(const char *path);

/* A source over `size` bytes at `data`, which must outlive it; gzip is recognised here too.
 * Returns NULL with errno. */
struct source *source_from_memory(const void *data, size_t size);

/* A source over what `raw` yields, which it owns from now on (also when this fails): inflated if
 * that begins as gzip does, else as it is. Returns NULL with errno. */
struct source *source_inflate(struct source *raw);

/* A source that opens `paths` one after the other, each when the one before has ended; the strings
 * are copied. Returns NULL with errno. */
struct source *source_concat(char *const *paths, size_t count);

/*
 * Told that parts of a followed log were deleted before they could be opened: `count` of them, in
 * front of the one at `path`, with which reading goes on. `path` is NULL if the log's last file is
 * gone and none behind it is left: then nobody knows whether, and how much, was missed.
 */
typedef void source_missed(void *context, const char *path, unsigned count);

/*
 * A source for a log that still grows: the file `path`, plain or since compressed, then its further
 * parts (format/logname.h) as they come; of "-", standard input in place of a file. read() returns
 * 0 where nothing more is there yet, and looks again when it is called again: see reader_retry().
 * Returns NULL with errno.
 */
struct source *source_follow(const char *path, source_missed *missed, void *context);

/* Have `source`, made by source_follow(), and its twin open no part behind `last` until this is
 * called again; UINT_MAX: all that come. */
void source_follow_until(struct source *source, unsigned last);

/*
 * A second source over the same log, from its beginning: it yields what the first does, at its own
 * pace, also of files that were deleted since the first one opened them. To be made before `source`
 * is read, and once. Returns NULL with errno.
 */
struct source *source_follow_twin(struct source *source);

#endif
