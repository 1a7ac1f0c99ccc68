/* Sizes and times as users write and read them. */
#ifndef FORMAT_UNITS_H
#define FORMAT_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "10", "64k", "1M", "5G" (expand_number(3)); returns 0, or -1 with errno EINVAL or ERANGE.
 * Negative sizes are refused. */
int units_parse_size(const char *text, uint64_t *size);

/* "10" and "10s", "1.5s", "200ms", "2m", "1h", also "us" and "ns" as nanoseconds; returns 0, or -1
 * with EINVAL or ERANGE. Negative times are refused. */
int units_parse_time(const char *text, int64_t *nanoseconds);

/* "1.5M" for people (humanize_number(3)), "930" below a thousand. */
#define UNITS_TEXT_MAX 24
char *units_format_size(uint64_t size, char text[UNITS_TEXT_MAX]);

/* "12 us", "1.53 ms", "2.10 s", "3m 20s": for people. */
char *units_format_time(int64_t nanoseconds, char text[UNITS_TEXT_MAX]);

/* "1.250000": seconds with microseconds, as logs write them. */
char *units_format_seconds(int64_t nanoseconds, char text[UNITS_TEXT_MAX]);

#endif
