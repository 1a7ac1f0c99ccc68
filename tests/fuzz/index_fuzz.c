/* Lines of an index: what is understood can be written, and is then understood as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What survives writing: times are cut to microseconds. */
static void
normalise(struct index_entry *entry)
{
	char line[4096];
	size_t length = index_encode(entry, line, sizeof(line));

	if (length == 0 || line[length - 1] != '\n' || memchr(line, '\n', length - 1) != NULL)
		abort();
	if (index_decode(line, length - 1, entry) != 0)
		abort();
}

static void
expect_same(const struct index_entry *a, const struct index_entry *b)
{
	if (a->n != b->n || a->start != b->start || a->time != b->time || a->closed != b->closed ||
	    a->duration != b->duration || a->connect != b->connect || a->lost != b->lost ||
	    a->bytes[0] != b->bytes[0] || a->bytes[1] != b->bytes[1] ||
	    a->scripted != b->scripted || strcmp(a->log, b->log) != 0 ||
	    strcmp(a->run, b->run) != 0 || strcmp(a->client, b->client) != 0 ||
	    strcmp(a->server, b->server) != 0 || strcmp(a->end, b->end) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index_entry entry, again;
	char *line = malloc(size > 0 ? size : 1); /* exact, so that reading beyond it is seen */

	if (line == NULL)
		return 0;
	memcpy(line, data, size);
	if (index_decode(line, size, &entry) == 0) {
		normalise(&entry);
		again = entry;
		normalise(&again);
		expect_same(&entry, &again);
	}
	free(line);
	return 0;
}
