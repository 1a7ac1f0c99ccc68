/* --fail-if: a condition on the live response times that makes the exit status 1. */
#ifndef NETREPLAY_FAIL_IF_H
#define NETREPLAY_FAIL_IF_H

#include <stdbool.h>
#include <stddef.h>

#include "format/histogram.h"

/* "p99>1.5x" (against the recording), "p50>20ms", "max>=1s", "mean>2x". */
struct fail_if {
	enum { FAIL_PERCENTILE, FAIL_MAX, FAIL_MEAN } value;
	double percent;	  /* FAIL_PERCENTILE */
	bool or_equal;	  /* >= */
	double factor;	  /* times the recorded value; 0: `limit` counts */
	int64_t limit;	  /* nanoseconds */
	const char *text; /* as it was given; lent */
};

/* Returns NULL, or a static text that says what is wrong. */
const char *fail_if_parse(const char *text, struct fail_if *condition);

/* Does the condition hold (so that the replay fails)? Nothing was measured: it does not. */
bool fail_if_holds(const struct fail_if *condition, const struct histogram *recorded,
    const struct histogram *live);

#endif
