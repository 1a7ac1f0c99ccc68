#include "format/record.h"

#include <string.h>

#include "format/digits.h"

#define NANOSECONDS_PER_SECOND 1000000000
#define NANOSECONDS_PER_MICROSECOND 1000
#define MICROSECONDS_PER_SECOND 1000000
#define SECONDS_MOST (INT64_MAX / NANOSECONDS_PER_SECOND)

/* What is left to be read of a header. */
struct cursor {
	const char *at;
	const char *end;
};

char
side_letter(enum side side)
{
	return side == SIDE_CLIENT ? 'c' : 's';
}

const char *
record_type_name(enum record_type type)
{
	switch (type) {
	case RECORD_CON:
		return "con";
	case RECORD_HUP:
		return "hup";
	case RECORD_ERR:
		return "err";
	case RECORD_DATA:
		break;
	}
	return "data";
}

static char *
encode_time(char *at, int64_t time)
{
	const int64_t least = -SECONDS_MOST * NANOSECONDS_PER_SECOND; /* that can be read back */
	int64_t seconds, rest;

	if (time < least)
		time = least;
	seconds = time / NANOSECONDS_PER_SECOND;
	rest = time % NANOSECONDS_PER_SECOND;
	/* the fraction counts upwards from the integer, which carries the sign alone: see
	 * record_decode() */
	if (rest < 0) {
		rest += NANOSECONDS_PER_SECOND;
		seconds--;
	}
	if (seconds < 0)
		*at++ = '-';
	at = digits_put(at, (uint64_t)(seconds < 0 ? -seconds : seconds));
	*at++ = '.';
	return digits_put_fixed(at, (uint64_t)(rest / NANOSECONDS_PER_MICROSECOND), 6);
}

size_t
record_encode(const struct record *record, char header[RECORD_HEADER_MAX])
{
	char *at = header;

	*at++ = side_letter(record->side);
	*at++ = ' ';
	at = encode_time(at, record->time);
	*at++ = ' ';
	if (record->type == RECORD_DATA) {
		at = digits_put(at, record->size);
	} else {
		memcpy(at, record_type_name(record->type), 3);
		at += 3;
	}
	*at++ = '\n';
	return (size_t)(at - header);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
take(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* Read the digits that follow, at least one. Returns how many, 0 if there is none, -1 if the number
 * exceeds `most`. */
static int
decode_digits(struct cursor *cursor, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;
	int count = 0;

	while (cursor->at < cursor->end && is_digit(*cursor->at)) {
		uint64_t digit = (uint64_t)(*cursor->at - '0');
		if (value > (most - digit) / 10)
			return -1;
		value = value * 10 + digit;
		cursor->at++;
		count++;
	}
	*number = value;
	return count;
}

static const char *
decode_time(struct cursor *cursor, int64_t *time)
{
	bool negative = take(cursor, '-');
	uint64_t seconds, microseconds;
	const char *fraction;
	int64_t whole;
	int count = decode_digits(cursor, (uint64_t)SECONDS_MOST, &seconds);

	if (count < 0)
		return "time too large";
	if (count == 0 || !take(cursor, '.'))
		return "no time where one belongs";
	fraction = cursor->at;
	count = decode_digits(cursor, 10 * MICROSECONDS_PER_SECOND - 1, &microseconds);
	/* the seventh digit is the carry that the program of 2010 forgot */
	if (count != 6 && (count != 7 || *fraction == '0'))
		return "the time's fraction is not 6 digits long";
	whole = (int64_t)seconds;
	if (__builtin_add_overflow((negative ? -whole : whole) * NANOSECONDS_PER_SECOND,
		(int64_t)microseconds * NANOSECONDS_PER_MICROSECOND, time))
		return "time too large";
	return NULL;
}

static const char *
decode_type(struct cursor *cursor, struct record *record)
{
	static const enum record_type types[] = {RECORD_CON, RECORD_HUP, RECORD_ERR};
	size_t length = (size_t)(cursor->end - cursor->at);

	record->size = 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (length == 3 && memcmp(cursor->at, record_type_name(types[i]), 3) == 0) {
			record->type = types[i];
			if (record->type == RECORD_CON && record->side == SIDE_SERVER)
				return "\"con\" is the client's, not the server's";
			return NULL;
		}
	}
	record->type = RECORD_DATA;
	switch (decode_digits(cursor, UINT64_MAX, &record->size)) {
	case -1:
		return "length too large";
	case 0:
		return "neither a length nor \"con\", \"hup\" or \"err\"";
	default:
		return cursor->at == cursor->end ? NULL : "something follows the length";
	}
}

const char *
record_decode(const char *header, size_t length, struct record *record)
{
	struct cursor cursor = {header, header + length};
	const char *wrong;

	if (take(&cursor, 'c'))
		record->side = SIDE_CLIENT;
	else if (take(&cursor, 's'))
		record->side = SIDE_SERVER;
	else
		return "neither \"c\" nor \"s\" at its beginning";
	if (!take(&cursor, ' '))
		return "no space after the side";
	wrong = decode_time(&cursor, &record->time);
	if (wrong != NULL)
		return wrong;
	if (!take(&cursor, ' '))
		return "no space after the time";
	return decode_type(&cursor, record);
}

bool
record_begins(const char *header, size_t length)
{
	/* what may be missing at the end of a header, from little to much */
	static const char rests[][12] = {"", "n", "on", "p", "up", "r", "rr", "0", " 0", "0 0",
	    "00 0", "000 0", "0000 0", "00000 0", "000000 0", ".000000 0", "0.000000 0",
	    " 0.000000 0"};
	char whole[RECORD_HEADER_MAX + sizeof(rests[0])];
	struct record record;

	if (length == 0 || length > RECORD_HEADER_MAX)
		return length == 0;
	memcpy(whole, header, length);
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		memcpy(whole + length, rests[i], sizeof(rests[i]));
		if (record_decode(whole, length + strlen(rests[i]), &record) == NULL)
			return true;
	}
	return false;
}
