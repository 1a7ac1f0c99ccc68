#include "format/netlog/stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/logname.h"

#define LOOKS_MORE 3
#define LOOKS_SPARED 10

static struct timespec
time_changed(const char *path, off_t *size)
{
	struct stat status;

	if (path == NULL || stat(path, &status) != 0)
		return (struct timespec){0};
	if (size != NULL)
		*size = status.st_size;
	return status.st_mtim;
}

static bool
is_same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

bool
stamp_worth_a_look(struct stamp *stamp, const char *operand)
{
	const char *slash = strrchr(operand, '/');
	struct stamp now = {.looks = stamp->looks + 1};
	char *directory, *index;

	/* with its slash, which the directory "/" needs */
	directory = slash != NULL ? strndup(operand, (size_t)(slash + 1 - operand)) : strdup(".");
	if (asprintf(&index, "%s" INDEX_SUFFIX, operand) == -1)
		index = NULL;
	now.directory = time_changed(directory, NULL);
	now.index = time_changed(index, &now.size);
	if (directory == NULL || index == NULL ||
	    !is_same_time(&now.directory, &stamp->directory) ||
	    !is_same_time(&now.index, &stamp->index) || now.size != stamp->size)
		now.looks = 0;
	free(directory);
	free(index);
	*stamp = now;
	return now.looks < LOOKS_MORE || now.looks % LOOKS_SPARED == 0;
}
