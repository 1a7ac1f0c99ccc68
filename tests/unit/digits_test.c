/* Digits and characters, as logs, indexes and configurations have them. */
#include <inttypes.h>
#include <string.h>

#include "format/digits.h"
#include "format/utf8.h"

#include "tests/unit/test.h"

static void
test_decimal(void)
{
	static const uint64_t numbers[] = {
	    0, 7, 10, 99, 100, 12345, 999999, 1000000, UINT64_MAX / 10, UINT64_MAX};
	char got[24], expected[24];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		*digits_put(got, numbers[i]) = '\0';
		snprintf(expected, sizeof(expected), "%" PRIu64, numbers[i]);
		EXPECT(strcmp(got, expected) == 0);
	}
	*digits_put_fixed(got, 42, 6) = '\0';
	EXPECT(strcmp(got, "000042") == 0);
	*digits_put_fixed(got, 1234567, 3) = '\0';
	EXPECT(strcmp(got, "567") == 0);
}

static void
test_hexadecimal(void)
{
	static const char digits[] = "0123456789abcdef";

	for (int c = -128; c < 256; c++) {
		const char *at =
		    c >= 'A' && c <= 'F' ? strchr(digits, c - 'A' + 'a') : strchr(digits, c);
		EXPECT(digits_hex(c) == (c <= 0 || at == NULL ? -1 : (int)(at - digits)));
	}
}

/* Where the lengths change, RFC 3629, section 3. */
static void
test_utf8(void)
{
	static const struct {
		uint32_t point;
		const char *bytes;
	} characters[] = {{0x7f, "\x7f"}, {0x80, "\xc2\x80"}, {0x7ff, "\xdf\xbf"},
	    {0x800, "\xe0\xa0\x80"}, {0xffff, "\xef\xbf\xbf"}, {0x10000, "\xf0\x90\x80\x80"},
	    {0x10ffff, "\xf4\x8f\xbf\xbf"}};
	char got[UTF8_MAX];

	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		size_t size = utf8_put(got, characters[i].point);
		EXPECT(size == strlen(characters[i].bytes) &&
		       memcmp(got, characters[i].bytes, size) == 0);
	}
}

int
main(void)
{
	test_decimal();
	test_hexadecimal();
	test_utf8();
	puts("ok digits_test");
	return 0;
}
