#include "format/index.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "format/digits.h"

#define NANOSECONDS_PER_SECOND 1000000000

void
index_time_format(int64_t epoch, char text[INDEX_TIME_MAX])
{
	int64_t rest = epoch % NANOSECONDS_PER_SECOND;
	time_t seconds = (time_t)(epoch / NANOSECONDS_PER_SECOND);
	struct tm tm;

	if (rest < 0) {
		rest += NANOSECONDS_PER_SECOND;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	const struct {
		int value, width;
		char after;
	} fields[] = {{tm.tm_year + 1900, 4, '-'}, {tm.tm_mon + 1, 2, '-'}, {tm.tm_mday, 2, 'T'},
	    {tm.tm_hour, 2, ':'}, {tm.tm_min, 2, ':'}, {tm.tm_sec, 2, '.'},
	    {(int)(rest / 1000), 6, 'Z'}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		text = digits_put_fixed(text, (uint64_t)fields[i].value, fields[i].width);
		*text++ = fields[i].after;
	}
	*text = '\0';
}

/* Read exactly `count` digits and the byte `after` behind them ('\0': none). */
static bool
time_field(const char **text, int count, const char *after, int least, int most, int *number)
{
	*number = 0;
	for (int i = 0; i < count; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		*number = *number * 10 + (**text - '0');
	}
	if (*number < least || *number > most)
		return false;
	if (*after == '\0')
		return true;
	return **text != '\0' && strchr(after, *(*text)++) != NULL;
}

/* The offset at the end of a time: "Z" or "+hh:mm", in seconds. */
static bool
time_offset(const char *text, int *offset)
{
	int hours, minutes;
	char sign = *text++;

	*offset = 0;
	if (sign == 'Z' || sign == 'z')
		return *text == '\0';
	if ((sign != '+' && sign != '-') || !time_field(&text, 2, ":", 0, 23, &hours) ||
	    !time_field(&text, 2, "", 0, 59, &minutes))
		return false;
	*offset = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
	return *text == '\0';
}

int
index_time_parse(const char *text, int64_t *epoch)
{
	struct tm tm = {0};
	int64_t fraction = 0, seconds;
	int offset;

	if (!time_field(&text, 4, "-", 0, 9999, &tm.tm_year) ||
	    !time_field(&text, 2, "-", 1, 12, &tm.tm_mon) ||
	    !time_field(&text, 2, "Tt ", 1, 31, &tm.tm_mday) ||
	    !time_field(&text, 2, ":", 0, 23, &tm.tm_hour) ||
	    !time_field(&text, 2, ":", 0, 59, &tm.tm_min) ||
	    !time_field(&text, 2, "", 0, 60, &tm.tm_sec))
		return -1;
	if (*text == '.') {
		if (*++text < '0' || *text > '9')
			return -1;
		for (int64_t unit = NANOSECONDS_PER_SECOND / 10; *text >= '0' && *text <= '9';
		     unit /= 10)
			fraction += unit * (*text++ - '0');
	}
	if (!time_offset(text, &offset))
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = (int64_t)timegm(&tm) - offset;
	if (__builtin_mul_overflow(seconds, (int64_t)NANOSECONDS_PER_SECOND, epoch) ||
	    __builtin_add_overflow(*epoch, fraction, epoch))
		return -1;
	return 0;
}
