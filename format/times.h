/* Calculating with times of logs and indexes, in nanoseconds. Damaged ones hold any time: what does
 * not fit into 64 bits stays at their ends. */
#ifndef FORMAT_TIMES_H
#define FORMAT_TIMES_H

#include <stdint.h>

int64_t times_add(int64_t time, int64_t duration);

/* `time` less `other`. */
int64_t times_subtract(int64_t time, int64_t other);

/* `divisor` is above 0. */
int64_t times_divide(int64_t time, double divisor);

#endif
