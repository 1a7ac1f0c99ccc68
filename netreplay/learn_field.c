#include "netreplay/learn_field.h"

#include <string.h>

#include "netreplay/learn_anchor.h"
#include "netreplay/learn_piece.h"

#define ANCHOR_LEAST 2
#define TELLING_LEAST 3 /* bytes that are not zero, before binary data */
#define TOKEN_LEAST 10
#define NAMED_GAP 4 /* a constant text as long, with letters, names the field behind it */

bool
field_reader_init(struct field_reader *reader, const struct learn_window *window)
{
	int count = 0;

	*reader = (struct field_reader){.window = window};
	if (!window->cut)
		count = window_split(window, reader->hunks);
	if (count == -1)
		return false;
	reader->count = window->cut ? 1 : (size_t)count;
	return true;
}

static struct piece
next_piece(const struct field_reader *reader, const size_t floor[2])
{
	return piece_find(reader->window, reader->hunks, reader->count, reader->next, floor);
}

/* Does the constant text before the piece name it, so that it is a field of its own? */
static bool
is_named(
    const struct learn_window *window, const struct learn_field *field, const struct piece *piece)
{
	const unsigned char *bytes = window->bytes[0];
	bool letter = false;

	for (size_t at = field->end[0]; at < piece->extent.begin[0]; at++) {
		if (!byte_is_text(bytes[at]))
			return false;
		letter |= byte_is_letter(bytes[at]);
	}
	return letter && piece->extent.begin[0] - field->end[0] >= NAMED_GAP;
}

/* Add what is constant between the field so far and the piece: numbers in it may vary too. */
static bool
gap_add(const struct learn_window *window, struct learn_field *field, const struct piece *piece)
{
	const unsigned char *bytes = window->bytes[0];
	size_t at = field->end[0], end = piece->extent.begin[0];

	while (at < end) {
		size_t run = 0;
		while (!piece->binary && at + run < end && byte_is_digit(bytes[at + run]))
			run++;
		if (run > 0) {
			const unsigned char *const both[2] = {bytes + at, bytes + at};
			if (!shape_add_run(&field->shape, both, (size_t[]){run, run}, -1))
				return false;
			at += run;
		} else if (!shape_add_byte(&field->shape, bytes[at++])) {
			return false;
		}
	}
	return true;
}

static bool
run_add(const struct learn_window *window, struct shape *shape, const size_t begin[2],
    const size_t end[2])
{
	const unsigned char *const bytes[2] = {
	    window->bytes[0] + begin[0], window->bytes[1] + begin[1]};
	const size_t size[2] = {end[0] - begin[0], end[1] - begin[1]};
	int follow = -1;

	if (end[0] < window->size[0] && end[1] < window->size[1] &&
	    window->bytes[0][end[0]] == window->bytes[1][end[1]])
		follow = window->bytes[0][end[0]];
	return shape_add_run(shape, bytes, size, follow);
}

static const char *
piece_add(const struct learn_window *window, struct learn_field *field, const struct piece *piece)
{
	const struct hunk *extent = &piece->extent;
	bool added;

	for (int i = 0; i < 2 && !piece->binary; i++)
		if (memchr(window->bytes[i] + extent->begin[i], '\n',
			extent->end[i] - extent->begin[i]) != NULL &&
		    piece->known == NULL)
			return "whole lines differ";
	if (piece->known != NULL) {
		added = shape_add_known(&field->shape, piece->known->letters, piece->known->size);
	} else if (piece->binary) {
		if (extent->end[0] - extent->begin[0] != extent->end[1] - extent->begin[1])
			return "binary data differs in length";
		added = shape_add_any(&field->shape, extent->end[0] - extent->begin[0]);
	} else {
		added = run_add(window, &field->shape, extent->begin, extent->end);
	}
	return added ? NULL : "too many pieces differ";
}

/* Is all of it one token, such as base64, in which some bytes are equal by chance? */
static bool
field_is_token(const struct learn_window *window, const struct learn_field *field)
{
	const struct hunk all = {
	    {field->begin[0], field->begin[1]}, {field->end[0], field->end[1]}};
	bool letter = false;

	for (size_t at = all.begin[0]; at < all.end[0]; at++)
		letter |= byte_is_letter(window->bytes[0][at]);
	return letter && all.end[0] - all.begin[0] >= TOKEN_LEAST &&
	       hunk_all(window, &all, byte_is_token);
}

/* What was learned from fewer bytes than differ: one long token, whatever it is made of. */
static void
field_cut(const struct learn_window *window, struct learn_field *field)
{
	struct hunk all = {{window->begin[0], window->begin[1]}, {window->end[0], window->end[1]}};

	for (int i = 0; i < 2; i++)
		while (all.begin[i] > 0 && byte_is_token(window->bytes[i][all.begin[i] - 1]))
			all.begin[i]--;
	memcpy(field->begin, all.begin, sizeof(field->begin));
	memcpy(field->end, all.end, sizeof(field->end));
	if (!hunk_all(window, &all, byte_is_token) ||
	    !run_add(window, &field->shape, field->begin, field->end)) {
		field->wrong = "too much differs";
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct shape_part *run = &field->shape.parts[0];
		size_t size = all.end[i] - all.begin[i];
		size += window->unseen[i] < SIZE_MAX / 2 ? (size_t)window->unseen[i] : SIZE_MAX / 2;
		if (size > run->most)
			run->most = size;
		if (i == 0 || size < run->least)
			run->least = size;
	}
}

/* Do the constant bytes before a binary field say enough to find it again? */
static bool
is_telling(const unsigned char *anchor, size_t size)
{
	size_t telling = 0;

	for (size_t i = 0; i < size; i++)
		telling += anchor[i] != 0;
	return telling >= TELLING_LEAST;
}

/* Would a mask hide more than a value that varies? */
static const char *
field_doubt(const struct learn_window *window, const struct learn_field *field)
{
	const unsigned char *before = window->bytes[0] + field->begin[0];
	bool empty = field->begin[0] == field->end[0] || field->begin[1] == field->end[1];

	if (field->anchor < ANCHOR_LEAST && !field->first)
		return "nothing constant stands before it";
	if (!field->first && field->shape.parts[0].any &&
	    !is_telling(before - field->anchor, field->anchor))
		return "too little that is constant stands before it";
	if (empty && (field->anchor == 0 || byte_is_word(before[-1]) || before[-1] == '\n'))
		return field->begin[0] == field->end[0] ? "the live answer has more"
							: "the live answer has less";
	if (field->anchor >= 9 && memcmp(before - 9, "HTTP/1.", 7) == 0)
		return "the status of the answer differs";
	return NULL;
}

/* Put together the pieces that belong to the next field. Returns whether it needs constant text
 * before it. */
static bool
field_join(struct field_reader *reader, struct learn_field *field)
{
	const struct learn_window *window = reader->window;
	struct piece piece = next_piece(reader, reader->floor);
	bool anchored = piece.known != NULL && piece.known->anchored, token = true;

	memcpy(field->begin, piece.extent.begin, sizeof(field->begin));
	for (;;) {
		token &= piece.known == NULL && !piece.binary;
		if (field->wrong == NULL)
			field->wrong = piece_add(window, field, &piece);
		memcpy(field->end, piece.extent.end, sizeof(field->end));
		reader->next = piece.next;
		if (reader->next == reader->count)
			break;
		piece = next_piece(reader, field->end);
		if (is_named(window, field, &piece))
			break;
		if (field->wrong == NULL && !gap_add(window, field, &piece))
			field->wrong = "too many pieces differ";
	}
	if (token && field->wrong == NULL && field->shape.count > 1 &&
	    field_is_token(window, field)) {
		for (int i = 0; i < 2; i++) /* what fills up base64 */
			while (field->end[i] < window->size[i] &&
			       window->bytes[i][field->end[i]] == '=')
				field->end[i]++;
		field->shape.count = 0;
		run_add(window, &field->shape, field->begin, field->end);
	}
	return !anchored;
}

bool
field_next(struct field_reader *reader, struct learn_field *field)
{
	const struct learn_window *window = reader->window;
	bool wants_anchor = true;

	if (reader->next == reader->count)
		return false;
	memset(field, 0, sizeof(*field));
	if (window->cut) {
		field_cut(window, field);
		reader->next = reader->count;
	} else {
		wants_anchor = field_join(reader, field);
	}
	if (wants_anchor) {
		field->anchor = anchor_find(window, field->begin, reader->floor, &field->first);
		if (field->wrong == NULL)
			field->wrong = field_doubt(window, field);
	}
	memcpy(reader->floor, field->end, sizeof(reader->floor));
	return true;
}
