/* What the modes share: clock, pattern, messages, connections, samples, the wait for the last log.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/load.h"

#define PATTERN_PERIOD                                                                             \
	1048573 /* a prime, so that no buffer size divides it: bytes that changed places differ */

int64_t
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

const unsigned char *
pattern_at(uint64_t offset)
{
	static unsigned char *bytes;

	if (bytes == NULL) {
		uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

		if ((bytes = malloc(PATTERN_PERIOD + BUFFER_SIZE)) == NULL)
			err(2, "pattern");
		for (size_t i = 0; i < PATTERN_PERIOD; i++) {
			state ^= state << 13; /* xorshift64 */
			state ^= state >> 7;
			state ^= state << 17;
			bytes[i] = (unsigned char)(state >> 32);
		}
		memcpy(bytes + PATTERN_PERIOD, bytes, BUFFER_SIZE);
	}
	return bytes + offset % PATTERN_PERIOD;
}

void
bulk_header_make(char header[BULK_HEADER_SIZE], char kind, uint64_t size)
{
	char text[BULK_HEADER_SIZE + 1];

	snprintf(text, sizeof(text), "%c%015llx", kind, (unsigned long long)size);
	memcpy(header, text, BULK_HEADER_SIZE);
}

uint64_t
bulk_header_parse(const char header[BULK_HEADER_SIZE])
{
	char digits[BULK_HEADER_SIZE], *end;
	unsigned long long size;

	memcpy(digits, header + 1, BULK_HEADER_SIZE - 1);
	digits[BULK_HEADER_SIZE - 1] = '\0';
	size = strtoull(digits, &end, 16);
	if (*end != '\0' || (header[0] != 'U' && header[0] != 'D'))
		return UINT64_MAX;
	return size;
}

void
message_make(char message[MESSAGE_SIZE], unsigned client, uint64_t sequence)
{
	char text[MESSAGE_SIZE + 1];

	snprintf(text, sizeof(text), "R %08u %012llu the quick brown fox jumps over the dog\n",
	    client, (unsigned long long)sequence);
	memcpy(message, text, MESSAGE_SIZE);
}

int
client_connect(const char *port, bool nonblocking)
{
	const char *error;
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct timeval patience = {.tv_sec = PATIENCE / 1000000000};
	int fd, one = 1;

	address.sin_port = htons((uint16_t)strtonum(port, 1, 65535, &error));
	if (error != NULL)
		errx(2, "port %s is %s", port, error);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0)) == -1)
		err(2, "socket");
	if (!nonblocking &&
	    (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == -1))
		err(2, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1 && errno != EINPROGRESS)
		err(1, "port %s: connect", port);
	return fd;
}

void
client_exchange(int fd, unsigned client, uint64_t sequence)
{
	char sent[MESSAGE_SIZE], received[MESSAGE_SIZE];

	message_make(sent, client, sequence);
	if (send(fd, sent, sizeof(sent), 0) != sizeof(sent))
		err(1, "client %u: send", client);
	if (recv(fd, received, sizeof(received), MSG_WAITALL) != sizeof(received))
		err(1, "client %u: no answer", client);
	sent[0] = 'A';
	if (memcmp(sent, received, sizeof(sent)) != 0)
		errx(1, "client %u: wrong answer", client);
}

void
samples_add(struct samples *samples, int64_t nanoseconds)
{
	if (samples->count == samples->room) {
		samples->room = samples->room == 0 ? 65536 : samples->room * 2;
		samples->values =
		    reallocarray(samples->values, samples->room, sizeof(samples->values[0]));
		if (samples->values == NULL)
			err(2, "samples");
	}
	samples->values[samples->count++] =
	    nanoseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)nanoseconds;
}

static int
sample_compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

uint32_t
samples_percentile(struct samples *samples, double share)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->values, samples->count, sizeof(samples->values[0]), sample_compare);
	return samples->values[(size_t)(share * (double)(samples->count - 1))];
}

void
samples_release(struct samples *samples)
{
	free(samples->values);
}

void
index_wait(const char *path, unsigned closed)
{
	static const char mark[] = "\"event\":\"close\"";
	static char buffer[65536];
	int64_t deadline = clock_now() + PATIENCE;
	size_t kept = 0;
	unsigned seen = 0;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(1, "%s", path);
	while (seen < closed) {
		ssize_t count = read(fd, buffer + kept, sizeof(buffer) - kept);
		const char *place = buffer, *end = buffer + kept + (count > 0 ? count : 0), *next;

		if (count == -1)
			err(1, "%s", path);
		if (clock_now() > deadline)
			errx(1, "%s: %u of %u connections closed after %d s", path, seen, closed,
			    (int)(PATIENCE / 1000000000));
		if (count == 0) {
			usleep(200);
			continue;
		}
		while (
		    (next = memmem(place, (size_t)(end - place), mark, sizeof(mark) - 1)) != NULL) {
			seen++;
			place = next + sizeof(mark) - 1;
		}
		/* A mark may be cut in two by the end of what was read. */
		kept = (size_t)(end - place) < sizeof(mark) - 1 ? (size_t)(end - place)
								: sizeof(mark) - 2;
		memmove(buffer, end - kept, kept);
	}
	close(fd);
}

uint64_t
operand_size(const char *text)
{
	uint64_t size;

	if (expand_number(text, &size) == -1)
		err(2, "size %s", text);
	return size;
}

unsigned
operand_count(const char *text)
{
	const char *error;
	unsigned count = (unsigned)strtonum(text, 1, 1000000, &error);

	if (error != NULL)
		errx(2, "number %s is %s", text, error);
	return count;
}
