/* What the plainest program costs that sends the same bytes: one blocking loop of send(2). */
#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/load.h"

static double
cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == -1)
		err(2, "getrusage");
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int
send_main(char **operands, const char *index)
{
	uint64_t size = operand_size(operands[1]), rest = size;
	int fd = client_connect(operands[0], false);
	char header[BULK_HEADER_SIZE];
	double before;

	(void)index;
	(void)pattern_at(0);
	before = cpu_seconds();
	bulk_header_make(header, 'U', size);
	if (send(fd, header, sizeof(header), 0) != sizeof(header))
		err(1, "send");
	while (rest > 0) {
		ssize_t sent = send(fd, pattern_at(size - rest),
		    rest < BUFFER_SIZE ? (size_t)rest : BUFFER_SIZE, 0);

		if (sent == -1)
			err(1, "send");
		rest -= (uint64_t)sent;
	}
	printf(
	    "{\"bytes\": %llu, \"cpu\": %.6f}\n", (unsigned long long)size, cpu_seconds() - before);
	fflush(stdout);
	if (recv(fd, header, 1, 0) != 1)
		err(1, "no acknowledgement");
	close(fd);
	return 0;
}
