/* Reads the logs of a run with a reader of its own and compares them, byte by byte, with what was
 * sent. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/load.h"

/* What has been seen of one log. */
struct log {
	const char *path;
	bool bulk;
	unsigned hups[2];
	uint64_t bytes[2];	       /* by client, server */
	uint64_t size;		       /* of a bulk transfer, from its header */
	char kind;		       /* 'U', 'D' or 'R' */
	unsigned client;	       /* of messages */
	char partial[2][MESSAGE_SIZE]; /* header or message that is not complete yet */
	double last;
};

static void
message_check(struct log *log, int side)
{
	char expected[MESSAGE_SIZE];
	uint64_t sequence = (log->bytes[side] - 1) / MESSAGE_SIZE;

	if (sequence == 0 && side == 0)
		log->client = (unsigned)strtoul(log->partial[0] + 2, NULL, 10);
	message_make(expected, log->client, sequence);
	expected[0] = side == 0 ? 'R' : 'A';
	if (memcmp(expected, log->partial[side], MESSAGE_SIZE) != 0)
		errx(1, "%s: %s message %llu differs", log->path, side == 0 ? "client" : "server",
		    (unsigned long long)sequence);
}

static void
messages_take(struct log *log, int side, const char *data, uint64_t size)
{
	for (; size > 0; size--) {
		log->partial[side][log->bytes[side]++ % MESSAGE_SIZE] = *data++;
		if (log->bytes[side] % MESSAGE_SIZE == 0)
			message_check(log, side);
	}
	log->size = log->bytes[0] / MESSAGE_SIZE;
}

static void
pattern_check(struct log *log, const char *data, uint64_t offset, uint64_t size)
{
	while (size > 0) {
		size_t take = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;

		if (memcmp(data, pattern_at(offset), take) != 0)
			errx(1, "%s: differs within %zu bytes of offset %llu of the stream",
			    log->path, take, (unsigned long long)offset);
		data += take;
		offset += take;
		size -= take;
	}
}

static void
bulk_take(struct log *log, int side, const char *data, uint64_t size)
{
	uint64_t skip = 0;

	if (side == 0) {
		for (; size > 0 && log->bytes[0] < BULK_HEADER_SIZE; size--)
			log->partial[0][log->bytes[0]++] = *data++;
		if (log->bytes[0] < BULK_HEADER_SIZE)
			return;
		log->kind = log->partial[0][0];
		if ((log->size = bulk_header_parse(log->partial[0])) == UINT64_MAX)
			errx(1, "%s: no header at the beginning", log->path);
		skip = BULK_HEADER_SIZE;
	}
	if ((log->kind == 'U') == (side == 0))
		pattern_check(log, data, log->bytes[side] - skip, size);
	log->bytes[side] += size;
}

/* Take the record at `data`; returns its size, or 0 if there is no whole one. */
static size_t
record_take(struct log *log, const char *data, size_t size)
{
	const char *line = memchr(data, '\n', size < 64 ? size : 64);
	char header[64], side, what[24];
	unsigned long long length;
	double time;
	int used = 0;

	if (line == NULL)
		return 0;
	memcpy(header, data, (size_t)(line - data));
	header[line - data] = '\0';
	if (sscanf(header, "%c %lf %23s%n", &side, &time, what, &used) != 3 ||
	    header[used] != '\0' || (side != 'c' && side != 's'))
		errx(1, "%s: no record: %s", log->path, header);
	if (time < log->last)
		errx(1, "%s: time went back at: %s", log->path, header);
	log->last = time;
	if (strcmp(what, "con") == 0)
		return (size_t)(line + 1 - data);
	if (strcmp(what, "hup") == 0) {
		log->hups[side == 's']++;
		return (size_t)(line + 1 - data);
	}
	length = strtoull(what, NULL, 10);
	if (strcmp(what, "err") == 0 || length == 0)
		errx(1, "%s: unexpected: %s", log->path, header);
	if (length > size - (size_t)(line + 1 - data))
		return 0;
	(log->bulk ? bulk_take : messages_take)(log, side == 's', line + 1, length);
	return (size_t)(line + 1 - data) + (size_t)length;
}

/* Returns what the log adds to the total: bytes of a bulk transfer, or messages. */
static uint64_t
log_check(const char *path, bool bulk)
{
	struct log log = {.path = path, .bulk = bulk};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	size_t at = 0, took;
	char *data;

	if (fd == -1 || fstat(fd, &status) == -1)
		err(1, "%s", path);
	if (status.st_size == 0)
		errx(1, "%s: empty", path);
	if ((data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) ==
	    MAP_FAILED)
		err(1, "%s", path);
	for (; at < (size_t)status.st_size; at += took) {
		if ((took = record_take(&log, data + at, (size_t)status.st_size - at)) == 0)
			errx(1, "%s: cut at byte %zu", path, at);
	}
	munmap(data, (size_t)status.st_size);
	close(fd);
	if (log.hups[0] != 1 || log.hups[1] != 1)
		errx(1, "%s: %u client hup, %u server hup", path, log.hups[0], log.hups[1]);
	if (bulk && (log.bytes[0] != BULK_HEADER_SIZE + (log.kind == 'U' ? log.size : 0) ||
			log.bytes[1] != (log.kind == 'U' ? 1 : log.size)))
		errx(1, "%s: bytes are missing", path);
	if (!bulk && (log.bytes[0] != log.bytes[1] || log.bytes[0] % MESSAGE_SIZE != 0))
		errx(1, "%s: messages are missing", path);
	return log.size;
}

int
verify_main(char **operands, const char *index)
{
	bool bulk = strcmp(operands[0], "bulk") == 0;
	unsigned logs = operand_count(operands[2]);
	uint64_t total = operand_size(operands[3]), found = 0;
	char path[4096];

	(void)index;
	for (unsigned i = 1; i <= logs; i++) {
		snprintf(path, sizeof(path), "%s_%u", operands[1], i);
		found += log_check(path, bulk);
	}
	snprintf(path, sizeof(path), "%s_%u", operands[1], logs + 1);
	if (access(path, F_OK) == 0)
		errx(1, "%s: a log too many", path);
	if (found != total)
		errx(1, "%s: the logs hold %llu of %llu", operands[1], (unsigned long long)found,
		    (unsigned long long)total);
	return 0;
}
