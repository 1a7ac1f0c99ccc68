/* Connections per second: connect, one message, its answer, close; so many at a time. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum state {
	STATE_IDLE,	  /* no connection */
	STATE_CONNECTING, /* waits until it may send */
	STATE_WAITING	  /* waits for the answer */
};

struct slot {
	int fd;
	enum state state;
	unsigned number; /* of the connection, from 0 */
};

struct storm {
	const char *port;
	int epoll;
	unsigned most, begun, good, failed, busy;
	int64_t deadline;
};

/* Send the message; false if the connection does not stand yet. Fewer than 64 bytes, which pass as
 * one segment, are a failure here: the answer will then not come. */
static bool
slot_send(struct slot *slot)
{
	char message[MESSAGE_SIZE];

	message_make(message, slot->number, 0);
	if (send(slot->fd, message, MESSAGE_SIZE, MSG_NOSIGNAL) == -1 && errno == EAGAIN)
		return false;
	slot->state = STATE_WAITING;
	return true;
}

/* On loopback the handshake is over when connect(2) returns: to send at once, without asking epoll,
 * leaves more of the cores to what is measured. */
static void
slot_begin(struct storm *storm, struct slot *slot)
{
	struct epoll_event event = {.data.ptr = slot};

	slot->state = STATE_IDLE;
	if (storm->begun == storm->most || clock_now() >= storm->deadline)
		return;
	slot->number = storm->begun++;
	slot->fd = client_connect(storm->port, true);
	slot->state = STATE_CONNECTING;
	event.events = slot_send(slot) ? EPOLLIN : EPOLLOUT;
	if (epoll_ctl(storm->epoll, EPOLL_CTL_ADD, slot->fd, &event) == -1)
		err(2, "epoll");
	storm->busy++;
}

static void
slot_end(struct storm *storm, struct slot *slot, bool good)
{
	close(slot->fd);
	storm->busy--;
	if (good)
		storm->good++;
	else
		storm->failed++;
	slot_begin(storm, slot);
}

static void
slot_ready(struct storm *storm, struct slot *slot)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
	char message[MESSAGE_SIZE], answer[MESSAGE_SIZE];

	if (slot->state == STATE_CONNECTING) {
		if (slot_send(slot))
			epoll_ctl(storm->epoll, EPOLL_CTL_MOD, slot->fd, &event);
		return;
	}
	message_make(message, slot->number, 0);
	message[0] = 'A';
	slot_end(storm, slot,
	    recv(slot->fd, answer, MESSAGE_SIZE, 0) == MESSAGE_SIZE &&
		memcmp(answer, message, MESSAGE_SIZE) == 0);
}

int
connect_main(char **operands, const char *index)
{
	unsigned count = operand_count(operands[1]), hung = 0;
	struct slot *slots = calloc(count, sizeof(*slots));
	struct storm storm = {.port = operands[0], .epoll = epoll_create1(0)};
	struct epoll_event events[64];
	int64_t begin = clock_now(), end;

	if (slots == NULL || storm.epoll == -1)
		err(2, "connections");
	storm.deadline = begin + operand_count(operands[2]) * INT64_C(1000000);
	storm.most = operand_count(operands[3]);
	for (unsigned i = 0; i < count; i++)
		slot_begin(&storm, &slots[i]);
	while (storm.busy > 0) {
		int ready = epoll_wait(storm.epoll, events, 64, (int)(PATIENCE / 1000000));

		if (ready == 0) {
			hung = storm.busy;
			break;
		}
		for (int i = 0; i < ready; i++)
			slot_ready(&storm, events[i].data.ptr);
	}
	end = clock_now();
	if (index != NULL && hung == 0) {
		index_wait(index, storm.good + storm.failed);
		end = clock_now();
	}
	printf("{\"connections\": %u, \"failed\": %u, \"hung\": %u, \"seconds\": %.6f}\n",
	    storm.good, storm.failed, hung, (double)(end - begin) / 1e9);
	free(slots);
	return 0;
}
