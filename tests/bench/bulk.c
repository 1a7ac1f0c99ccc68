/* Bulk throughput: bytes one way over some connections at once, in one thread. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/load.h"

struct stream {
	int fd;
	uint64_t size, rest;
};

static unsigned char buffer[BUFFER_SIZE];

/* Returns true when all was sent. */
static bool
stream_send(struct stream *stream)
{
	while (stream->rest > 0) {
		size_t size = stream->rest < BUFFER_SIZE ? (size_t)stream->rest : BUFFER_SIZE;
		ssize_t sent =
		    send(stream->fd, pattern_at(stream->size - stream->rest), size, MSG_DONTWAIT);

		if (sent == -1 && errno == EAGAIN)
			return false;
		if (sent == -1)
			err(1, "send with %llu bytes left", (unsigned long long)stream->rest);
		stream->rest -= (uint64_t)sent;
	}
	return true;
}

/* Returns true when all was received: the bytes, or the acknowledgement. */
static bool
stream_receive(struct stream *stream, bool up)
{
	ssize_t count = recv(stream->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (count == -1 && errno == EAGAIN)
		return false;
	if (count <= 0)
		err(1, "receive with %llu bytes left", (unsigned long long)stream->rest);
	if (up)
		return true;
	if ((uint64_t)count > stream->rest)
		errx(1, "more was received than was asked for");
	stream->rest -= (uint64_t)count;
	return stream->rest == 0;
}

static void
streams_open(struct stream *streams, unsigned count, const char *port, bool up, uint64_t size)
{
	char header[BULK_HEADER_SIZE];

	bulk_header_make(header, up ? 'U' : 'D', size);
	for (unsigned i = 0; i < count; i++) {
		streams[i] =
		    (struct stream){.fd = client_connect(port, false), .size = size, .rest = size};
		if (send(streams[i].fd, header, sizeof(header), 0) != sizeof(header))
			err(1, "send");
	}
}

static void
streams_run(struct stream *streams, unsigned count, bool up)
{
	struct epoll_event events[64], event = {.events = up ? EPOLLOUT : EPOLLIN};
	int epoll = epoll_create1(0);

	for (unsigned i = 0; i < count; i++) {
		event.data.ptr = &streams[i];
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, streams[i].fd, &event) == -1)
			err(2, "epoll");
	}
	for (unsigned open = count; open > 0;) {
		int ready = epoll_wait(epoll, events, 64, (int)(PATIENCE / 1000000));

		if (ready == 0)
			errx(1, "hung with %u connections open", open);
		for (int i = 0; i < ready; i++) {
			struct stream *stream = events[i].data.ptr;

			if (up && stream->rest > 0) {
				event = (struct epoll_event){.events = EPOLLIN, .data.ptr = stream};
				if (stream_send(stream))
					epoll_ctl(epoll, EPOLL_CTL_MOD, stream->fd, &event);
			} else if (stream_receive(stream, up)) {
				close(stream->fd);
				open--;
			}
		}
	}
	close(epoll);
}

int
bulk_main(char **operands, const char *index)
{
	bool up = strcmp(operands[1], "up") == 0;
	unsigned count = operand_count(operands[2]);
	uint64_t size = operand_size(operands[3]) / count;
	struct stream *streams = calloc(count, sizeof(*streams));
	int64_t begin, passed, end;

	if (streams == NULL)
		err(2, "connections");
	(void)pattern_at(0);
	begin = clock_now();
	streams_open(streams, count, operands[0], up, size);
	streams_run(streams, count, up);
	passed = clock_now();
	if (index != NULL)
		index_wait(index, count);
	end = clock_now();
	printf("{\"bytes\": %llu, \"seconds\": %.6f, \"passed\": %.6f}\n",
	    (unsigned long long)(size * count), (double)(end - begin) / 1e9,
	    (double)(passed - begin) / 1e9);
	free(streams);
	return 0;
}
