#include "netreplay/learn_piece.h"

#define NUMBER_SIZE 4 /* binary numbers have so many bytes */
#define SHORT 4	      /* text that is shorter, among binary data, may be none */

bool
hunk_all(const struct learn_window *window, const struct hunk *hunk, bool (*is)(unsigned char byte))
{
	for (int i = 0; i < 2; i++)
		for (size_t at = hunk->begin[i]; at < hunk->end[i]; at++)
			if (!is(window->bytes[i][at]))
				return false;
	return true;
}

static bool
is_binary(const struct learn_window *window, const struct hunk *hunk)
{
	const unsigned char *bytes = window->bytes[0];
	size_t begin = hunk->begin[0], end = hunk->end[0];
	bool left, right;

	if (!hunk_all(window, hunk, byte_is_text))
		return true;
	if (end - begin >= SHORT || end - begin != hunk->end[1] - hunk->begin[1])
		return false;
	left = begin > 0 && !byte_is_text(bytes[begin - 1]);
	right = end < window->size[0] && !byte_is_text(bytes[end]);
	return hunk_all(window, hunk, byte_is_digit) ? left && right : left || right;
}

/* Are the `size` bytes before the hunk, or behind it, the same in both streams, the outermost
 * `zeros` of them being zero? */
static bool
is_rest(const struct learn_window *window, const struct hunk *hunk, const size_t floor[2],
    bool before, size_t size, size_t zeros)
{
	for (size_t i = 1; i <= size; i++) {
		unsigned char bytes[2];
		for (int k = 0; k < 2; k++) {
			if (before ? hunk->begin[k] < floor[k] + i
				   : hunk->end[k] + i > window->size[k])
				return false;
			bytes[k] =
			    window->bytes[k][before ? hunk->begin[k] - i : hunk->end[k] + i - 1];
		}
		if (bytes[0] != bytes[1] || (i > size - zeros && bytes[0] != 0))
			return false;
	}
	return true;
}

/* The bytes at one of its ends belong to a number, whichever way round it is, if they are zeros
 * that make it as long as numbers are; of one byte also if the next greater one is not zero. */
static void
number_widen(const struct learn_window *window, struct hunk *hunk, const size_t floor[2])
{
	size_t size = hunk->end[0] - hunk->begin[0];
	size_t missing = (NUMBER_SIZE - size % NUMBER_SIZE) % NUMBER_SIZE;

	if (size != hunk->end[1] - hunk->begin[1])
		return;
	for (size_t zeros = missing; zeros + (size == 1) >= missing; zeros--) {
		if (is_rest(window, hunk, floor, true, missing, zeros)) {
			hunk->begin[0] -= missing;
			hunk->begin[1] -= missing;
			return;
		}
		if (is_rest(window, hunk, floor, false, missing, zeros)) {
			hunk->end[0] += missing;
			hunk->end[1] += missing;
			return;
		}
		if (zeros == 0)
			return;
	}
}

/* Have whole words in the hunk. */
static void
words_complete(const struct learn_window *window, struct hunk *hunk, const size_t floor[2])
{
	bool left = false, right = false;

	for (int i = 0; i < 2; i++)
		if (hunk->end[i] > hunk->begin[i]) {
			left |= byte_is_word(window->bytes[i][hunk->begin[i]]);
			right |= byte_is_word(window->bytes[i][hunk->end[i] - 1]);
		}
	for (int i = 0; i < 2; i++) {
		const unsigned char *bytes = window->bytes[i];
		while (left && hunk->begin[i] > floor[i] && byte_is_word(bytes[hunk->begin[i] - 1]))
			hunk->begin[i]--;
		while (right && hunk->end[i] < window->size[i] && byte_is_word(bytes[hunk->end[i]]))
			hunk->end[i]++;
	}
}

/* Leave out letters that are constant before or behind a number: "port8080", "12ms". */
static void
number_trim(const struct learn_window *window, struct hunk *hunk)
{
	const unsigned char *recorded = window->bytes[0], *live = window->bytes[1];
	struct hunk trimmed = *hunk;

	while (trimmed.begin[0] < trimmed.end[0] && trimmed.begin[1] < trimmed.end[1] &&
	       byte_is_letter(recorded[trimmed.begin[0]]) &&
	       recorded[trimmed.begin[0]] == live[trimmed.begin[1]]) {
		trimmed.begin[0]++;
		trimmed.begin[1]++;
	}
	while (trimmed.begin[0] < trimmed.end[0] && trimmed.begin[1] < trimmed.end[1] &&
	       byte_is_letter(recorded[trimmed.end[0] - 1]) &&
	       recorded[trimmed.end[0] - 1] == live[trimmed.end[1] - 1]) {
		trimmed.end[0]--;
		trimmed.end[1]--;
	}
	if (trimmed.begin[0] < trimmed.end[0] && trimmed.begin[1] < trimmed.end[1] &&
	    hunk_all(window, &trimmed, byte_is_digit))
		*hunk = trimmed;
}

/* Take the hunks that the piece reaches into; it ends with the last of them. */
static void
piece_absorb(struct piece *piece, const struct hunk *hunks, size_t count)
{
	for (; piece->next < count; piece->next++) {
		const struct hunk *hunk = &hunks[piece->next];
		if (hunk->begin[0] >= piece->extent.end[0] &&
		    hunk->begin[1] >= piece->extent.end[1])
			break;
		for (int i = 0; i < 2; i++)
			if (hunk->end[i] > piece->extent.end[i])
				piece->extent.end[i] = hunk->end[i];
	}
}

/* Take the known field that the piece's hunk is in, if it is. */
static bool
piece_recognise(const struct learn_window *window, const struct hunk *hunks, size_t count,
    const size_t floor[2], struct piece *piece)
{
	struct hunk hunk = piece->extent;
	size_t size;

	number_trim(window, &hunk);
	piece->known = known_find(window, &hunk, floor, &piece->extent);
	if (piece->known == NULL)
		return false;
	size = piece->known->size;
	piece_absorb(piece, hunks, count);
	return piece->extent.end[0] - piece->extent.begin[0] == size &&
	       piece->extent.end[1] - piece->extent.begin[1] == size;
}

struct piece
piece_find(const struct learn_window *window, const struct hunk *hunks, size_t count, size_t index,
    const size_t floor[2])
{
	const struct piece start = {hunks[index], NULL, false, index + 1};
	struct piece piece = start;

	if (piece_recognise(window, hunks, count, floor, &piece))
		return piece;
	piece = start;
	if (is_binary(window, &piece.extent))
		number_widen(window, &piece.extent, floor);
	else
		words_complete(window, &piece.extent, floor);
	piece_absorb(&piece, hunks, count);
	piece.binary = is_binary(window, &piece.extent);
	if (!piece.binary)
		number_trim(window, &piece.extent);
	return piece;
}
