#include "format/netlog/newroot.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/netlog/netlog.h"
#include "format/netlog/summary.h"
#include "format/netlog/text.h"
#include "format/times.h"
#include "format/writer.h"

#define GZIP_LEVEL 6
#define INDEX_LINE_MAX 4096

struct newroot {
	struct log_root *root;
	const char *name;
	bool gzip;
	bool fresh; /* had no logs when it was opened */
	int index;  /* descriptor, -1 until something is to be written to it */
};

/* One log being written. */
struct newlog {
	uint64_t n;
	char path[PATH_MAX];
	struct sink *sink;
};

struct newroot *
newroot_open(const char *root, bool gzip)
{
	const struct log_root_config config = {.root = root, .gzip_level = gzip ? GZIP_LEVEL : 0};
	struct newroot *newroot = calloc(1, sizeof(*newroot));

	if (newroot == NULL) {
		warn(NULL);
		return NULL;
	}
	newroot->name = root;
	newroot->gzip = gzip;
	newroot->index = -1;
	newroot->root = log_root_open(&config);
	if (newroot->root == NULL) {
		warn("%s", text_name(root));
		free(newroot);
		return NULL;
	}
	newroot->fresh = log_root_next(newroot->root) == 1;
	return newroot;
}

void
newroot_close(struct newroot *newroot)
{
	if (newroot == NULL)
		return;
	if (newroot->index >= 0)
		close(newroot->index);
	log_root_close(newroot->root);
	free(newroot);
}

/* Create the log with the number `wanted`, or with the next one. Returns a descriptor, or -1 with
 * errno. */
static int
file_create(struct newroot *newroot, uint64_t wanted, struct newlog *log)
{
	struct log_writer writer;

	if (wanted > 0 && newroot->fresh) {
		int fd;
		log_root_path(newroot->root, wanted, 0, log->path, sizeof(log->path));
		fd = open(log->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		log->n = wanted;
		/* two logs may have had that number, under different roots */
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	if (log_writer_create(newroot->root, &writer) != 0)
		return -1;
	log->n = writer.n;
	log_root_path(newroot->root, writer.n, 0, log->path, sizeof(log->path));
	return writer.fd;
}

static int
payload_copy(struct newlog *log, struct reader *reader, enum side side, uint64_t offset,
    const struct payload_copy *copy)
{
	const unsigned char *piece;
	ssize_t size;

	while ((size = reader_data(reader, &piece)) > 0) {
		int result = copy != NULL ? copy->piece(copy->context, log->sink, side, offset,
						piece, (size_t)size)
					  : sink_write(log->sink, piece, (size_t)size);
		if (result != 0)
			return -1;
		offset += (uint64_t)size;
	}
	return 0;
}

/* Copy what lies before `whole`. Returns 0, or -1 with errno. */
static int
records_copy(struct newlog *log, const struct logset_item *item, uint64_t whole, int64_t shift,
    const struct payload_copy *copy)
{
	struct reader *reader = logset_reader(item);
	uint64_t stream[2] = {0, 0};
	struct record record;
	int result = 0, error;

	if (reader == NULL)
		return -1;
	while (result == 0 && reader_next(reader, &record) == READER_RECORD &&
	       reader_offset(reader) < whole) {
		record.time = times_add(record.time, shift);
		result = sink_record(log->sink, &record);
		if (result == 0)
			result = payload_copy(log, reader, record.side, stream[record.side], copy);
		stream[record.side] += record.size;
	}
	error = errno;
	if (result == 0 && reader_whole(reader) < whole) {
		result = -1;
		error = EIO; /* it has shrunk since it was looked at */
	}
	reader_free(reader);
	errno = error;
	return result;
}

static int
line_write(struct newroot *newroot, const struct index_entry *entry)
{
	char line[INDEX_LINE_MAX];
	size_t length = index_encode(entry, line, sizeof(line));

	if (newroot->index < 0)
		newroot->index = log_root_continue_index(newroot->root);
	if (newroot->index < 0)
		return -1;
	/* one write(2) a line: another process may append to the index too */
	if (write(newroot->index, line, length) != (ssize_t)length)
		return -1;
	return 0;
}

static int
index_write(struct newroot *newroot, const struct logset_item *item, const struct newlog *log,
    int64_t shift)
{
	struct index_entry entry = item->entry;
	bool closed = entry.closed;

	entry.n = log->n;
	entry.time = times_add(entry.time, shift);
	log_root_name(newroot->root, log->n, 0, entry.log, sizeof(entry.log));
	entry.closed = false;
	if (line_write(newroot, &entry) != 0)
		return -1;
	entry.closed = true;
	return closed ? line_write(newroot, &entry) : 0;
}

static int
copy_failed(const struct newlog *log)
{
	warn("%s", text_name(log->path));
	unlink(log->path);
	return STATUS_ERROR;
}

int
newroot_copy(struct newroot *newroot, const struct logset_item *item, uint64_t wanted,
    int64_t shift, const struct payload_copy *copy)
{
	struct newlog log = {.n = 0};
	struct summary summary;
	int fd, result;

	if (summary_read(&summary, item) != 0) {
		warn("%s", text_name(item->name));
		return STATUS_ERROR;
	}
	if (summary.status != READER_END)
		warnx("%s", summary.message);
	fd = file_create(newroot, wanted, &log);
	if (fd < 0) {
		warn("%s", text_name(newroot->name));
		return STATUS_ERROR;
	}
	log.sink = sink_new(fd, newroot->gzip);
	if (log.sink == NULL)
		return copy_failed(&log);
	result = records_copy(&log, item, summary.whole, shift, copy);
	if (result != 0) {
		int error = errno;
		(void)sink_free(log.sink);
		errno = error;
		return copy_failed(&log);
	}
	if (sink_free(log.sink) != 0)
		return copy_failed(&log);
	if (item->indexed && index_write(newroot, item, &log, shift) != 0) {
		warn("%s: index", text_name(newroot->name));
		return STATUS_ERROR;
	}
	return log_status(summary.status, summary.error);
}
