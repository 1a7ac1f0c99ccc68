/* The server: one thread, answers all kinds of connections. Prints its port; ends with its standard
 * input. */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/load.h"

/* What a connection is doing; the first byte received decides. */
enum state {
	STATE_HEADER,  /* `held` bytes of a bulk header or message are there */
	STATE_RECEIVE, /* `rest` bytes of bulk are still to come */
	STATE_SEND,    /* `rest` bytes of `size` are still to be sent */
	STATE_DONE     /* the client is to close */
};

struct peer {
	int fd;
	enum state state;
	size_t held;
	char header[MESSAGE_SIZE];
	uint64_t size, rest;
};

static unsigned char buffer[BUFFER_SIZE];

static int
listener_open(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) == -1 ||
	    bind(fd, (struct sockaddr *)&address, length) == -1 || listen(fd, 4096) == -1 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) == -1)
		err(2, "listener");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void
accept_all(int epoll, int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
		struct peer *peer = calloc(1, sizeof(*peer));

		if (peer == NULL)
			err(2, "connection");
		peer->fd = fd;
		event.data.ptr = peer;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
			err(2, "epoll");
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		err(2, "accept");
}

static void
peer_free(struct peer *peer)
{
	close(peer->fd);
	free(peer);
}

static int
peer_send(int epoll, struct peer *peer)
{
	while (peer->rest > 0) {
		size_t size = peer->rest < BUFFER_SIZE ? (size_t)peer->rest : BUFFER_SIZE;
		ssize_t sent = send(peer->fd, pattern_at(peer->size - peer->rest), size, 0);

		if (sent == -1)
			return errno == EAGAIN ? 0 : -1;
		peer->rest -= (uint64_t)sent;
	}
	peer->state = STATE_DONE;
	return epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd,
	    &(struct epoll_event){.events = EPOLLIN, .data.ptr = peer});
}

/* A whole header or message is there. */
static int
header_done(int epoll, struct peer *peer)
{
	peer->held = 0;
	if (peer->header[0] ==
	    'R') { /* the client waits for it before it sends more, so there is room */
		peer->header[0] = 'A';
		return send(peer->fd, peer->header, MESSAGE_SIZE, 0) == MESSAGE_SIZE ? 0 : -1;
	}
	if ((peer->size = peer->rest = bulk_header_parse(peer->header)) == UINT64_MAX)
		return -1;
	if (peer->header[0] == 'U') {
		peer->state = STATE_RECEIVE;
		return 0;
	}
	peer->state = STATE_SEND;
	return epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd,
	    &(struct epoll_event){.events = EPOLLOUT, .data.ptr = peer});
}

static int
peer_take(int epoll, struct peer *peer, const unsigned char *data, size_t size)
{
	while (size > 0) {
		size_t want, take;

		if (peer->state == STATE_HEADER) {
			char kind = peer->held > 0 ? peer->header[0] : (char)data[0];

			want = (kind == 'R' ? MESSAGE_SIZE : BULK_HEADER_SIZE) - peer->held;
			take = size < want ? size : want;
			memcpy(peer->header + peer->held, data, take);
			peer->held += take;
			if (take == want && header_done(epoll, peer) == -1)
				return -1;
		} else if (peer->state == STATE_RECEIVE) {
			take = size < peer->rest ? size : (size_t)peer->rest;
			peer->rest -= take;
			if (peer->rest == 0) {
				peer->state = STATE_DONE;
				if (send(peer->fd, "K", 1, 0) != 1)
					return -1;
			}
		} else {
			warnx("the client sent more than it said");
			return -1;
		}
		data += take;
		size -= take;
	}
	return 0;
}

static int
peer_ready(int epoll, struct peer *peer)
{
	ssize_t count;

	if (peer->state == STATE_SEND)
		return peer_send(epoll, peer);
	count = recv(peer->fd, buffer, sizeof(buffer), 0);
	if (count == -1)
		return errno == EAGAIN ? 0 : -1;
	return count == 0 ? -1 : peer_take(epoll, peer, buffer, (size_t)count);
}

int
serve_main(char **operands, const char *index)
{
	struct epoll_event events[64], event = {.events = EPOLLIN};
	int epoll = epoll_create1(0), listener = listener_open();
	bool ended = false;

	(void)operands;
	(void)index;
	(void)pattern_at(0);
	event.data.ptr = NULL; /* the listener */
	if (epoll == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == -1)
		err(2, "epoll");
	event.data.ptr = &ended; /* standard input */
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) == -1)
		err(2, "standard input");
	while (!ended) {
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(epoll, listener);
			else if (events[i].data.ptr == &ended)
				ended = true;
			else if (peer_ready(epoll, events[i].data.ptr) == -1)
				peer_free(events[i].data.ptr);
		}
	}
	return 0;
}
