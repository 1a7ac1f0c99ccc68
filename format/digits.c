#include "format/digits.h"

#include <string.h>

/* Two digits at a time: a division less. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

char *
digits_put(char *at, uint64_t number)
{
	char digits[20];
	size_t first = sizeof(digits);

	for (; number >= 10; number /= 100) {
		first -= 2;
		memcpy(digits + first, pairs + 2 * (number % 100), 2);
	}
	/* one more, unless the last pair was the first two digits */
	if (number > 0 || first == sizeof(digits))
		digits[--first] = (char)('0' + number);
	memcpy(at, digits + first, sizeof(digits) - first);
	return at + (sizeof(digits) - first);
}

char *
digits_put_fixed(char *at, uint64_t number, int width)
{
	int digit = width;

	for (; digit >= 2; number /= 100) {
		digit -= 2;
		memcpy(at + digit, pairs + 2 * (number % 100), 2);
	}
	if (digit == 1)
		at[0] = (char)('0' + number % 10);
	return at + width;
}

int
digits_hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
