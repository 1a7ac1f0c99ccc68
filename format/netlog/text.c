#define LIBBSD_OPENBSD_VIS 1 /* vis.h warns unless told which strnvis(3); none is used here */
#include "format/netlog/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vis.h>

#include "format/json.h"

#define NAME_BUFFERS 4
#define NAME_LONGEST 511
#define BYTE_TEXT_MAX 5
#define NANOSECONDS_PER_SECOND 1000000000

const char *
text_name(const char *name)
{
	static char buffers[NAME_BUFFERS][4 * NAME_LONGEST + 1];
	static size_t next;
	char *buffer = buffers[next++ % NAME_BUFFERS];

	strvisx(buffer, name, strnlen(name, NAME_LONGEST),
	    VIS_CSTYLE | VIS_TAB | VIS_NL | VIS_NOLOCALE);
	return buffer;
}

static void
byte_format(unsigned char byte, char text[BYTE_TEXT_MAX])
{
	static const char letters[] = "\a\b\f\r\v\\";
	const char *found = byte != '\0' ? strchr(letters, byte) : NULL;

	if (found != NULL) {
		text[0] = '\\';
		text[1] = "abfrv\\"[found - letters];
		text[2] = '\0';
	} else if (byte == '\n' || byte == '\t' || (byte >= ' ' && byte < 0x7f)) {
		text[0] = (char)byte;
		text[1] = '\0';
	} else {
		snprintf(text, BYTE_TEXT_MAX, "\\x%02x", byte);
	}
}

const char *
text_byte(unsigned char byte)
{
	static char table[256][BYTE_TEXT_MAX];

	if (table['a'][0] == '\0') {
		for (unsigned i = 0; i < 256; i++)
			byte_format((unsigned char)i, table[i]);
	}
	return table[byte];
}

char *
text_seconds(int64_t nanoseconds, char text[TEXT_TIME_MAX])
{
	uint64_t magnitude = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;

	snprintf(text, TEXT_TIME_MAX, "%s%llu.%06llu", nanoseconds < 0 ? "-" : "",
	    (unsigned long long)(magnitude / NANOSECONDS_PER_SECOND),
	    (unsigned long long)(magnitude % NANOSECONDS_PER_SECOND / 1000));
	return text;
}

char *
text_wall(int64_t epoch, int decimals, char text[TEXT_TIME_MAX])
{
	int64_t rest = epoch % NANOSECONDS_PER_SECOND;
	time_t seconds = (time_t)(epoch / NANOSECONDS_PER_SECOND);
	struct tm local;
	size_t length = 0;

	if (rest < 0) {
		rest += NANOSECONDS_PER_SECOND;
		seconds--;
	}
	if (localtime_r(&seconds, &local) != NULL)
		length = strftime(text, TEXT_TIME_MAX, "%Y-%m-%d %H:%M:%S", &local);
	if (length == 0)
		snprintf(text, TEXT_TIME_MAX, "?");
	else if (decimals == 3)
		snprintf(text + length, TEXT_TIME_MAX - length, ".%03d", (int)(rest / 1000000));
	else
		snprintf(text + length, TEXT_TIME_MAX - length, ".%06d", (int)(rest / 1000));
	return text;
}

/* The code point at `*text`, which is UTF-8 as json_string_encode() writes it; `*text` is moved
 * behind it. */
static uint32_t
utf8_decode(const char **text)
{
	unsigned char first = (unsigned char)*(*text)++;
	uint32_t code = first;
	int rest = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;

	if (rest > 0)
		code = first & (0x3fu >> rest);
	while (rest-- > 0)
		code = code << 6 | ((unsigned char)*(*text)++ & 0x3fu);
	return code;
}

/* JSON text in ASCII alone: a terminal obeys some control characters (U+0080 to U+009F) in UTF-8
 * too. And without '<', so that it ends no element of HTML. */
static void
ascii_encode(const char *json, char *text)
{
	while (*json != '\0') {
		uint32_t code = utf8_decode(&json);
		if (code < 0x7f && code != '<')
			*text++ = (char)code;
		else if (code < 0x10000)
			text += sprintf(text, "\\u%04x", code);
		else
			text += sprintf(
			    text, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
	}
	*text = '\0';
}

char *
text_json(const char *text)
{
	size_t size = 6 * strlen(text) + 3;
	char *json = malloc(size), *ascii = malloc(6 * size);

	if (json != NULL && ascii != NULL) {
		json_string_encode(text, json, size);
		ascii_encode(json, ascii);
	} else {
		free(ascii);
		ascii = NULL;
	}
	free(json);
	return ascii;
}
