/* Headers of records: exact bytes out, and nothing but exact bytes in, those of 2010 included. */
#include "format/record.h"

#include "tests/unit/test.h"

static const char *
encoded(enum side side, enum record_type type, int64_t time, uint64_t size)
{
	static char text[RECORD_HEADER_MAX + 1];
	struct record record = {side, type, time, size};

	text[record_encode(&record, text)] = '\0';
	return text;
}

static void
test_encode(void)
{
	EXPECT(strcmp(encoded(SIDE_CLIENT, RECORD_CON, 0, 0), "c 0.000000 con\n") == 0);
	EXPECT(strcmp(encoded(SIDE_SERVER, RECORD_HUP, 1000000000, 0), "s 1.000000 hup\n") == 0);
	EXPECT(strcmp(encoded(SIDE_SERVER, RECORD_ERR, 123456789, 0), "s 0.123456 err\n") == 0);
	EXPECT(strcmp(encoded(SIDE_CLIENT, RECORD_DATA, 999999999, 7), "c 0.999999 7\n") == 0);
	/* the fraction counts upwards from the integer, below zero too */
	EXPECT(strcmp(encoded(SIDE_CLIENT, RECORD_DATA, -900000000, 7), "c -1.100000 7\n") == 0);
	EXPECT(strcmp(encoded(SIDE_CLIENT, RECORD_DATA, INT64_MAX, UINT64_MAX),
		   "c 9223372036.854775 18446744073709551615\n") == 0);
	EXPECT(strcmp(encoded(SIDE_CLIENT, RECORD_DATA, INT64_MIN, UINT64_MAX),
		   "c -9223372036.000000 18446744073709551615\n") == 0);
}

static struct record
decoded(const char *header)
{
	struct record record;
	const char *wrong = record_decode(header, strlen(header), &record);

	if (wrong != NULL)
		fprintf(stderr, "%s: %s\n", header, wrong);
	EXPECT(wrong == NULL);
	return record;
}

static void
test_decode(void)
{
	struct record record = decoded("c 12.000034 con");

	EXPECT(record.side == SIDE_CLIENT && record.type == RECORD_CON && record.size == 0);
	EXPECT(record.time == 12000034000);
	record = decoded("s 0.000001 hup");
	EXPECT(record.side == SIDE_SERVER && record.type == RECORD_HUP && record.time == 1000);
	record = decoded("c 0.000000 err");
	EXPECT(record.type == RECORD_ERR && record.time == 0);
	record = decoded("s 0.000000 0");
	EXPECT(record.type == RECORD_DATA && record.size == 0);
	record = decoded("s 0.000000 18446744073709551615");
	EXPECT(record.type == RECORD_DATA && record.size == UINT64_MAX);
}

/* value = integer seconds + microseconds/1e6, the integer with its own sign */
static void
test_decode_2010(void)
{
	EXPECT(decoded("c 4.1000000 hup").time == 5000000000);
	EXPECT(decoded("c -1.1000000 con").time == 0);
	EXPECT(decoded("c -1.100000 con").time == -900000000);
	EXPECT(decoded("c 0.1000000 6").time == 1000000000);
	EXPECT(decoded("c -0.500000 6").time == 500000000);
	EXPECT(decoded("c 9223372034.2854775 6").time == INT64_MAX - INT64_MAX % 1000);
	EXPECT(decoded("c -9223372036.9999999 6").time == -9223372026000001000);
}

static void
test_decode_refuses(void)
{
	static const char *const bad[] = {"", "c", "x 0.000000 con", "c0.000000 con",
	    "c  0.000000 con", "c 0.000000", "c 0.000000 ", "c 0.000000  con", "c 0.00000 con",
	    "c 0.0000000 con", "c 0.10000000 con", "c .000000 con", "c 0 con", "c 0. con",
	    "c +0.000000 con", "c --1.000000 con", "c 0.-00001 con", "c 0.000000 CON",
	    "c 0.000000 conx", "c 0.000000 co", "c 0.000000 con ", "c 0.000000 +1", "c 0.000000 -1",
	    "c 0.000000 1 ", "c 0.000000 1x", "c 0.000000 0x10", "c 0.000000 1.5", "s 0.000000 con",
	    "c 0,000000 1", "c 9223372037.000000 1", "c 9223372036.854776 1",
	    "c 9223372034.9999999 1", "c -9223372037.999999 1", "c 99999999999999999999.000000 1",
	    "C 0.000000 con", " c 0.000000 con"};
	struct record record;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (record_decode(bad[i], strlen(bad[i]), &record) == NULL)
			fprintf(stderr, "accepted: '%s'\n", bad[i]);
		EXPECT(record_decode(bad[i], strlen(bad[i]), &record) != NULL);
	}
	EXPECT(record_decode("c 0.000000 1\0", 13, &record) != NULL);
	EXPECT(strcmp(record_decode("c 0.000000 18446744073709551616", 31, &record),
		   "length too large") == 0);
	EXPECT(strcmp(record_decode("s 0.000000 99999999999999999999", 31, &record),
		   "length too large") == 0);
}

static void
test_round_trip(void)
{
	static const int64_t times[] = {0, 1000, 999999000, -1000, -999999000, -1000000000,
	    INT64_MAX - INT64_MAX % 1000, -9223372036000000000};
	char header[RECORD_HEADER_MAX];

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct record record = {SIDE_SERVER, RECORD_DATA, times[i], i}, back;
		size_t length = record_encode(&record, header);
		EXPECT(header[length - 1] == '\n');
		EXPECT(record_decode(header, length - 1, &back) == NULL);
		EXPECT(back.time == times[i] && back.size == i && back.type == RECORD_DATA);
	}
}

/* Every beginning of a header may be one that was cut; nothing else is. */
static void
test_begins(void)
{
	static const char *const headers[] = {
	    "c 12.345678 con", "s 0.000000 hup", "c -1.1000000 err", "s 4.000001 123456"};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		for (size_t length = 0; length <= strlen(headers[i]); length++)
			EXPECT(record_begins(headers[i], length));
	EXPECT(!record_begins("x", 1));
	EXPECT(!record_begins("c x", 3));
	EXPECT(!record_begins("c 1.12345678", 12));
	EXPECT(!record_begins("s 0.000000 c", 12));
	EXPECT(!record_begins("c 0.000000 cp", 13));
	EXPECT(!record_begins("c 0.000000 18446744073709551616", 31));
}

int
main(void)
{
	test_encode();
	test_decode();
	test_decode_2010();
	test_decode_refuses();
	test_round_trip();
	test_begins();
	puts("ok record_test");
	return 0;
}
