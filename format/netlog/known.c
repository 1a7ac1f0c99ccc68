#include "format/netlog/known.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "format/logname.h"

static int
keys_compare(const void *one, const void *other)
{
	return strcmp(one, other);
}

char *
known_key(const char *path)
{
	char *key = logname_part(path, 0, false);

	return key == NULL && errno == EINVAL ? strdup(path) : key;
}

bool
known_has(const struct known *known, const char *path)
{
	char *key = known_key(path);
	bool found = key != NULL && tfind(key, &known->keys, keys_compare) != NULL;

	free(key);
	return found;
}

int
known_add(struct known *known, const char *path)
{
	char *key = known_key(path);
	char *const *kept;

	if (key == NULL)
		return -1;
	kept = tsearch(key, &known->keys, keys_compare);
	if (kept == NULL || *kept != key)
		free(key);
	if (kept == NULL)
		errno = ENOMEM;
	return kept != NULL ? 0 : -1;
}

void
known_release(struct known *known)
{
	tdestroy(known->keys, free);
	known->keys = NULL;
}
