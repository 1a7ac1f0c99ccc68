/* Requests at a fixed rate, whatever the answers do: each is due at its own time, and its response
 * time counts from then. */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/load.h"

#define SECOND INT64_C(1000000000)
#define BEHIND_MAX 64 /* requests of one client that may wait for their answers */

struct client {
	int fd;
	int64_t due[BEHIND_MAX]; /* of those that are not answered, oldest first from `first` */
	unsigned first, waiting;
	size_t held; /* bytes of the answer that is coming */
	uint64_t sequence;
};

/* Send the request that was due at `due`; returns false if too many wait already. */
static bool
client_send(struct client *client, unsigned number, int64_t due)
{
	char message[MESSAGE_SIZE];

	if (client->waiting == BEHIND_MAX)
		return false;
	message_make(message, number, client->sequence++);
	if (send(client->fd, message, MESSAGE_SIZE, 0) != MESSAGE_SIZE)
		err(1, "client %u: send", number);
	client->due[(client->first + client->waiting++) % BEHIND_MAX] = due;
	return true;
}

static void
client_receive(struct client *client, struct samples *samples)
{
	char answers[MESSAGE_SIZE * 16];
	ssize_t count = recv(client->fd, answers, sizeof(answers), 0);

	if (count <= 0)
		err(1, "receive");
	for (client->held += (size_t)count; client->held >= MESSAGE_SIZE;
	     client->held -= MESSAGE_SIZE) {
		if (client->waiting == 0)
			errx(1, "more answers than requests");
		samples_add(samples, clock_now() - client->due[client->first]);
		client->first = (client->first + 1) % BEHIND_MAX;
		client->waiting--;
	}
}

/* Receive until `until`. */
static void
wait_until(struct client *clients, struct pollfd *polled, unsigned count, int64_t until,
    struct samples *samples)
{
	for (;;) {
		int64_t left = until - clock_now();
		struct timespec timeout = {left / SECOND, left % SECOND};

		if (left <= 0)
			return;
		if (ppoll(polled, count, &timeout, NULL) == -1)
			err(2, "poll");
		for (unsigned i = 0; i < count; i++)
			if (polled[i].revents != 0)
				client_receive(&clients[i], samples);
	}
}

int
rate_main(char **operands, const char *index)
{
	unsigned count = operand_count(operands[1]), rate = operand_count(operands[2]), late = 0;
	uint64_t total = operand_size(operands[3]) * rate / 1000;
	struct client *clients = calloc(count, sizeof(*clients));
	struct pollfd *polled = calloc(count, sizeof(*polled));
	struct samples samples = {0};
	int64_t begin;

	(void)index;
	if (clients == NULL || polled == NULL)
		err(2, "clients");
	for (unsigned i = 0; i < count; i++) {
		clients[i].fd = client_connect(operands[0], false);
		client_exchange(clients[i].fd, i, clients[i].sequence++);
		polled[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
	}
	begin = clock_now();
	for (uint64_t i = 0; i < total; i++) {
		int64_t due = begin + (int64_t)(i * (uint64_t)SECOND / rate);

		wait_until(clients, polled, count, due, &samples);
		late += !client_send(&clients[i % count], (unsigned)(i % count), due);
	}
	wait_until(clients, polled, count, clock_now() + SECOND / 5, &samples);
	printf("{\"answered\": %zu, \"late\": %u, \"p50\": %.3f, \"p99\": %.3f}\n", samples.count,
	    late, samples_percentile(&samples, 0.5) / 1e3,
	    samples_percentile(&samples, 0.99) / 1e3);
	samples_release(&samples);
	free(clients);
	free(polled);
	return 0;
}
