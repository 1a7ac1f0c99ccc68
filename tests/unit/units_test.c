/* Sizes and times as users write and read them. */
#include "format/units.h"

#include "tests/unit/test.h"

static void
test_parse_size(void)
{
	static const char *const bad[] = {"", "-1", " 1", "1 ", "k", "1x", "1kb", "1.5G", "1k1"};
	uint64_t size;

	EXPECT(units_parse_size("0", &size) == 0 && size == 0);
	EXPECT(units_parse_size("64k", &size) == 0 && size == 65536);
	EXPECT(units_parse_size("5G", &size) == 0 && size == UINT64_C(5) << 30);
	EXPECT(units_parse_size("18446744073709551615", &size) == 0 && size == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(units_parse_size(bad[i], &size) == -1 && errno == EINVAL);
	EXPECT(units_parse_size("18446744073709551616", &size) == -1 && errno == ERANGE);
	EXPECT(units_parse_size("16E", &size) == -1 && errno == ERANGE);
}

static void
test_parse_time(void)
{
	static const struct {
		const char *text;
		int64_t time;
	} good[] = {{"10", 10000000000}, {"10s", 10000000000}, {"1.5s", 1500000000},
	    {"200ms", 200000000}, {".5ms", 500000}, {"2m", 120000000000}, {"1h", 3600000000000},
	    {"0.000000001h", 3600}, {"7us", 7000}, {"3ns", 3}, {"1.9999999999", 1999999999},
	    {"0", 0}};
	static const char *const bad[] = {
	    "", "-1", "s", ".", "1.5.2", "1d", "1 s", " 1", "1e3", "0x10", "1ss"};
	int64_t time;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		EXPECT(units_parse_time(good[i].text, &time) == 0 && time == good[i].time);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(units_parse_time(bad[i], &time) == -1 && errno == EINVAL);
	EXPECT(units_parse_time("9223372037", &time) == -1 && errno == ERANGE);
	EXPECT(units_parse_time("9999999h", &time) == -1 && errno == ERANGE);
	EXPECT(units_parse_time("99999999999999999999ns", &time) == -1 && errno == ERANGE);
}

static void
expect_time(int64_t time, const char *expected)
{
	char text[UNITS_TEXT_MAX];

	if (strcmp(units_format_time(time, text), expected) != 0)
		fprintf(stderr, "%lld: %s\n", (long long)time, text);
	EXPECT(strcmp(text, expected) == 0);
}

static void
test_format(void)
{
	char text[UNITS_TEXT_MAX];

	expect_time(0, "0 ns");
	expect_time(12345, "12 us");
	expect_time(999600, "1.00 ms");
	expect_time(1530000, "1.53 ms");
	expect_time(999996000, "1.00 s");
	expect_time(2100000000, "2.10 s");
	expect_time(59999000000, "1m 00s");
	expect_time(200000000000, "3m 20s");
	expect_time(3599600000000, "1h 00m");
	expect_time(-5000, "-5 us");
	expect_time(INT64_MIN, "-2562047h 47m");
	expect_time(INT64_MAX, "2562047h 47m");
	EXPECT(strcmp(units_format_size(930, text), "930") == 0);
	EXPECT(strcmp(units_format_size(1536, text), "1.5K") == 0);
	EXPECT(strcmp(units_format_size(UINT64_C(5) << 30, text), "5.0G") == 0);
	EXPECT(strcmp(units_format_size(UINT64_MAX, text), "15E") == 0);
	EXPECT(strcmp(units_format_seconds(1250000000, text), "1.250000") == 0);
	EXPECT(strcmp(units_format_seconds(-900000000, text), "-0.900000") == 0);
	EXPECT(strcmp(units_format_seconds(-1, text), "0.000000") == 0);
	EXPECT(strcmp(units_format_seconds(INT64_MIN, text), "-9223372036.854775") == 0);
}

int
main(void)
{
	test_parse_size();
	test_parse_time();
	test_format();
	puts("ok units_test");
	return 0;
}
