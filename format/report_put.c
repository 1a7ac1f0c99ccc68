/* The pieces of which reports are made. */
#include <string.h>

#include "format/report_private.h"

#define SECOND UINT64_C(1000000000)

const char *
report_result_name(enum report_result result)
{
	static const char *const names[] = {[REPORT_EQUAL] = "equal",
	    [REPORT_DIFFERENT] = "different",
	    [REPORT_FAILED] = "failed",
	    [REPORT_SKIPPED] = "skipped"};

	return names[result];
}

char *
report_count(uint64_t count, const char *noun, char text[REPORT_COUNT_MAX])
{
	snprintf(text, REPORT_COUNT_MAX, "%llu %s%s", (unsigned long long)count, noun,
	    count == 1 ? "" : "s");
	return text;
}

size_t
report_byte(unsigned char byte, char text[REPORT_BYTE_MAX])
{
	static const char hex[] = "0123456789abcdef", letters[] = "\a\b\f\n\r\t\v\\";
	const char *found = byte != '\0' ? strchr(letters, byte) : NULL;
	size_t length = 0;

	if (found != NULL) {
		text[length++] = '\\';
		text[length++] = "abfnrtv\\"[found - letters];
	} else if (byte >= ' ' && byte < 0x7f) {
		text[length++] = (char)byte;
	} else {
		memcpy(text, "\\x", 2);
		text[2] = hex[byte >> 4];
		text[3] = hex[byte & 15];
		length = 4;
	}
	text[length] = '\0';
	return length;
}

void
report_put_bytes(FILE *stream, const unsigned char *bytes, size_t size)
{
	char text[REPORT_BYTE_MAX];

	for (size_t i = 0; i < size; i++)
		fwrite(text, 1, report_byte(bytes[i], text), stream);
}

void
report_put_text(FILE *stream, const char *text)
{
	char visible[REPORT_BYTE_MAX];

	for (; *text != '\0'; text++) {
		if (*text == '\\')
			putc(*text, stream);
		else
			fwrite(visible, 1, report_byte((unsigned char)*text, visible), stream);
	}
}

void
report_put_seconds(FILE *stream, int64_t nanoseconds)
{
	uint64_t magnitude = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;

	fprintf(stream, "%s%llu.%09llu", nanoseconds < 0 ? "-" : "",
	    (unsigned long long)(magnitude / SECOND), (unsigned long long)(magnitude % SECOND));
}

void
report_put_outcome(struct report *report, FILE *stream, const struct report_connection *connection)
{
	char differences[REPORT_COUNT_MAX], bytes[REPORT_COUNT_MAX];

	fputs(report_result_name(connection->result), stream);
	if (connection->differences > 0)
		fprintf(stream, ": %s in %s",
		    report_count(connection->differences, "difference", differences),
		    report_count(connection->compared, "byte", bytes));
	if (connection->differences > report->config.show)
		fprintf(stream, " (the first %u are shown)", report->config.show);
	if (connection->reason != NULL) {
		fputs(": ", stream);
		report_put_text(stream, connection->reason);
	}
}

void
report_put_place(struct report *report, FILE *stream, const struct report_found *found)
{
	const struct align_difference *difference = found->difference;
	char size[REPORT_COUNT_MAX];

	fputs(found->side == SIDE_CLIENT ? "client: " : "server: ", stream);
	for (int i = 0; i < 2; i++)
		fprintf(stream, "%s%s %s at byte %llu", i > 0 ? ", " : "", report->config.names[i],
		    report_count(difference->size[i], "byte", size),
		    (unsigned long long)difference->offset[i]);
}
