#include "format/digits.h"

#include <string.h>

char *
digits_put(char *at, uint64_t number)
{
	char digits[20];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	memcpy(at, digits + first, sizeof(digits) - first);
	return at + (sizeof(digits) - first);
}

char *
digits_put_fixed(char *at, uint64_t number, int width)
{
	for (int digit = width - 1; digit >= 0; digit--) {
		at[digit] = (char)('0' + number % 10);
		number /= 10;
	}
	return at + width;
}
