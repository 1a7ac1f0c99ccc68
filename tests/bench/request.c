/* Request and answer: some clients, each sends its next message when it has the answer to the one
 * before. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/load.h"

struct client {
	int fd;
	unsigned number;
	uint64_t sequence;
	size_t held;
	int64_t sent;
	char message[MESSAGE_SIZE], answer[MESSAGE_SIZE];
};

static void
client_send(struct client *client)
{
	message_make(client->message, client->number, client->sequence++);
	client->sent = clock_now();
	if (send(client->fd, client->message, MESSAGE_SIZE, 0) != MESSAGE_SIZE)
		err(1, "client %u: send", client->number);
}

/* Returns true when the answer is complete. */
static bool
client_receive(struct client *client)
{
	ssize_t count = recv(
	    client->fd, client->answer + client->held, MESSAGE_SIZE - client->held, MSG_DONTWAIT);

	if (count == -1 && errno == EAGAIN)
		return false;
	if (count <= 0)
		err(1, "client %u: receive", client->number);
	client->held += (size_t)count;
	if (client->held < MESSAGE_SIZE)
		return false;
	client->held = 0;
	client->message[0] = 'A';
	if (memcmp(client->message, client->answer, MESSAGE_SIZE) != 0)
		errx(1, "client %u: wrong answer", client->number);
	return true;
}

static void
clients_open(struct client *clients, unsigned count, const char *port, int epoll)
{
	struct epoll_event event = {.events = EPOLLIN};

	for (unsigned i = 0; i < count; i++) {
		clients[i] = (struct client){.fd = client_connect(port, false), .number = i};
		client_exchange(clients[i].fd, i,
		    clients[i].sequence++); /* not measured: it connects the server too */
		event.data.ptr = &clients[i];
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) == -1)
			err(2, "epoll");
	}
}

static void
clients_run(
    struct client *clients, unsigned count, int epoll, int64_t deadline, struct samples *samples)
{
	struct epoll_event events[64];
	unsigned busy = count;

	for (unsigned i = 0; i < count; i++)
		client_send(&clients[i]);
	while (busy > 0) {
		int ready = epoll_wait(epoll, events, 64, (int)(PATIENCE / 1000000));

		if (ready == 0)
			errx(1, "hung: %u clients wait for an answer", busy);
		for (int i = 0; i < ready; i++) {
			struct client *client = events[i].data.ptr;
			int64_t now;

			if (!client_receive(client))
				continue;
			now = clock_now();
			samples_add(samples, now - client->sent);
			if (now < deadline)
				client_send(client);
			else
				busy--;
		}
	}
}

int
request_main(char **operands, const char *index)
{
	unsigned count = operand_count(operands[1]);
	int64_t duration = operand_count(operands[2]) * INT64_C(1000000), begin, end;
	struct client *clients = calloc(count, sizeof(*clients));
	struct samples samples = {0};
	int epoll = epoll_create1(0);

	if (clients == NULL || epoll == -1)
		err(2, "clients");
	clients_open(clients, count, operands[0], epoll);
	begin = clock_now();
	clients_run(clients, count, epoll, begin + duration, &samples);
	for (unsigned i = 0; i < count; i++)
		close(clients[i].fd);
	end = clock_now();
	if (index != NULL) {
		index_wait(index, count);
		end = clock_now();
	}
	printf("{\"requests\": %zu, \"total\": %zu, \"seconds\": %.6f, \"p50\": %.3f, \"p99\": "
	       "%.3f}\n",
	    samples.count, samples.count + count, (double)(end - begin) / 1e9,
	    samples_percentile(&samples, 0.50) / 1e3, samples_percentile(&samples, 0.99) / 1e3);
	samples_release(&samples);
	free(clients);
	close(epoll);
	return 0;
}
