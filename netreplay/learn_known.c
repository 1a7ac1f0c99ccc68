#include "netreplay/learn_known.h"

#define KNOWN(letters, anchored)                                                                   \
	{                                                                                          \
		letters, sizeof(letters) - 1, anchored                                             \
	}

/* Those that contain others come first. */
static const struct known all[] = {
    KNOWN("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", false), /* RFC 9562 */
    KNOWN("XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX", false),
    KNOWN("Aaa, 00 Aaa 0000 00:00:00", false), /* RFC 9110, 5322 */
    KNOWN("Aaa, 0 Aaa 0000 00:00:00", false),
    KNOWN("Aaa, 00-Aaa-0000 00:00:00", false),	   /* cookies */
    KNOWN("Aaa Aaa _0 00:00:00 0000", false),	   /* asctime(3) */
    KNOWN("00/Aaa/0000:00:00:00", false),	   /* access logs */
    KNOWN("0000-00-00T00:00:00.000000000", false), /* ISO 8601 */
    KNOWN("0000-00-00T00:00:00.000000", false), KNOWN("0000-00-00T00:00:00.000", false),
    KNOWN("0000-00-00T00:00:00", false), KNOWN("0000-00-00 00:00:00.000000000", false),
    KNOWN("0000-00-00 00:00:00.000000", false), KNOWN("0000-00-00 00:00:00.000", false),
    KNOWN("0000-00-00 00:00:00", false), KNOWN("00000000T000000", false),
    KNOWN("Aaa _0 00:00:00", false), /* syslog */
    KNOWN("0000-00-00", false), KNOWN("00:00:00.000000", false), KNOWN("00:00:00.000", false),
    KNOWN("00:00:00", false),
    KNOWN("K\0\0\0\014????????", true), /* PostgreSQL: BackendKeyData, process and secret key */
};

static bool
letter_fits(char letter, unsigned char byte)
{
	switch (letter) {
	case '?':
		return true;
	case '0':
		return byte_is_digit(byte);
	case 'a':
		return byte >= 'a' && byte <= 'z';
	case 'A':
		return byte >= 'A' && byte <= 'Z';
	case 'x':
		return byte_is_digit(byte) || (byte >= 'a' && byte <= 'f');
	case 'X':
		return byte_is_digit(byte) || (byte >= 'A' && byte <= 'F');
	case '_':
		return byte_is_digit(byte) || byte == ' ';
	default:
		return byte == (unsigned char)letter;
	}
}

/* Is the known field at `at`, and not part of a longer number or word there? */
static bool
fits_at(const struct known *known, const unsigned char *bytes, size_t size, size_t at)
{
	const char *letters = known->letters;
	size_t end = at + known->size;

	if (end > size)
		return false;
	for (size_t i = 0; i < known->size; i++)
		if (!letter_fits(letters[i], bytes[at + i]))
			return false;
	if (known->anchored)
		return true;
	if (at > 0 && byte_is_word(bytes[at - 1]))
		return false;
	return end == size || !byte_is_digit(bytes[end]);
}

static bool
known_covers(const struct known *known, const struct learn_window *window, const struct hunk *hunk,
    const size_t floor[2], size_t before)
{
	for (int i = 0; i < 2; i++)
		if (hunk->begin[i] < floor[i] + before ||
		    hunk->begin[i] - before + known->size < hunk->end[i] ||
		    !fits_at(known, window->bytes[i], window->size[i], hunk->begin[i] - before))
			return false;
	return true;
}

const struct known *
known_find(const struct learn_window *window, const struct hunk *hunk, const size_t floor[2],
    struct hunk *extent)
{
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		for (size_t before = 0; before < all[k].size; before++) {
			if (!known_covers(&all[k], window, hunk, floor, before))
				continue;
			for (int i = 0; i < 2; i++) {
				extent->begin[i] = hunk->begin[i] - before;
				extent->end[i] = extent->begin[i] + all[k].size;
			}
			return &all[k];
		}
	return NULL;
}
