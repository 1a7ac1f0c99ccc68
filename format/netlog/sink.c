#include "format/netlog/sink.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define SINK_BUFFER (128 * 1024)

struct sink {
	int fd;
	gzFile gzip; /* NULL: plain */
	size_t used;
	unsigned char buffer[SINK_BUFFER];
};

struct sink *
sink_new(int fd, bool gzip)
{
	struct sink *sink = malloc(sizeof(*sink));

	if (sink == NULL)
		goto fail;
	sink->fd = fd;
	sink->used = 0;
	sink->gzip = NULL;
	if (!gzip)
		return sink;
	errno = 0;
	sink->gzip = gzdopen(fd, "wb");
	if (sink->gzip != NULL)
		return sink;
fail:
	if (errno == 0)
		errno = ENOMEM;
	free(sink);
	close(fd);
	return NULL;
}

static int
write_plain(int fd, const unsigned char *data, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, data, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		data += put;
		size -= (size_t)put;
	}
	return 0;
}

/* zlib tells errno where the system failed, and nothing of use otherwise. */
static int
write_gzip(struct sink *sink, const unsigned char *data, size_t size)
{
	while (size > 0) {
		unsigned piece = size > SINK_BUFFER ? SINK_BUFFER : (unsigned)size;
		errno = 0;
		if (gzwrite(sink->gzip, data, piece) != (int)piece) {
			if (errno == 0)
				errno = EIO;
			return -1;
		}
		data += piece;
		size -= piece;
	}
	return 0;
}

static int
sink_flush(struct sink *sink)
{
	size_t used = sink->used;

	sink->used = 0;
	return write_plain(sink->fd, sink->buffer, used);
}

int
sink_write(struct sink *sink, const void *data, size_t size)
{
	if (sink->gzip != NULL)
		return write_gzip(sink, data, size);
	if (size > SINK_BUFFER - sink->used && sink_flush(sink) != 0)
		return -1;
	if (size > SINK_BUFFER)
		return write_plain(sink->fd, data, size);
	memcpy(sink->buffer + sink->used, data, size);
	sink->used += size;
	return 0;
}

int
sink_record(struct sink *sink, const struct record *record)
{
	char header[RECORD_HEADER_MAX];
	size_t length = record_encode(record, header);

	return sink_write(sink, header, length);
}

int
sink_free(struct sink *sink)
{
	int result = 0, error = 0;

	if (sink == NULL)
		return 0;
	errno = 0;
	if (sink->gzip != NULL) {
		result = gzclose(sink->gzip) == Z_OK ? 0 : -1;
	} else {
		result = sink_flush(sink);
		error = errno;
		if (close(sink->fd) != 0 && result == 0) {
			result = -1;
			error = errno;
		}
		errno = error;
	}
	if (result != 0 && errno == 0)
		errno = EIO;
	free(sink);
	return result;
}
