/* Logs as anybody may hand them to netlog, plain or gzip: the reader ends, says where, and its
 * offsets only grow. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(int condition)
{
	if (!condition)
		abort();
}

/* Fetch the payload or some of it, as the bits of `mode` say. Returns how much was fetched. */
static uint64_t
fetch(struct reader *reader, unsigned mode)
{
	const unsigned char *piece;
	uint64_t total = 0;
	ssize_t got;

	if (mode % 4 == 0)
		return 0;
	while ((got = reader_data(reader, &piece)) > 0) {
		total += (uint64_t)got;
		expect(piece[0] + piece[got - 1] >= 0); /* both may be read */
		if (mode % 4 == 1)
			break;
	}
	return total;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned mode = size > 0 ? *data : 0;
	struct source *source;
	struct reader *reader;
	struct record record;
	enum reader_status status;
	uint64_t whole = 0, offset = 0;
	int plain;

	if (size == 0)
		return 0;
	data++;
	size--;
	plain = size < 2 || data[0] != 0x1f || data[1] != 0x8b;
	source = source_from_memory(data, size);
	expect(source != NULL);
	reader = reader_new(source, "log");
	expect(reader != NULL);
	while ((status = reader_next(reader, &record)) == READER_RECORD) {
		expect(reader_offset(reader) >= offset && reader_whole(reader) >= whole);
		expect(reader_offset(reader) >= whole); /* all before this record is whole */
		offset = reader_offset(reader);
		whole = reader_whole(reader);
		expect(record.type == RECORD_DATA || record.size == 0);
		expect(fetch(reader, mode) <= record.size);
		mode = mode >> 2 | mode << 6;
	}
	expect(reader_next(reader, &record) == status);
	expect(reader_whole(reader) >= whole);
	expect(!plain || reader_whole(reader) <= size);
	expect(!plain || status != READER_FAILED);
	expect(status != READER_END || !plain || reader_whole(reader) == size);
	expect((status == READER_END) == (reader_message(reader)[0] == '\0'));
	for (const char *c = reader_message(reader); *c != '\0'; c++)
		expect(*c >= ' ' && *c < 0x7f);
	reader_free(reader);
	return 0;
}
