#include "format/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/root.h"

/* Payloads up to this are copied beside their header: fewer pieces for writev(). */
#define INLINE_MAX 2048

/*
 * One write puts about this much into the log, or one record if that is larger: out of a buffer
 * that is still in the cache, and into pages that are found without a search for megabytes in a
 * row.
 */
#define WRITE_SIZE 65536

/* A part with less than 1/64 of its size left is full, lest gzip members become tiny. */
#define PIECE_MIN 64

#define MEMBER_MAX                                                                                 \
	(256 * 1024) /* payload of a gzip member: what a full disk takes back at most              \
		      */

#define CREATE_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)
#define REOPEN_FLAGS (O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC)

/* Entries put together for one writev(). */
struct group {
	size_t count;
	size_t bytes;
	int vectors;
	size_t staged;
};

static bool
descriptors_ran_out(int error)
{
	return error == EMFILE || error == ENFILE;
}

/* Another recorder on this root may write the other kind of log. */
static bool
taken_by_other_kind(const struct log_root *root, uint64_t n)
{
	char name[ROOT_NAME_MAX];

	root_name(root, n, 0, !root->gzip, name, sizeof(name));
	return faccessat(root->directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
log_root_remove_other(const struct log_root *root, uint64_t n, unsigned part)
{
	char name[ROOT_NAME_MAX];

	root_name(root, n, part, !root->gzip, name, sizeof(name));
	return unlinkat(root->directory, name, 0);
}

int
log_writer_create(struct log_root *root, struct log_writer *log)
{
	char name[ROOT_NAME_MAX];

	*log = (struct log_writer){.fd = -1};
	for (;;) {
		log->n = root->next;
		log_root_name(root, log->n, 0, name, sizeof(name));
		int fd = openat(root->directory, name, CREATE_FLAGS, 0600);
		if (fd < 0 && descriptors_ran_out(errno))
			return -1;
		root->next++;
		if (fd < 0 && errno != EEXIST)
			return -1;
		if (fd < 0)
			continue;
		if (!taken_by_other_kind(root, log->n)) {
			log->fd = fd;
			return 0;
		}
		close(fd);
		unlinkat(root->directory, name, 0);
	}
}

static int
writer_reopen(const struct log_root *root, struct log_writer *log)
{
	char name[ROOT_NAME_MAX];
	struct stat status;

	log_root_name(root, log->n, log->part, name, sizeof(name));
	int fd = openat(root->directory, name, REOPEN_FLAGS);
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) != 0)
		goto failed;
	if (status.st_dev != log->device || status.st_ino != log->inode ||
	    (uint64_t)status.st_size != log->part_size) {
		errno = ESTALE;
		goto failed;
	}
	log->fd = fd;
	return 0;
failed:;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
writer_part_done(const struct log_root *root, const struct log_writer *log)
{
	char path[PATH_MAX];

	if (root->part_done != NULL)
		root->part_done(
		    root->context, log_writer_path(root, log, path, sizeof(path)), log->part_size);
}

/* Go on in a new part. The old one is let go only when the new one is there, so that a failure
 * changes nothing. */
static int
writer_rotate(const struct log_root *root, struct log_writer *log)
{
	char name[ROOT_NAME_MAX];

	log_root_name(root, log->n, log->part + 1, name, sizeof(name));
	int fd = openat(root->directory, name, CREATE_FLAGS, 0600);
	if (fd < 0)
		return -1;
	close(log->fd);
	writer_part_done(root, log);
	log->fd = fd;
	log->part++;
	log->part_size = 0;
	log->inode = 0;
	return 0;
}

/* How much may be added to the current part. */
static uint64_t
writer_room(const struct log_root *root, const struct log_writer *log)
{
	if (root->rotate_size == 0)
		return UINT64_MAX;
	if (log->part_size >= root->rotate_size)
		return 0;
	return root->rotate_size - log->part_size;
}

/* Put together what fits in `room`, the first entry in any case if `first`. */
static struct group
group_gather(
    struct log_root *root, const struct log_entry *entries, size_t count, uint64_t room, bool first)
{
	struct group group = {0};
	struct iovec *last = NULL; /* the piece in the stage that can still grow */

	while (group.count < count && group.bytes < WRITE_SIZE &&
	       group.vectors + 2 <= ROOT_VECTORS &&
	       group.staged + RECORD_HEADER_MAX + INLINE_MAX <= ROOT_STAGE_SIZE) {
		const struct log_entry *entry = &entries[group.count];
		char *header = root->stage + group.staged;
		size_t length = record_encode(&entry->record, header);
		size_t size = (size_t)entry->record.size;
		if (group.bytes + length + size > room && !(first && group.count == 0))
			break;
		if (last == NULL) {
			last = &root->vectors[group.vectors++];
			*last = (struct iovec){.iov_base = header};
		}
		group.bytes += length + size;
		group.count++;
		if (size > 0 && size <= INLINE_MAX) {
			memcpy(header + length, entry->data, size);
			length += size;
		}
		last->iov_len += length;
		group.staged += length;
		if (size > INLINE_MAX) {
			root->vectors[group.vectors++] = (struct iovec){
			    .iov_base = (void *)(uintptr_t)entry->data, .iov_len = size};
			last = NULL;
		}
	}
	return group;
}

/* Write all pieces; returns how many bytes are in the file, with errno if these are not all. */
static size_t
vectors_write(int fd, struct iovec *vectors, int count)
{
	size_t done = 0;

	while (count > 0) {
		ssize_t n = writev(fd, vectors, count);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += (size_t)n;
		size_t left = (size_t)n;
		for (; count > 0 && left >= vectors->iov_len; vectors++, count--)
			left -= vectors->iov_len;
		if (count > 0) {
			vectors->iov_base = (char *)vectors->iov_base + left;
			vectors->iov_len -= left;
		}
	}
	return done;
}

/* How many of the entries are whole in `done` bytes; these bytes are added to the part. */
static size_t
writer_count_whole(
    struct log_writer *log, const struct log_entry *entries, size_t count, uint64_t done)
{
	char header[RECORD_HEADER_MAX];

	for (size_t i = 0; i < count; i++) {
		uint64_t size = record_encode(&entries[i].record, header) + entries[i].record.size;
		if (size > done)
			return i;
		done -= size;
		log->part_size += size;
	}
	return count;
}

/* Take back what lies beyond the last whole record. */
static void
writer_take_back(const struct log_writer *log)
{
	int error = errno;

	/* If even that fails the log ends inside a record, as after a kill. */
	if (ftruncate(log->fd, (off_t)log->part_size) != 0)
		errno = error;
	errno = error;
}

/* Append some of the entries to the current part. Returns how many, 0: it is full, -1 with errno
 * and `*whole` set. */
static ssize_t
append_plain(struct log_root *root, struct log_writer *log, const struct log_entry *entries,
    size_t count, size_t *whole)
{
	struct group group =
	    group_gather(root, entries, count, writer_room(root, log), log->part_size == 0);
	if (group.count == 0)
		return 0;
	size_t done = vectors_write(log->fd, root->vectors, group.vectors);
	if (done < group.bytes) {
		*whole = writer_count_whole(log, entries, group.count, done);
		writer_take_back(log);
		return -1;
	}
	log->part_size += done;
	return (ssize_t)group.count;
}

/* How many entries surely fit in `room` when compressed, and make a member that is not too large to
 * lose. */
static size_t
member_fit(const struct log_entry *entries, size_t count, uint64_t room)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++) {
		size += RECORD_HEADER_MAX + entries[i].record.size;
		if (member_bound(size) > room || (i > 0 && size > MEMBER_MAX))
			return i;
	}
	return count;
}

/* As append_plain(), as one gzip member. */
static ssize_t
append_gzip(struct log_root *root, struct log_writer *log, const struct log_entry *entries,
    size_t count, size_t *whole)
{
	struct member *member = &root->member;
	uint64_t room = writer_room(root, log);
	char header[RECORD_HEADER_MAX];
	bool empty = log->part_size == 0;

	*whole = 0;
	if (!empty && room < root->rotate_size / PIECE_MIN)
		return 0;
	count = member_fit(entries, count, room);
	if (count == 0 && !empty)
		return 0;
	if (count == 0)
		count = 1;
	member_begin(member);
	for (size_t i = 0; i < count; i++) {
		const struct record *record = &entries[i].record;
		if (member_add(member, log->fd, header, record_encode(record, header)) != 0 ||
		    member_add(member, log->fd, entries[i].data, (size_t)record->size) != 0)
			goto failed;
	}
	if (member_end(member, log->fd) != 0)
		goto failed;
	log->part_size += member->written;
	return (ssize_t)count;
failed:
	writer_take_back(log);
	return -1;
}

int
log_writer_append(struct log_root *root, struct log_writer *log, const struct log_entry *entries,
    size_t count, size_t *written)
{
	size_t whole = 0;

	*written = 0;
	if (log->fd < 0 && writer_reopen(root, log) != 0)
		return -1;
	while (*written < count) {
		const struct log_entry *rest = entries + *written;
		size_t left = count - *written;
		ssize_t n = root->gzip ? append_gzip(root, log, rest, left, &whole)
				       : append_plain(root, log, rest, left, &whole);
		if (n < 0) {
			*written += whole;
			return -1;
		}
		if (n == 0 && writer_rotate(root, log) != 0)
			return -1;
		*written += (size_t)n;
	}
	return 0;
}

/* How many of the `size` bytes are whole records. */
static size_t
encoded_whole(const char *bytes, size_t size)
{
	struct record record;
	size_t whole = 0;

	for (;;) {
		const char *header = bytes + whole, *end = memchr(header, '\n', size - whole);
		if (end == NULL || record_decode(header, (size_t)(end - header), &record) != NULL)
			return whole;
		size_t payload = (size_t)(end - bytes) + 1;
		if (record.size > size - payload)
			return whole;
		whole = payload + (size_t)record.size;
	}
}

static int
encoded_gzip(struct log_root *root, struct log_writer *log, const void *bytes, size_t size)
{
	struct member *member = &root->member;

	member_begin(member);
	if (member_add(member, log->fd, bytes, size) != 0 || member_end(member, log->fd) != 0) {
		writer_take_back(log);
		return -1;
	}
	log->part_size += member->written;
	return 0;
}

int
log_writer_append_encoded(
    struct log_root *root, struct log_writer *log, const void *bytes, size_t size)
{
	struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	size_t done;

	if (log->fd < 0 && writer_reopen(root, log) != 0)
		return -1;
	if (log->part_size > 0 &&
	    (root->gzip ? member_bound(size) : size) > writer_room(root, log) &&
	    writer_rotate(root, log) != 0)
		return -1;
	if (root->gzip)
		return encoded_gzip(root, log, bytes, size);
	done = vectors_write(log->fd, &vector, 1);
	if (done < size) {
		log->part_size += encoded_whole(bytes, done);
		writer_take_back(log);
		return -1;
	}
	log->part_size += done;
	return 0;
}

void
log_writer_park(struct log_writer *log)
{
	struct stat status;

	if (log->fd < 0)
		return;
	if (log->inode == 0 &&
	    fstat(log->fd, &status) == 0) { /* what it must be when it is opened again */
		log->device = status.st_dev;
		log->inode = status.st_ino;
	}
	close(log->fd);
	log->fd = -1;
}

int
log_writer_close(struct log_root *root, struct log_writer *log)
{
	int result = log->fd < 0 ? 0 : close(log->fd);
	int error = errno;

	log->fd = -1;
	writer_part_done(root, log);
	errno = error;
	return result;
}

char *
log_writer_path(
    const struct log_root *root, const struct log_writer *log, char *buffer, size_t size)
{
	return log_root_path(root, log->n, log->part, buffer, size);
}
