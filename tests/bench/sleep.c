/* Sleeps until one deadline after the other and does nothing else: how late a process is on this
 * machine that could not be less busy. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "tests/bench/load.h"

/* Deadlines of a file: microseconds from the start on, ascending, one a line. */
static int64_t *
deadlines_read(const char *path, size_t *count)
{
	FILE *file = fopen(path, "re");
	int64_t *deadlines = NULL, deadline;
	size_t room = 0;

	if (file == NULL)
		err(2, "%s", path);
	for (*count = 0; fscanf(file, "%" SCNd64, &deadline) == 1; (*count)++) {
		if (*count == room) {
			room = room == 0 ? 4096 : room * 2;
			deadlines = reallocarray(deadlines, room, sizeof(*deadlines));
			if (deadlines == NULL)
				err(2, "deadlines");
		}
		deadlines[*count] = deadline * 1000;
	}
	fclose(file);
	return deadlines;
}

int
sleep_main(char **operands, const char *index)
{
	struct samples samples = {0};
	size_t count;
	int64_t *deadlines = deadlines_read(operands[0], &count), begin;

	(void)index;
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL,
	    0UL); /* else the kernel may be 50 us late on purpose */
	begin = clock_now();
	for (size_t i = 0; i < count; i++) {
		int64_t due = begin + deadlines[i];
		struct timespec until = {due / 1000000000, due % 1000000000};

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
			;
		samples_add(&samples, clock_now() - due);
	}
	printf("{\"count\": %zu, \"p50\": %.3f, \"p99\": %.3f}\n", samples.count,
	    samples_percentile(&samples, 0.50) / 1e3, samples_percentile(&samples, 0.99) / 1e3);
	samples_release(&samples);
	free(deadlines);
	return 0;
}
