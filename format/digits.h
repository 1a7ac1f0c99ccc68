/* Digits. The decimal ones without snprintf(3): they are written for every record and every
 * connection. */
#ifndef FORMAT_DIGITS_H
#define FORMAT_DIGITS_H

#include <stdint.h>

/* Write `number`, at most 20 digits, not NUL-terminated; returns where it ends. */
char *digits_put(char *at, uint64_t number);

/* Write the last `width` digits of `number`, zeros in front; returns where they end. */
char *digits_put_fixed(char *at, uint64_t number, int width);

/* What the hexadecimal digit `c` stands for, of either case; -1: it is none. */
int digits_hex(int c);

#endif
