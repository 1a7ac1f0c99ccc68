/* From the patterns that users write to what re_compile_pattern(3) takes. */
#ifndef FORMAT_PATTERN_TRANSLATE_H
#define FORMAT_PATTERN_TRANSLATE_H

#include <stddef.h>

/* Room for the translation of `length` bytes: a byte becomes "[.x.]" at most. */
#define PATTERN_TRANSLATED_MAX(length) (5 * (length) + 1)

/*
 * Write to `regex` what `text` means with \xHH, \r, \n and \t replaced by their bytes, escaped
 * where they would mean something. Other escapes than those of special characters are refused, so
 * that "\d" is not taken for "d". Returns NULL, or a static text that says what is wrong.
 */
const char *pattern_translate(const char *text, char *regex, size_t *length);

#endif
