#include "format/units.h"

#include <errno.h>
#include <libutil.h>
#include <stdio.h>
#include <string.h>

#define MICROSECOND INT64_C(1000)
#define MILLISECOND (1000 * MICROSECOND)
#define SECOND (1000 * MILLISECOND)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int
units_parse_size(const char *text, uint64_t *size)
{
	size_t digits = strspn(text, "0123456789");

	/* expand_number(3) also takes white space, "-1", "" and what follows the suffix */
	if (digits == 0 || (text[digits] != '\0' && text[digits + 1] != '\0')) {
		errno = EINVAL;
		return -1;
	}
	errno = 0;
	return expand_number(text, size) == 0 && errno == 0 ? 0 : -1;
}

/* The unit that `suffix` names, in nanoseconds; 0 if it is none. */
static int64_t
time_unit(const char *suffix)
{
	static const struct {
		const char *suffix;
		int64_t unit;
	} units[] = {{"", SECOND}, {"s", SECOND}, {"ms", MILLISECOND}, {"us", MICROSECOND},
	    {"ns", 1}, {"m", MINUTE}, {"h", HOUR}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(suffix, units[i].suffix) == 0)
			return units[i].unit;
	return 0;
}

int
units_parse_time(const char *text, int64_t *nanoseconds)
{
	int64_t whole = 0, billionths = 0, unit, weight = SECOND / 10;

	errno = EINVAL;
	if (!is_digit(*text) && !(*text == '.' && is_digit(text[1])))
		return -1;
	for (; is_digit(*text); text++)
		if (__builtin_mul_overflow(whole, INT64_C(10), &whole) ||
		    __builtin_add_overflow(whole, (int64_t)(*text - '0'), &whole))
			goto too_large;
	if (*text == '.') {
		text++;
		for (; is_digit(*text); text++, weight /= 10)
			billionths += weight * (*text - '0');
	}
	unit = time_unit(text);
	if (unit == 0)
		return -1;
	/* billionths times unit would not fit for the large ones, which are whole seconds */
	billionths = unit >= SECOND ? billionths * (unit / SECOND) : billionths * unit / SECOND;
	if (__builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(whole, billionths, nanoseconds))
		goto too_large;
	return 0;
too_large:
	errno = ERANGE;
	return -1;
}

char *
units_format_size(uint64_t size, char text[UNITS_TEXT_MAX])
{
	/* humanize_number(3) takes signed ones only */
	if (size > INT64_MAX)
		snprintf(text, UNITS_TEXT_MAX, "%dE", (int)(size >> 60));
	else
		humanize_number(text, 5, (int64_t)size, "", HN_AUTOSCALE, HN_DECIMAL | HN_NOSPACE);
	return text;
}

char *
units_format_time(int64_t nanoseconds, char text[UNITS_TEXT_MAX])
{
	const char *sign = nanoseconds < 0 ? "-" : "";
	const int64_t most = INT64_MAX - SECOND; /* leaves room for rounding */
	int64_t time = nanoseconds, rounded;

	if (time > most || time < -most)
		time = most;
	if (time < 0)
		time = -time;
	/* what rounds up to 1000 of a unit is shown in the next one */
	if (time < MICROSECOND)
		snprintf(text, UNITS_TEXT_MAX, "%s%d ns", sign, (int)time);
	else if ((rounded = (time + MICROSECOND / 2) / MICROSECOND) < 1000)
		snprintf(text, UNITS_TEXT_MAX, "%s%d us", sign, (int)rounded);
	else if ((rounded = (time + MILLISECOND / 200) / (MILLISECOND / 100)) < 100000)
		snprintf(text, UNITS_TEXT_MAX, "%s%d.%02d ms", sign, (int)(rounded / 100),
		    (int)(rounded % 100));
	else if (time < MINUTE &&
		 (rounded = (time + SECOND / 200) / (SECOND / 100)) < 100 * (MINUTE / SECOND))
		snprintf(text, UNITS_TEXT_MAX, "%s%d.%02d s", sign, (int)(rounded / 100),
		    (int)(rounded % 100));
	else if (time < HOUR && (rounded = (time + SECOND / 2) / SECOND) < HOUR / SECOND)
		snprintf(text, UNITS_TEXT_MAX, "%s%dm %02ds", sign, (int)(rounded / 60),
		    (int)(rounded % 60));
	else
		snprintf(text, UNITS_TEXT_MAX, "%s%dh %02dm", sign,
		    (int)((time + SECOND / 2) / HOUR), (int)((time + SECOND / 2) % HOUR / MINUTE));
	return text;
}

char *
units_format_seconds(int64_t nanoseconds, char text[UNITS_TEXT_MAX])
{
	uint64_t magnitude = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
	uint64_t microseconds = magnitude / MICROSECOND;

	snprintf(text, UNITS_TEXT_MAX, "%s%llu.%06llu",
	    nanoseconds < 0 && microseconds > 0 ? "-" : "",
	    (unsigned long long)(microseconds / 1000000),
	    (unsigned long long)(microseconds % 1000000));
	return text;
}
