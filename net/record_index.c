#include "net/record_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/notice.h"

#define LINE_SIZE 4096
#define WAITING_MAX (1024 * 1024) /* some 2,000 connections' lines */
#define RETRY_AFTER INT64_C(1000000000)

int
record_index_open(struct record_index *index, const struct log_root *root, const char *name)
{
	struct stat status = {0};
	char last = '\n';

	*index = (struct record_index){.size = 4 * LINE_SIZE, .root = name};
	index->fd = log_root_open_index(root);
	if (index->fd >= 0 && (fstat(index->fd, &status) != 0 || !S_ISREG(status.st_mode))) {
		close(index->fd);
		index->fd = -1;
		errno = EEXIST; /* as something else than a file */
	}
	if (index->fd >= 0)
		index->lines = malloc(index->size);
	if (index->lines == NULL) {
		notice(NOTICE_ERROR, "%s_index.jsonl: %s", name, strerror(errno));
		record_index_close(index);
		return -1;
	}
	/* A crash may have left part of a line: the next one must not become part of it. */
	if (status.st_size > 0 && pread(index->fd, &last, 1, status.st_size - 1) == 1)
		index->midline = last != '\n';
	index->known = status.st_size; /* log_root_open() has read that */
	return 0;
}

/* Take in the whole lines of `text`; returns how many bytes they are. */
static size_t
index_take_in(struct log_root *root, const char *text, size_t size)
{
	const char *at = text, *newline;
	struct index_entry entry;

	while ((newline = memchr(at, '\n', size - (size_t)(at - text))) != NULL) {
		if (index_decode(at, (size_t)(newline - at), &entry) == 0)
			log_root_pass_over(root, entry.n);
		at = newline + 1;
	}
	return (size_t)(at - text);
}

void
record_index_look(struct record_index *index, struct log_root *root)
{
	struct stat status;
	char text[4 * LINE_SIZE];

	if (index->fd < 0 || fstat(index->fd, &status) != 0)
		return;
	if (status.st_size < index->known) /* somebody has cut it */
		index->known = status.st_size;
	while (index->known < status.st_size) {
		ssize_t size = pread(index->fd, text, sizeof(text), index->known);
		if (size <= 0)
			return;
		size_t whole = index_take_in(root, text, (size_t)size);
		if (whole == 0 && (size_t)size < sizeof(text))
			return; /* a line that is being written */
		index->known += whole > 0 ? (off_t)whole : size;
	}
}

void
record_index_close(struct record_index *index)
{
	if (index->fd >= 0)
		close(index->fd);
	free(index->lines);
	*index = (struct record_index){.fd = -1};
}

/* Have room for one more line; false if there is to be none. */
static bool
index_reserve(struct record_index *index)
{
	if (index->size - index->used >= LINE_SIZE)
		return true;
	if (index->size >= WAITING_MAX)
		return false;
	char *larger = realloc(index->lines, 2 * index->size);
	if (larger == NULL)
		return false;
	index->lines = larger;
	index->size *= 2;
	return true;
}

void
record_index_add(struct record_index *index, const struct index_entry *entry, int64_t now)
{
	if (index->fd < 0)
		return;
	if (!index_reserve(index))
		record_index_flush(index, now, false);
	if (!index_reserve(index)) {
		index->lacks = true;
		if (index->overflow++ == 0)
			notice(NOTICE_ERROR,
			    "%s_index.jsonl: too many lines wait: some will be missing",
			    index->root);
		return;
	}
	index->used += index_encode(entry, index->lines + index->used, index->size - index->used);
}

static void
index_said_failed(struct record_index *index, int64_t now, int error)
{
	if (index->retry == 0)
		notice(NOTICE_ERROR, "%s_index.jsonl: %s: will be tried again", index->root,
		    strerror(error));
	index->retry = now + RETRY_AFTER;
}

static void
index_said_written(struct record_index *index)
{
	if (index->retry != 0)
		notice(NOTICE_WARNING,
		    "%s_index.jsonl: is written again, %" PRIu64 " lines are missing", index->root,
		    index->overflow);
	index->retry = 0;
	index->overflow = 0;
}

/* Part of the lines was written: take it back, unless another recorder has written behind it. */
static void
index_take_back(struct record_index *index, size_t written)
{
	struct stat status;
	off_t end = lseek(index->fd, 0, SEEK_CUR);

	if (end >= (off_t)written && fstat(index->fd, &status) == 0 && status.st_size == end &&
	    ftruncate(index->fd, end - (off_t)written) == 0)
		return;
	/* The whole lines of it are in. */
	size_t whole = written;
	while (whole > 0 && index->lines[whole - 1] != '\n')
		whole--;
	index->midline = whole < written;
	memmove(index->lines, index->lines + whole, index->used - whole);
	index->used -= whole;
}

void
record_index_flush(struct record_index *index, int64_t now, bool force)
{
	if (index->fd < 0 || index->used == 0 || (now < index->retry && !force))
		return;
	if (index->midline) {
		if (write(index->fd, "\n", 1) != 1) {
			index_said_failed(index, now, errno);
			return;
		}
		index->midline = false;
	}
	ssize_t written = write(index->fd, index->lines, index->used);
	if (written == (ssize_t)index->used) {
		/* Our own lines are no news, if nobody else's lie before them. */
		if (lseek(index->fd, 0, SEEK_CUR) == index->known + (off_t)written)
			index->known += written;
		index->used = 0;
		index_said_written(index);
		return;
	}
	if (written < 0 && errno == EINTR)
		return;
	index_said_failed(index, now, written < 0 ? errno : ENOSPC);
	if (written > 0)
		index_take_back(index, (size_t)written);
}
