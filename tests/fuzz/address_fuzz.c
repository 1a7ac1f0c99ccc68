/* What users and index files call an address: splitting never reads or writes out of bounds, and
 * what it accepts fits. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct address_name *name)
{
	if (strlen(name->host) >= sizeof(name->host) || strlen(name->port) >= sizeof(name->port))
		abort();
	if (name->is_unix != (name->port[0] == '\0'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_name name;
	char *text = malloc(size + 1), *space;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (address_split(text, &name) == NULL)
		check(&name);
	space = strchr(text, ' ');
	if (space != NULL) {
		*space = '\0';
		if (address_join(text, space + 1, &name) == NULL)
			check(&name);
	}
	free(text);
	return 0;
}
