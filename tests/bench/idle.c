/* Holds many connections open that have passed one message, until standard input ends. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/load.h"

int
idle_main(char **operands, const char *index)
{
	unsigned count = operand_count(operands[1]);
	int *fds = calloc(count, sizeof(*fds));
	char byte;

	(void)index;
	if (fds == NULL)
		err(2, "connections");
	for (unsigned i = 0; i < count; i++) {
		fds[i] = client_connect(operands[0], false);
		client_exchange(fds[i], i, 0);
	}
	printf("%u\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
	return 0;
}
