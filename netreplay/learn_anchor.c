#include "netreplay/learn_anchor.h"

#define ANCHOR_MAX 24
#define NAME_LEAST 3	 /* a shorter name is taken with the word before it */
#define LINE_MAX_MORE 16 /* the rest of the line is taken too if it is no longer */
#define BINARY_LEAST 8
#define BINARY_TELLING 4 /* so many bytes that are not zero */
#define BINARY_MAX 16

static bool
is_name(unsigned char byte)
{
	return byte_is_word(byte) || byte == '_' || byte == '-' || byte == '.';
}

/* How many bytes before `begin` are the same in both streams. */
static size_t
common_before(const struct learn_window *window, const size_t begin[2], const size_t floor[2])
{
	size_t size = 0;

	while (size < ANCHOR_MAX && begin[0] > floor[0] + size && begin[1] > floor[1] + size &&
	       window->bytes[0][begin[0] - size - 1] == window->bytes[1][begin[1] - size - 1])
		size++;
	return size;
}

static size_t
binary_begin(const unsigned char *bytes, size_t begin, size_t floor)
{
	size_t at = begin, telling = 0;

	while (at > floor && begin - at < BINARY_MAX &&
	       (begin - at < BINARY_LEAST || telling < BINARY_TELLING))
		if (bytes[--at] != 0)
			telling++;
	return at;
}

/* Where the line begins, with its newline, if that is near and what is between is likely to be
 * constant; else `at`. */
static size_t
line_begin(const struct learn_window *window, size_t at, size_t floor)
{
	const unsigned char *bytes = window->bytes[0];
	size_t begin = at;

	if (at < window->size[0] && bytes[at] == '\n')
		return at;
	while (begin > floor && at - begin < LINE_MAX_MORE && byte_is_text(bytes[begin - 1]) &&
	       bytes[begin - 1] != '\n' && !byte_is_digit(bytes[begin - 1]))
		begin--;
	if (begin > floor && bytes[begin - 1] == '\n')
		return begin - 1;
	return begin == 0 && window->offset[0] == 0 ? 0 : at;
}

/* Back to the beginning of a name: what a header, a key or a sentence calls the field. */
static size_t
name_begin(const struct learn_window *window, size_t begin, size_t floor)
{
	const unsigned char *bytes = window->bytes[0];
	size_t at = begin;
	bool named = false;

	while (at > floor && !(named && begin - at >= NAME_LEAST)) {
		while (at > floor && !is_name(bytes[at - 1]))
			at--;
		while (at > floor && is_name(bytes[at - 1]))
			named |= byte_is_letter(bytes[--at]);
	}
	/* one byte more, so that the name is a whole one */
	if (at > floor && byte_is_text(bytes[at - 1]))
		at--;
	return line_begin(window, at, floor);
}

size_t
anchor_find(
    const struct learn_window *window, const size_t begin[2], const size_t floor[2], bool *first)
{
	size_t common = common_before(window, begin, floor);
	size_t from = begin[0] - common, at;

	if (common > 0 && !byte_is_text(window->bytes[0][begin[0] - 1]))
		at = binary_begin(window->bytes[0], begin[0], from);
	else
		at = name_begin(window, begin[0], from);
	/* both streams begin with it */
	*first = at == 0 && window->offset[0] == 0 && window->offset[1] == 0 &&
		 begin[0] - at == begin[1];
	return begin[0] - at;
}
