#include "format/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SKIP_BUFFER 16384
#define READ_MOST ((size_t)1 << 30) /* read(2) may not be asked for more than SSIZE_MAX */

static void (*on_wait)(void);

struct file_source {
	struct source source;
	int fd;
	bool owned;
	bool regular; /* read by position, so that skipping costs nothing */
	off_t position;
	off_t size; /* as last seen */
};

struct memory_source {
	struct source source;
	const unsigned char *data;
	size_t left;
};

ssize_t
source_read(struct source *source, void *buffer, size_t size)
{
	return source->ops->read(source, buffer, size);
}

static int64_t
skip_by_reading(struct source *source, uint64_t count)
{
	unsigned char buffer[SKIP_BUFFER];
	uint64_t passed = 0;

	while (passed < count) {
		uint64_t left = count - passed;
		ssize_t got =
		    source_read(source, buffer, left < sizeof(buffer) ? left : sizeof(buffer));
		if (got < 0 && passed == 0)
			return -1;
		if (got <= 0)
			break;
		passed += (uint64_t)got;
	}
	return (int64_t)passed;
}

int64_t
source_skip(struct source *source, uint64_t count)
{
	if (count > INT64_MAX)
		count = INT64_MAX;
	if (source->ops->skip != NULL)
		return source->ops->skip(source, count);
	return skip_by_reading(source, count);
}

size_t
source_part(const struct source *source)
{
	return source->ops->part != NULL ? source->ops->part(source) : 0;
}

void
source_free(struct source *source)
{
	if (source != NULL)
		source->ops->free(source);
}

void
source_on_wait(void (*waiting)(void))
{
	on_wait = waiting;
}

/* Say so if a read would have to wait. */
static void
wait_tell(const struct file_source *file)
{
	struct pollfd readable = {.fd = file->fd, .events = POLLIN};

	if (on_wait != NULL && !file->regular && poll(&readable, 1, 0) == 0)
		on_wait();
}

static ssize_t
file_read(struct source *source, void *buffer, size_t size)
{
	struct file_source *file = (struct file_source *)source;
	ssize_t got;

	if (size > READ_MOST)
		size = READ_MOST;
	wait_tell(file);
	for (;;) {
		if (file->regular)
			got = pread(file->fd, buffer, size, file->position);
		else
			got = read(file->fd, buffer, size);
		if (got >= 0)
			break;
		if (errno == EAGAIN) {
			/* somebody else made the pipe on our standard input non-blocking */
			struct pollfd readable = {.fd = file->fd, .events = POLLIN};
			(void)poll(&readable, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	file->position += got;
	return got;
}

static int64_t
file_skip(struct source *source, uint64_t count)
{
	struct file_source *file = (struct file_source *)source;
	struct stat status;
	uint64_t left;

	if (!file->regular)
		return skip_by_reading(source, count);
	if (file->position > file->size || count > (uint64_t)(file->size - file->position)) {
		/* it may have grown since */
		if (fstat(file->fd, &status) != 0)
			return -1;
		file->size = status.st_size;
	}
	left = file->size > file->position ? (uint64_t)(file->size - file->position) : 0;
	if (count > left)
		count = left;
	file->position += (off_t)count;
	return (int64_t)count;
}

static void
file_free(struct source *source)
{
	struct file_source *file = (struct file_source *)source;

	if (file->owned)
		close(file->fd);
	free(file);
}

static const struct source_ops file_ops = {file_read, file_skip, NULL, file_free};

struct source *
source_from_fd(int fd, bool owned)
{
	struct file_source *file = calloc(1, sizeof(*file));
	struct stat status;
	off_t position;

	if (file == NULL) {
		if (owned)
			close(fd);
		errno = ENOMEM;
		return NULL;
	}
	file->source.ops = &file_ops;
	file->fd = fd;
	file->owned = owned;
	position = lseek(fd, 0, SEEK_CUR);
	if (position >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		file->regular = true;
		file->position = position;
		file->size = status.st_size;
	}
	return source_inflate(&file->source);
}

struct source *
source_open(const char *path)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return source_from_fd(STDIN_FILENO, false);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? NULL : source_from_fd(fd, true);
}

static ssize_t
memory_read(struct source *source, void *buffer, size_t size)
{
	struct memory_source *memory = (struct memory_source *)source;

	if (size > memory->left)
		size = memory->left;
	if (size > 0)
		memcpy(buffer, memory->data, size);
	memory->data += size;
	memory->left -= size;
	return (ssize_t)size;
}

static int64_t
memory_skip(struct source *source, uint64_t count)
{
	struct memory_source *memory = (struct memory_source *)source;

	if (count > memory->left)
		count = memory->left;
	memory->data += count;
	memory->left -= count;
	return (int64_t)count;
}

static void
memory_free(struct source *source)
{
	free(source);
}

static const struct source_ops memory_ops = {memory_read, memory_skip, NULL, memory_free};

struct source *
source_from_memory(const void *data, size_t size)
{
	struct memory_source *memory = malloc(sizeof(*memory));

	if (memory == NULL)
		return NULL;
	memory->source.ops = &memory_ops;
	memory->data = size > 0 ? data : (const void *)"";
	memory->left = size;
	return source_inflate(&memory->source);
}
