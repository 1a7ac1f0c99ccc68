#include "format/netlog/repair.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/netlog/netlog.h"
#include "format/netlog/part.h"
#include "format/netlog/sink.h"
#include "format/netlog/text.h"

#define COPY_BUFFER 65536
#define SAVED_SUFFIX ".damaged"

static char *
path_suffixed(const char *path, const char *suffix)
{
	char *text;

	return asprintf(&text, "%s%s", path, suffix) < 0 ? NULL : text;
}

/* Open a part for writing: the file itself, not what a link put in its place leads to. */
static int
part_open(const char *path, struct stat *status)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (fstat(fd, status) != 0 || !S_ISREG(status->st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static bool
begins_gzip(int fd)
{
	unsigned char magic[2];

	return pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

/* Copy [from, to) of `fd` to a new file `saved`. */
static int
tail_save(int fd, off_t from, off_t to, const char *saved)
{
	static unsigned char buffer[COPY_BUFFER];
	int out = open(saved, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct sink *sink = out >= 0 ? sink_new(out, false) : NULL;
	int error;

	if (sink == NULL)
		return -1;
	while (from < to) {
		size_t want = to - from < COPY_BUFFER ? (size_t)(to - from) : COPY_BUFFER;
		ssize_t got = pread(fd, buffer, want, from);
		if (got == 0)
			errno = EIO; /* it shrinks under our hands */
		if (got <= 0 || sink_write(sink, buffer, (size_t)got) != 0)
			goto fail;
		from += got;
	}
	if (fdatasync(out) != 0 && errno != EINVAL)
		goto fail;
	if (sink_free(sink) == 0)
		return 0;
	sink = NULL;
fail:
	error = errno;
	(void)sink_free(sink);
	unlink(saved);
	errno = error;
	return -1;
}

/* Truncate the part to `keep` bytes; the rest goes to `saved`. */
static int
plain_cut(int fd, const struct stat *before, uint64_t keep, const char *saved)
{
	struct stat after;

	if (tail_save(fd, (off_t)keep, before->st_size, saved) != 0)
		return -1;
	if (fstat(fd, &after) != 0)
		return -1;
	if (after.st_size != before->st_size) {
		unlink(saved);
		errno = EBUSY;
		return -1;
	}
	return ftruncate(fd, (off_t)keep);
}

/* Copy the first `keep` bytes of what `path` holds, uncompressed, to a gzip file over `fd`, which
 * is closed. */
static int
gzip_copy(const char *path, int fd, uint64_t keep)
{
	static unsigned char buffer[COPY_BUFFER];
	struct sink *sink = sink_new(fd, true);
	struct source *source = sink != NULL ? source_open(path) : NULL;
	int result = -1, error;

	while (source != NULL && keep > 0) {
		ssize_t got = source_read(
		    source, buffer, keep < COPY_BUFFER ? (size_t)keep : (size_t)COPY_BUFFER);
		if (got == 0)
			errno = EIO;
		if (got <= 0 || sink_write(sink, buffer, (size_t)got) != 0)
			break;
		keep -= (uint64_t)got;
	}
	if (source != NULL && keep == 0)
		result = 0;
	error = errno;
	source_free(source);
	if (sink_free(sink) != 0 && result == 0)
		return -1;
	errno = error;
	return result;
}

/* Write the gzip part anew with its first `keep` bytes; the old file becomes `saved`. */
static int
gzip_cut(const char *path, uint64_t keep, const char *saved)
{
	char *temporary = path_suffixed(path, ".XXXXXX");
	int fd = temporary != NULL ? mkostemp(temporary, O_CLOEXEC) : -1;
	int result = -1, error;

	if (fd < 0)
		goto release;
	if (gzip_copy(path, fd, keep) == 0 && link(path, saved) == 0) {
		result = rename(temporary, path);
		if (result == 0)
			goto release;
		error = errno;
		unlink(saved);
		errno = error;
	}
	error = errno;
	unlink(temporary);
	errno = error;
release:
	free(temporary);
	return result;
}

/* Parts behind a hole would be read as if nothing were missing before them. They go before there is
 * one, the last one first: whatever fails, what is left is whole or damaged still. */
static int
later_parts_rename(const struct logset_item *item, size_t first)
{
	for (size_t i = item->part_count; i-- > first;) {
		char *saved = path_suffixed(item->parts[i], SAVED_SUFFIX);
		/* link(2) and not rename(2): an older one is not overwritten */
		if (saved == NULL || link(item->parts[i], saved) != 0 ||
		    unlink(item->parts[i]) != 0) {
			warn("%s", text_name(saved != NULL ? saved : item->parts[i]));
			free(saved);
			return -1;
		}
		printf("%s: renamed to %s, because it follows the damage\n",
		    text_name(item->parts[i]), text_name(saved));
		free(saved);
	}
	return 0;
}

static int
part_repair(const struct logset_item *item, const struct summary *summary,
    const struct part_place *place, const char *path, const char *saved)
{
	struct stat before;
	int fd = part_open(path, &before);
	bool gzip = fd >= 0 && begins_gzip(fd);

	if (fd < 0) {
		warn("%s", text_name(path));
		return STATUS_ERROR;
	}
	if (faccessat(AT_FDCWD, saved, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		warn("%s", text_name(saved));
		goto failed;
	}
	if (later_parts_rename(item, place->part + 1) != 0)
		goto failed;
	if ((gzip ? gzip_cut(path, place->offset, saved)
		  : plain_cut(fd, &before, place->offset, saved)) != 0) {
		if (errno == EBUSY)
			warnx("%s: still growing, not repaired", text_name(path));
		else
			warn("%s", text_name(errno == EEXIST ? saved : path));
		goto failed;
	}
	close(fd);
	if (gzip)
		printf("%s: repaired, %llu whole records kept; the damaged file is now %s\n",
		    text_name(path), (unsigned long long)summary->records, text_name(saved));
	else
		printf("%s: repaired, %llu whole records kept; the %llu bytes from byte %llu on "
		       "are now in %s\n",
		    text_name(path), (unsigned long long)summary->records,
		    (unsigned long long)before.st_size - place->offset,
		    (unsigned long long)place->offset, text_name(saved));
	return STATUS_OK;
failed:
	close(fd);
	return STATUS_ERROR;
}

int
repair(const struct logset_item *item, const struct summary *summary)
{
	struct part_place place;
	char *saved;
	int status;

	if (strcmp(item->name, "-") == 0) {
		warnx("standard input cannot be repaired");
		return STATUS_ERROR;
	}
	if (summary->records == 0 && summary->status == READER_BAD) {
		warnx("%s: not repaired: no log, for it does not begin with a record",
		    text_name(item->name));
		return STATUS_NO;
	}
	if (part_find(item, summary->part, summary->whole, &place) != 0) {
		warn("%s", text_name(item->name));
		return STATUS_ERROR;
	}
	saved = path_suffixed(item->parts[place.part], SAVED_SUFFIX);
	if (saved == NULL) {
		warn(NULL);
		return STATUS_ERROR;
	}
	status = part_repair(item, summary, &place, item->parts[place.part], saved);
	free(saved);
	return status;
}
