#include "netreplay/learn_window.h"

#include <stdlib.h>
#include <string.h>

#define BINARY_SHARE 4
#define GAP 3 /* so many equal bytes between binary ones that differ are equal by chance */

bool
byte_is_digit(unsigned char byte)
{
	return byte >= '0' && byte <= '9';
}

bool
byte_is_letter(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

bool
byte_is_word(unsigned char byte)
{
	return byte_is_digit(byte) || byte_is_letter(byte);
}

bool
byte_is_token(unsigned char byte)
{
	return byte_is_word(byte) || (byte != '\0' && strchr("+/=._~-", byte) != NULL);
}

bool
byte_is_text(unsigned char byte)
{
	return (byte >= ' ' && byte <= '~') || byte == '\t' || byte == '\r' || byte == '\n';
}

static void
window_append(struct learn_window *window, int stream, const unsigned char *bytes, size_t size)
{
	if (size > WINDOW_MAX - window->size[stream])
		size = WINDOW_MAX - window->size[stream];
	if (size > 0)
		memcpy(window->bytes[stream] + window->size[stream], bytes, size);
	window->size[stream] += size;
}

void
window_init(struct learn_window *window, const struct align_difference *difference)
{
	*window = (struct learn_window){.size = {0}};
	for (int i = 0; i < 2; i++) {
		window_append(window, i, difference->before[i], difference->before_size[i]);
		window->offset[i] = difference->offset[i] - window->size[i];
		window->begin[i] = window->size[i];
		window_append(window, i, difference->bytes[i], difference->shown[i]);
		window->end[i] = window->size[i];
		window->unseen[i] = difference->size[i] - difference->shown[i];
		window->cut |= window->unseen[i] > 0;
	}
	for (int i = 0; i < 2 && !window->cut; i++)
		window_append(window, i, difference->after[i], difference->after_size[i]);
}

/* How many bytes of the difference are none of text. */
static size_t
binary_count(const struct learn_window *window)
{
	size_t count = 0;

	for (int i = 0; i < 2; i++)
		for (size_t at = window->begin[i]; at < window->end[i]; at++)
			count += !byte_is_text(window->bytes[i][at]);
	return count;
}

bool
window_is_binary(const struct learn_window *window)
{
	return binary_count(window) > 0;
}

/* -- binary data of equal length: byte by byte -- */

static int
split_bytes(const struct learn_window *window, size_t end, struct hunk *hunks)
{
	const unsigned char *recorded = window->bytes[0], *live = window->bytes[1];
	size_t shift = window->begin[1] - window->begin[0]; /* may wrap, and wraps back */
	int count = 0;

	for (size_t at = window->begin[0]; at < end; at++) {
		if (!window->varies[at] && recorded[at] == live[at + shift])
			continue;
		if (count == 0 || at - hunks[count - 1].end[0] > GAP) {
			if (count == HUNKS_MAX)
				return -1;
			hunks[count].begin[0] = at;
			hunks[count++].begin[1] = at + shift;
		}
		hunks[count - 1].end[0] = at + 1;
		hunks[count - 1].end[1] = at + 1 + shift;
	}
	return count;
}

/* -- text, and what has changed its length: the longest common subsequence of its words -- */

struct words {
	size_t count;
	size_t begin[WINDOW_MAX + 1]; /* one more for the end */
};

/* Cut into words and single other bytes what differs, with the whole of the words at its ends. */
static void
words_cut(const struct learn_window *window, int stream, const struct hunk *all, bool left,
    bool right, struct words *words)
{
	const unsigned char *bytes = window->bytes[stream];
	size_t at = all->begin[stream], end = all->end[stream];

	while (left && at > 0 && byte_is_word(bytes[at - 1]))
		at--;
	while (right && end < window->size[stream] && byte_is_word(bytes[end]))
		end++;
	words->count = 0;
	while (at < end) {
		words->begin[words->count++] = at;
		if (!byte_is_word(bytes[at++]))
			continue;
		while (at < end && byte_is_word(bytes[at]))
			at++;
	}
	words->begin[words->count] = end;
}

static bool
words_equal(const struct learn_window *window, const struct words words[2], size_t i, size_t j)
{
	size_t size = words[0].begin[i + 1] - words[0].begin[i];

	return size == words[1].begin[j + 1] - words[1].begin[j] &&
	       memcmp(window->bytes[0] + words[0].begin[i], window->bytes[1] + words[1].begin[j],
		   size) == 0;
}

/* lengths[i][j]: how many bytes of the words from i and j on are common to both. */
typedef uint16_t common_table[WINDOW_MAX + 1][WINDOW_MAX + 1];

static void
common_fill(const struct learn_window *window, const struct words words[2], common_table lengths)
{
	for (size_t i = 0; i <= words[0].count; i++)
		lengths[i][words[1].count] = 0;
	for (size_t j = 0; j <= words[1].count; j++)
		lengths[words[0].count][j] = 0;
	for (size_t i = words[0].count; i-- > 0;)
		for (size_t j = words[1].count; j-- > 0;) {
			uint16_t down = lengths[i + 1][j], right = lengths[i][j + 1];
			lengths[i][j] = down > right ? down : right;
			if (words_equal(window, words, i, j)) {
				size_t size = words[0].begin[i + 1] - words[0].begin[i];
				uint16_t both = (uint16_t)(lengths[i + 1][j + 1] + size);
				if (both > lengths[i][j])
					lengths[i][j] = both;
			}
		}
}

/* The hunk goes on to the words i and j; begin it if the last one ended before. */
static int
hunk_extend(struct hunk *hunks, int count, const struct words words[2], const size_t from[2],
    const size_t to[2])
{
	struct hunk *hunk;

	if (count == 0 || hunks[count - 1].end[0] != words[0].begin[from[0]] ||
	    hunks[count - 1].end[1] != words[1].begin[from[1]]) {
		if (count == HUNKS_MAX)
			return -1;
		hunks[count].begin[0] = words[0].begin[from[0]];
		hunks[count++].begin[1] = words[1].begin[from[1]];
	}
	hunk = &hunks[count - 1];
	hunk->end[0] = words[0].begin[to[0]];
	hunk->end[1] = words[1].begin[to[1]];
	return count;
}

static int
common_walk(const struct learn_window *window, const struct words words[2], common_table lengths,
    struct hunk *hunks, int count)
{
	size_t at[2] = {0, 0};

	while (at[0] < words[0].count || at[1] < words[1].count) {
		size_t next[2] = {at[0], at[1]};
		if (at[0] < words[0].count && at[1] < words[1].count &&
		    words_equal(window, words, at[0], at[1])) {
			at[0]++;
			at[1]++;
			continue;
		}
		/* what is kept by leaving out a word of one of them is what both have in common */
		if (at[1] == words[1].count ||
		    (at[0] < words[0].count &&
			lengths[at[0] + 1][at[1]] >= lengths[at[0]][at[1] + 1]))
			next[0]++;
		else
			next[1]++;
		count = hunk_extend(hunks, count, words, at, next);
		if (count == -1)
			return -1;
		memcpy(at, next, sizeof(at));
	}
	return count;
}

/* Split the bytes of `all`; in front of it, nothing else was split. */
static int
split_words(const struct learn_window *window, const struct hunk *all, bool first,
    struct hunk *hunks, int count)
{
	struct words *words = calloc(2, sizeof(*words));
	uint16_t(*lengths)[WINDOW_MAX + 1] = malloc(sizeof(common_table));
	bool left = false, right = false;

	if (words == NULL || lengths == NULL) {
		count = -1;
		goto out;
	}
	for (int i = 0; i < 2; i++)
		if (all->end[i] > all->begin[i]) {
			left |= first && byte_is_word(window->bytes[i][all->begin[i]]);
			right |= byte_is_word(window->bytes[i][all->end[i] - 1]);
		}
	words_cut(window, 0, all, left, right, &words[0]);
	words_cut(window, 1, all, left, right, &words[1]);
	common_fill(window, words, lengths);
	count = common_walk(window, words, lengths, hunks, count);
out:
	free(words);
	free(lengths);
	return count;
}

/* All of the token that the difference is in. */
static int
split_token(const struct learn_window *window, struct hunk *hunks)
{
	for (int i = 0; i < 2; i++) {
		size_t begin = window->begin[i], end = window->end[i];
		while (begin > 0 && byte_is_token(window->bytes[i][begin - 1]))
			begin--;
		while (end < window->size[i] && byte_is_token(window->bytes[i][end]))
			end++;
		hunks[0].begin[i] = begin;
		hunks[0].end[i] = end;
	}
	return 1;
}

int
window_split(const struct learn_window *window, struct hunk hunks[HUNKS_MAX])
{
	struct hunk rest = {{window->begin[0], window->begin[1]}, {window->end[0], window->end[1]}};
	size_t size = rest.end[0] - rest.begin[0], binary = binary_count(window);
	size_t fixed = window->fixed;
	int count;

	if (window->token && binary == 0)
		return split_token(window, hunks);
	if (fixed > rest.begin[0] && fixed - rest.begin[0] > window->size[1] - rest.begin[1])
		fixed = 0;
	/* text of equal length, with a few bytes between that are none, goes by its words */
	if (size == rest.end[1] - rest.begin[1] && binary * BINARY_SHARE > size)
		return split_bytes(window, fixed > rest.end[0] ? fixed : rest.end[0], hunks);
	if (fixed <= rest.begin[0])
		return split_words(window, &rest, true, hunks, 0);
	count = split_bytes(window, fixed, hunks);
	rest.begin[1] += fixed - rest.begin[0];
	rest.begin[0] = fixed;
	if (count == -1 || rest.begin[0] >= rest.end[0] || rest.begin[1] >= rest.end[1])
		return count;
	return split_words(window, &rest, false, hunks, count);
}
