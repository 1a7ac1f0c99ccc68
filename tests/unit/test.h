/* The few lines that unit tests share. A failing expectation ends the program. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: expected %s (errno: %s)\n", __FILE__, __LINE__,    \
			    #condition, strerror(errno));                                          \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#endif
