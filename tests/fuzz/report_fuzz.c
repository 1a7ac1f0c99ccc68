/* Hostile names and bytes in each format of the report: no control characters, and JSON that is
 * some. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "format/report.h"

#define NAME_MAX_SIZE 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(int condition)
{
	if (!condition)
		abort();
}

/* Nothing reaches a terminal, or an XML parser, that it would take for more than text. In JSON
 * names may be UTF-8, but without the control characters that it has beyond ASCII. */
static void
expect_clean(const char *text, size_t size, const struct report_config *config)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];
		unsigned char next = i + 1 < size ? (unsigned char)text[i + 1] : 0;

		expect((byte >= ' ' && byte <= '~') || byte == '\n' ||
		       (config->colour && byte == '\033') ||
		       (config->format == REPORT_JSON && byte >= 0x80));
		expect(byte != 0xc2 || next >= 0xa0);
	}
}

static void
expect_json(const char *text, size_t size)
{
	struct json_scanner scanner;
	struct json_value key, value;
	int status, members = 0;

	json_scanner_init(&scanner, text, size);
	while ((status = json_scanner_next(&scanner, &key, &value)) == 1)
		members++;
	expect(status == 0 && members > 2);
}

/* The bytes as a difference: a part before it, one of each side, a part behind it. */
static struct align_difference
difference_of(const uint8_t *data, size_t size)
{
	const size_t part = size / 4;
	struct align_difference difference = {.offset = {part, part}};

	for (int i = 0; i < 2; i++) {
		size_t context = part < ALIGN_CONTEXT ? part : ALIGN_CONTEXT;

		difference.before[i] = data;
		difference.before_size[i] = context;
		difference.bytes[i] = data + (i == 0 ? part : 2 * part);
		difference.size[i] = part;
		difference.shown[i] = part < ALIGN_SHOW ? part : ALIGN_SHOW;
		difference.after[i] = data + 3 * part;
		difference.after_size[i] = context;
	}
	return difference;
}

static void
run(const struct report_config *settings, const char *name, const uint8_t *data, size_t size)
{
	const struct report_summary summary = {.connections = {[REPORT_DIFFERENT] = 1},
	    .compared = size,
	    .differences = 1,
	    .fail_if = name};
	const struct report_connection connection = {.name = name,
	    .key = name,
	    .result = REPORT_DIFFERENT,
	    .reason = name,
	    .differences = 1,
	    .compared = size};
	struct align_difference difference = difference_of(data, size);
	struct report_config config = *settings;
	char *text = NULL;
	size_t length;
	struct report *report;

	config.stream = open_memstream(&text, &length);
	expect(config.stream != NULL);
	report = report_new(&config);
	expect(report != NULL);
	report_difference(report, name, name, SIDE_SERVER, &difference);
	expect(report_connection(report, &connection) == 0);
	expect(report_end(report, &summary) == 0);
	report_free(report);
	fclose(config.stream);
	expect_clean(text, length, &config);
	if (config.format == REPORT_JSON)
		expect_json(text, length);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = size < NAME_MAX_SIZE ? size : NAME_MAX_SIZE;
	char name[NAME_MAX_SIZE + 1];

	memcpy(name, data, length);
	name[length] = '\0';
	for (int format = REPORT_TEXT; format <= REPORT_JUNIT; format++) {
		const struct report_config config = {.format = (enum report_format)format,
		    .colour = format == REPORT_TEXT && size % 2 == 1,
		    .title = "fuzz",
		    .names = {"recorded", "live"}};

		run(&config, name, data + length, size - length);
	}
	return 0;
}
