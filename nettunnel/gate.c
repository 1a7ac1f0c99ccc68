#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettunnel/gate.h"

#define HEAD_FIRST 1024

static const char denial[] = "HTTP/1.1 401 Unauthorized\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Length: 53\r\n"
			     "Connection: close\r\n"
			     "\r\n"
			     "This tunnel wants a valid token in X-Nettunnel-Auth.\n";

static void
gate_stop(struct gate *gate)
{
	loop_unwatch(gate->loop, &gate->watch);
	loop_timer_cancel(gate->loop, &gate->timer);
}

/* Send it away; `told` if it is still there to be told. */
static void
gate_deny(struct gate *gate, bool told)
{
	char rest[4096];

	gate_stop(gate);
	if (told && send(gate->watch.fd, denial, sizeof(denial) - 1, MSG_NOSIGNAL) != -1)
		shutdown(gate->watch.fd, SHUT_WR);
	/* What it sent and nobody read would turn this end into a reset. */
	while (told && recv(gate->watch.fd, rest, sizeof(rest), 0) > 0)
		;
	close(gate->watch.fd);
	gate->watch.fd = -1;
	gate->done(gate, -1);
}

/* Room for more of the request. */
static int
gate_grow(struct gate *gate)
{
	size_t capacity = gate->capacity > 0 ? 2 * gate->capacity : HEAD_FIRST;
	char *head = realloc(gate->head, capacity);

	if (head == NULL)
		return -1;
	gate->head = head;
	gate->capacity = capacity;
	return 0;
}

static void
gate_ready(struct watch *watch, short events)
{
	struct gate *gate = CONTAINER_OF(watch, struct gate, watch);
	int fd = watch->fd;
	ssize_t got = -1;

	(void)events;
	if (gate->size < gate->capacity || gate_grow(gate) == 0)
		got = recv(fd, gate->head + gate->size, gate->capacity - gate->size, 0);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		gate_deny(gate, got == 0);
		return;
	}
	gate->size += (size_t)got;
	switch (tokens_judge(gate->tokens, gate->head, gate->size)) {
	case TOKENS_MORE:
		return;
	case TOKENS_DENIED:
		gate_deny(gate, true);
		return;
	case TOKENS_ALLOWED:
		gate_stop(gate);
		gate->watch.fd = -1;
		gate->done(gate, fd);
	}
}

static void
gate_late(struct timer *timer)
{
	gate_deny(CONTAINER_OF(timer, struct gate, timer), true);
}

int
gate_start(struct gate *gate, struct loop *loop, const struct tokens *tokens, int fd,
    void (*done)(struct gate *gate, int fd))
{
	memset(gate, 0, sizeof(*gate));
	gate->loop = loop;
	gate->tokens = tokens;
	gate->done = done;
	watch_init(&gate->watch, fd, gate_ready);
	timer_init(&gate->timer, gate_late);
	loop_timer_set(loop, &gate->timer, loop_now(loop) + GATE_TIMEOUT);
	return loop_watch(loop, &gate->watch, POLLIN);
}

void
gate_release(struct gate *gate)
{
	if (gate->loop == NULL)
		return;
	gate_stop(gate);
	if (gate->watch.fd != -1)
		close(gate->watch.fd);
	gate->watch.fd = -1;
	free(gate->head);
	gate->head = NULL;
}
