/*
 * Writes logs under one root: <root>_<n>, plain or gzip, split into parts, never overwriting.
 * A root and its logs belong to one thread; but one may create logs while others append to those
 * that they were handed, park and close them (log_root_again()).
 */
#ifndef FORMAT_WRITER_H
#define FORMAT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/record.h"

struct log_root; /* a directory, a name in it, the next free number, one deflate state */

struct log_root_config {
	const char *root;     /* the user's logroot; its directory must exist */
	int gzip_level;	      /* 0: plain logs; 1..9: gzip, every batch a member of its own */
	uint64_t rotate_size; /* a new part is begun when one would grow beyond this; 0: never */
	/* Called for every finished part, with its path; NULL: not called. The path is only lent.
	 */
	void (*part_done)(void *context, const char *path, uint64_t size);
	void *context;
};

/*
 * One log being written. Its descriptor may be closed at any time between two calls
 * (log_writer_park()) and is opened again by the next append: O_APPEND|O_NOFOLLOW, never
 * O_CREAT, and device and inode must be those of the file that was created (else ESTALE).
 */
struct log_writer {
	uint64_t n;	    /* its number; 0 until created */
	unsigned part;	    /* 0 for <root>_<n>, 1 for <root>_<n>.1, ... */
	int fd;		    /* -1 while parked */
	uint64_t part_size; /* bytes in the current part's file, all of whole records */
	dev_t device;
	ino_t inode;
};

/* One record to append; `data` is record.size bytes, or NULL with size 0. */
struct log_entry {
	struct record record;
	const void *data;
};

/*
 * Open a root: finds the highest number among <root>_<n>, its parts, .gz of either, <root><n> and
 * the "n" of the index <root>_index.jsonl. Strings are copied. Returns NULL with errno.
 */
struct log_root *log_root_open(const struct log_root_config *config);

/* The same root for another thread, which only appends to logs that were created with `root`, parks
 * and closes them; with a deflate state of its own. To be closed too. Returns NULL with errno. */
struct log_root *log_root_again(const struct log_root *root);

/* Release the root; logs still open on it must be closed before. NULL is harmless. */
void log_root_close(struct log_root *root);

/* The number that the next log will probably get. */
uint64_t log_root_next(const struct log_root *root);

/* The descriptor of its directory, lent: all that the root holds open. */
int log_root_descriptor(const struct log_root *root);

/* Number `n` is used by somebody: later logs get higher ones. */
void log_root_pass_over(struct log_root *root, uint64_t n);

/*
 * The level that gzip uses from now on, 0 meaning stored blocks (still valid .gz): the writer
 * thread lowers it while it falls behind. No effect on plain roots.
 */
void log_root_set_level(struct log_root *root, int level);

/* The file name of a log's part ("root_7", "root_7.2.gz"), cut to `size`; returns `buffer`. */
char *log_root_name(
    const struct log_root *root, uint64_t n, unsigned part, char *buffer, size_t size);

/* The same with the directory as the user wrote it. */
char *log_root_path(
    const struct log_root *root, uint64_t n, unsigned part, char *buffer, size_t size);

/* Delete a finished part. Returns 0, or -1 with errno. */
int log_root_remove(const struct log_root *root, uint64_t n, unsigned part);

/* Delete the same part as a log of the other kind, plain or .gz: what a command has made of it.
 * Returns 0, or -1 with errno. */
int log_root_remove_other(const struct log_root *root, uint64_t n, unsigned part);

/* Open <root>_index.jsonl for reading and appending, mode 0600, created if missing. Returns the
 * caller's descriptor, or -1 with errno. */
int log_root_open_index(const struct log_root *root);

/* The same for who writes whole lines: one that a crash has left unfinished is ended first. */
int log_root_continue_index(const struct log_root *root);

/* Create the next free log (O_EXCL, mode 0600; a number that is taken in any spelling is passed
 * over). Returns 0, or -1 with errno; `log->n` is then the number it would have had, which no other
 * log gets (but after EMFILE and ENFILE, when it may be tried again). */
int log_writer_create(struct log_root *root, struct log_writer *log);

/*
 * Append `count` entries with one writev() where the system allows it; begins a new part first
 * where --rotate asks for it (at a record boundary; a record larger than a part gets a part of its
 * own). Returns 0. On failure returns -1 with errno, `*written` being the number of entries that
 * are wholly in the log; a part of a record is taken back with ftruncate(2), so that the log ends
 * at a whole record. The caller must not append to that log again, except after EMFILE and ENFILE:
 * then the rest may be tried again.
 */
int log_writer_append(struct log_root *root, struct log_writer *log,
    const struct log_entry *entries, size_t count, size_t *written);

/* Append `size` bytes that are whole records as record_encode() has them, each with its payload;
 * they stay in one part, and in one gzip member. Returns 0, or -1 with errno, as
 * log_writer_append(). */
int log_writer_append_encoded(
    struct log_root *root, struct log_writer *log, const void *bytes, size_t size);

/* Close the descriptor of a log that will be appended to later. */
void log_writer_park(struct log_writer *log);

/* Finish the log (part_done() is called for its last part). Returns 0, or -1 with errno from
 * close(2). */
int log_writer_close(struct log_root *root, struct log_writer *log);

/* The path of the current part: log_root_path(). */
char *log_writer_path(
    const struct log_root *root, const struct log_writer *log, char *buffer, size_t size);

#endif
