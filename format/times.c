#include "format/times.h"

#define TWO_TO_63 9223372036854775808.0 /* INT64_MAX has no exact double */

int64_t
times_add(int64_t time, int64_t duration)
{
	int64_t sum;

	if (__builtin_add_overflow(time, duration, &sum))
		return time < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

int64_t
times_subtract(int64_t time, int64_t other)
{
	int64_t difference;

	if (__builtin_sub_overflow(time, other, &difference))
		return time < other ? INT64_MIN : INT64_MAX;
	return difference;
}

int64_t
times_divide(int64_t time, double divisor)
{
	double quotient = (double)time / divisor;

	if (quotient >= TWO_TO_63)
		return INT64_MAX;
	return quotient < -TWO_TO_63 ? INT64_MIN : (int64_t)quotient;
}
