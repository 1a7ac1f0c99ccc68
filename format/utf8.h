/* Text in UTF-8, RFC 3629. */
#ifndef FORMAT_UTF8_H
#define FORMAT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4 /* bytes of a character */

/* Write the character of the code point `point`, at most 0x10ffff and no surrogate; returns how
 * many bytes it has. */
size_t utf8_put(char to[UTF8_MAX], uint32_t point);

#endif
