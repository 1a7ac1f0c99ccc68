#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/capture_write.h"

#define BUFFER_SIZE                                                                                \
	(256 * 1024) /* fits the processor's cache: what was copied is written from there */

struct capture_file {
	struct capture_writer writer;
	int fd;
	unsigned char buffer[BUFFER_SIZE];
};

int
capture_file_flush(struct capture_file *file)
{
	const unsigned char *at = file->buffer;

	while (at < file->writer.at) {
		ssize_t put = write(file->fd, at, (size_t)(file->writer.at - at));
		if (put < 0 && errno != EINTR)
			return -1;
		if (put > 0)
			at += put;
	}
	file->writer.at = file->buffer;
	return 0;
}

static int
file_make_room(struct capture_writer *writer, size_t need)
{
	struct capture_file *file = (struct capture_file *)writer;

	if (need > BUFFER_SIZE) {
		errno = EMSGSIZE;
		return -1;
	}
	return capture_file_flush(file);
}

struct capture_file *
capture_file_new(int fd, enum capture_format format)
{
	struct capture_file *file = malloc(sizeof(*file));

	if (file == NULL)
		return NULL;
	file->fd = fd;
	file->writer = (struct capture_writer){.format = format,
	    .at = file->buffer,
	    .end = file->buffer + BUFFER_SIZE,
	    .make_room = file_make_room};
	return file;
}

struct capture_writer *
capture_file_writer(struct capture_file *file)
{
	return &file->writer;
}

void
capture_file_free(struct capture_file *file)
{
	free(file);
}
