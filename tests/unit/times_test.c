/* Times that damaged logs hold: sums and differences stay at the ends of 64 bits. */
#include "format/times.h"

#include "tests/unit/test.h"

int
main(void)
{
	EXPECT(times_add(2, 3) == 5 && times_add(-2, 3) == 1);
	EXPECT(times_add(INT64_MAX, 0) == INT64_MAX && times_add(INT64_MAX, INT64_MIN) == -1);
	EXPECT(times_add(INT64_MAX, 1) == INT64_MAX && times_add(1, INT64_MAX) == INT64_MAX);
	EXPECT(times_add(INT64_MIN, -1) == INT64_MIN && times_add(-1, INT64_MIN) == INT64_MIN);
	EXPECT(times_subtract(2, 3) == -1 && times_subtract(-2, -3) == 1);
	EXPECT(times_subtract(INT64_MAX, -1) == INT64_MAX);
	EXPECT(times_subtract(0, INT64_MIN) == INT64_MAX);
	EXPECT(times_subtract(-1, INT64_MIN) == INT64_MAX);
	EXPECT(times_subtract(INT64_MIN, 1) == INT64_MIN);
	EXPECT(times_subtract(-2, INT64_MAX) == INT64_MIN);
	EXPECT(times_divide(10, 4) == 2 && times_divide(-10, 4) == -2);
	EXPECT(times_divide(10, 0.5) == 20);
	EXPECT(times_divide(INT64_MAX, 1) == INT64_MAX && times_divide(INT64_MIN, 1) == INT64_MIN);
	EXPECT(times_divide(INT64_MAX, 1e-6) == INT64_MAX);
	EXPECT(times_divide(INT64_MIN, 1e-6) == INT64_MIN);
	EXPECT(times_divide(1, 5e-324) == INT64_MAX && times_divide(0, 5e-324) == 0);
	puts("ok times_test");
	return 0;
}
