/* Just enough JSON (RFC 8259) to read and write the index: one object a line, its members one after
 * the other. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type { JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL, JSON_NESTED };

/* A value as it stands in the text: a string with its quotes, a nested object or array whole. */
struct json_value {
	enum json_type type;
	const char *text;
	size_t length;
};

/* Steps through the members of one object; the text must outlive it. */
struct json_scanner {
	const char *at;
	const char *end;
	bool begun;
};

void json_scanner_init(struct json_scanner *scanner, const char *text, size_t length);

/*
 * The next member. Returns 1, 0 after the last one (nothing but white space follows the object
 * then), or -1 if the text is no JSON object.
 */
int json_scanner_next(
    struct json_scanner *scanner, struct json_value *key, struct json_value *value);

/*
 * The string as bytes, NUL-terminated. \udc80 to \udcff stand for the bytes 80 to ff that were no
 * UTF-8, as json_string_encode() writes them. Returns 0, or -1 if it is no string, holds a NUL, or
 * `size` is too small.
 */
int json_string_decode(const struct json_value *value, char *text, size_t size);

/* The number times 10 to the power `decimals`, what is smaller cut off. Returns -1 if it is no
 * number or does not fit. */
int json_number_decode(const struct json_value *value, int decimals, int64_t *number);

/* A whole number of 0 or more. Returns -1 if it is none or does not fit. */
int json_unsigned_decode(const struct json_value *value, uint64_t *number);

/*
 * Write `text` as a JSON string with its quotes, and a NUL. Returns its length, or 0 if `size` is
 * too small (6 bytes for each of the text and 3 never are).
 */
size_t json_string_encode(const char *text, char *json, size_t size);

#endif
