#include "netreplay/fail_if.h"

#include <stdlib.h>
#include <string.h>

#include "format/units.h"

/* Read a decimal number such as "99.9" at `*at` and move behind it. Returns false if there is none.
 */
static bool
number_take(const char **at, double *number)
{
	size_t size = strspn(*at, "0123456789.");
	char text[32], *end;

	if (size == 0 || size >= sizeof(text))
		return false;
	memcpy(text, *at, size);
	text[size] = '\0';
	*number = strtod(text, &end);
	if (*end != '\0' || end == text)
		return false;
	*at += size;
	return true;
}

static void
blanks_skip(const char **at)
{
	*at += strspn(*at, " \t");
}

static const char *
value_take(const char **at, struct fail_if *condition)
{
	if (strncmp(*at, "max", 3) == 0 || strncmp(*at, "mean", 4) == 0) {
		condition->value = (*at)[1] == 'a' ? FAIL_MAX : FAIL_MEAN;
		*at += condition->value == FAIL_MAX ? 3 : 4;
		return NULL;
	}
	if (**at != 'p')
		return "must begin with a percentile such as p99, max or mean";
	(*at)++;
	condition->value = FAIL_PERCENTILE;
	if (!number_take(at, &condition->percent))
		return "no number after p";
	if (condition->percent <= 0 || condition->percent > 100)
		return "percentile is not above 0 and at most 100";
	return NULL;
}

/* The rest: "1.5x", or a time. */
static const char *
limit_take(const char *at, struct fail_if *condition)
{
	const char *behind = at;

	if (number_take(&behind, &condition->factor) && strcmp(behind, "x") == 0)
		return condition->factor > 0 ? NULL : "factor is not above 0";
	condition->factor = 0;
	if (*at == '\0')
		return "nothing to compare with: a time such as 20ms or a factor such as 1.5x";
	if (units_parse_time(at, &condition->limit) != 0)
		return "neither a time such as 20ms nor a factor such as 1.5x";
	return NULL;
}

const char *
fail_if_parse(const char *text, struct fail_if *condition)
{
	const char *at = text, *wrong;

	*condition = (struct fail_if){.text = text};
	blanks_skip(&at);
	wrong = value_take(&at, condition);
	if (wrong != NULL)
		return wrong;
	blanks_skip(&at);
	if (*at != '>')
		return "no > or >= after the value";
	at++;
	condition->or_equal = *at == '=';
	if (condition->or_equal)
		at++;
	blanks_skip(&at);
	return limit_take(at, condition);
}

static int64_t
value_of(const struct fail_if *condition, const struct histogram *histogram)
{
	switch (condition->value) {
	case FAIL_MAX:
		return histogram_max(histogram);
	case FAIL_MEAN:
		return histogram_mean(histogram);
	default:
		return histogram_percentile(histogram, condition->percent);
	}
}

bool
fail_if_holds(
    const struct fail_if *condition, const struct histogram *recorded, const struct histogram *live)
{
	double value, limit;

	if (histogram_count(live) == 0)
		return false;
	value = (double)value_of(condition, live);
	limit = (double)condition->limit;
	if (condition->factor > 0) {
		if (histogram_count(recorded) == 0)
			return false;
		limit = condition->factor * (double)value_of(condition, recorded);
	}
	return condition->or_equal ? value >= limit : value > limit;
}
