#include "format/index.h"

#include <string.h>

#include "format/digits.h"
#include "format/json.h"
#include "format/record.h"

#define NANOSECONDS_DECIMALS 9

/* A line being written; `full` once something did not fit. */
struct line {
	char *text;
	size_t size;
	size_t length;
	bool full;
};

static void
line_bytes(struct line *line, const char *text, size_t length)
{
	if (length >= line->size - line->length) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

static void
line_raw(struct line *line, const char *text)
{
	line_bytes(line, text, strlen(text));
}

static void
line_name(struct line *line, const char *name)
{
	line_raw(line, ",\"");
	line_raw(line, name);
	line_raw(line, "\":");
}

static void
line_number(struct line *line, const char *name, uint64_t number)
{
	char digits[20];

	line_name(line, name);
	line_bytes(line, digits, (size_t)(digits_put(digits, number) - digits));
}

static void
line_seconds(struct line *line, const char *name, int64_t nanoseconds)
{
	uint64_t microseconds =
	    (nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds) / 1000;
	char digits[32], *at = digits;

	if (nanoseconds < 0 && microseconds > 0)
		*at++ = '-';
	at = digits_put(at, microseconds / 1000000);
	*at++ = '.';
	at = digits_put_fixed(at, microseconds % 1000000, 6);
	line_name(line, name);
	line_bytes(line, digits, (size_t)(at - digits));
}

static void
line_string(struct line *line, const char *name, const char *text)
{
	size_t length;

	line_name(line, name);
	length = json_string_encode(text, line->text + line->length, line->size - line->length);
	if (length == 0)
		line->full = true;
	line->length += length;
}

static void
line_gap(struct line *line, const struct index_entry *entry)
{
	if (entry->gap_size == 0)
		return;
	line_string(line, "gap_side", (char[]){side_letter(entry->gap_side), '\0'});
	line_number(line, "gap_offset", entry->gap_offset);
	line_number(line, "gap_size", entry->gap_size);
}

size_t
index_encode(const struct index_entry *entry, char *text, size_t size)
{
	struct line line = {.text = text, .size = size};
	char start[INDEX_TIME_MAX];

	line_raw(&line, entry->closed ? "{\"event\":\"close\"" : "{\"event\":\"open\"");
	line_number(&line, "n", entry->n);
	line_string(&line, "log", entry->log);
	line_string(&line, "run", entry->run);
	if (entry->start == 0) {
		line_raw(&line, ",\"start\":null");
	} else {
		index_time_format(entry->start, start);
		line_string(&line, "start", start);
	}
	line_seconds(&line, "time", entry->time);
	line_string(&line, "client", entry->client);
	line_string(&line, "server", entry->server);
	if (entry->scripted)
		line_raw(&line, ",\"scripted\":true");
	if (entry->midway)
		line_raw(&line, ",\"midway\":true");
	if (entry->closed) {
		line_seconds(&line, "duration", entry->duration);
		if (entry->connect < 0)
			line_raw(&line, ",\"connect\":null");
		else
			line_seconds(&line, "connect", entry->connect);
		line_number(&line, "client_bytes", entry->bytes[SIDE_CLIENT]);
		line_number(&line, "server_bytes", entry->bytes[SIDE_SERVER]);
		line_string(&line, "end", entry->end);
		line_number(&line, "lost", entry->lost);
		line_gap(&line, entry);
	}
	line_raw(&line, "}\n");
	if (line.full)
		return 0;
	text[line.length] = '\0';
	return line.length;
}

static int
decode_event(const struct json_value *value, struct index_entry *entry)
{
	char text[8];

	if (json_string_decode(value, text, sizeof(text)) != 0)
		return -1;
	entry->closed = strcmp(text, "close") == 0;
	return entry->closed || strcmp(text, "open") == 0 ? 0 : -1;
}

static int
decode_bool(const struct json_value *value, bool *truth)
{
	*truth = value->type == JSON_TRUE;
	return *truth || value->type == JSON_FALSE ? 0 : -1;
}

static int
decode_side(const struct json_value *value, enum side *side)
{
	char text[2];

	if (json_string_decode(value, text, sizeof(text)) != 0)
		return -1;
	*side = text[0] == side_letter(SIDE_SERVER) ? SIDE_SERVER : SIDE_CLIENT;
	return text[0] == side_letter(*side) ? 0 : -1;
}

static int
decode_start(const struct json_value *value, struct index_entry *entry)
{
	char text[INDEX_TIME_MAX];

	if (json_string_decode(value, text, sizeof(text)) != 0)
		return -1;
	return index_time_parse(text, &entry->start);
}

static int
decode_member(const char *name, const struct json_value *value, struct index_entry *entry)
{
	const struct {
		const char *name;
		char *text;
		size_t size;
	} strings[] = {{"log", entry->log, sizeof(entry->log)},
	    {"run", entry->run, sizeof(entry->run)},
	    {"client", entry->client, sizeof(entry->client)},
	    {"server", entry->server, sizeof(entry->server)},
	    {"end", entry->end, sizeof(entry->end)}};
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {{"n", &entry->n}, {"client_bytes", &entry->bytes[SIDE_CLIENT]},
	    {"server_bytes", &entry->bytes[SIDE_SERVER]}, {"lost", &entry->lost},
	    {"gap_offset", &entry->gap_offset}, {"gap_size", &entry->gap_size}};
	const struct {
		const char *name;
		int64_t *time;
	} times[] = {
	    {"time", &entry->time}, {"duration", &entry->duration}, {"connect", &entry->connect}};

	if (value->type == JSON_NULL) /* as good as absent */
		return 0;
	if (strcmp(name, "event") == 0)
		return decode_event(value, entry);
	if (strcmp(name, "start") == 0)
		return decode_start(value, entry);
	if (strcmp(name, "scripted") == 0)
		return decode_bool(value, &entry->scripted);
	if (strcmp(name, "midway") == 0)
		return decode_bool(value, &entry->midway);
	if (strcmp(name, "gap_side") == 0)
		return decode_side(value, &entry->gap_side);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (strcmp(name, strings[i].name) == 0)
			return json_string_decode(value, strings[i].text, strings[i].size);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0)
			return json_unsigned_decode(value, numbers[i].number);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (strcmp(name, times[i].name) == 0)
			return json_number_decode(value, NANOSECONDS_DECIMALS, times[i].time);
	return 0;
}

int
index_decode(const char *line, size_t length, struct index_entry *entry)
{
	struct json_scanner scanner;
	struct json_value key, value;
	bool event = false;
	int more;

	memset(entry, 0, sizeof(*entry));
	entry->connect = -1;
	json_scanner_init(&scanner, line, length);
	while ((more = json_scanner_next(&scanner, &key, &value)) > 0) {
		char name[32];
		if (json_string_decode(&key, name, sizeof(name)) != 0)
			continue; /* longer than any that is known */
		if (decode_member(name, &value, entry) != 0)
			return -1;
		event |= strcmp(name, "event") == 0 && value.type == JSON_STRING;
	}
	return more == 0 && event && entry->n > 0 ? 0 : -1;
}
