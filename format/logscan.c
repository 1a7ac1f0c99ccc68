#include "format/logscan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
file_compare(const void *a, const void *b)
{
	const struct logname *left = &((const struct logscan_file *)a)->name;
	const struct logname *right = &((const struct logscan_file *)b)->name;

	if (left->n != right->n)
		return left->n < right->n ? -1 : 1;
	if (left->joined != right->joined)
		return left->joined ? 1 : -1;
	if (left->part != right->part)
		return left->part < right->part ? -1 : 1;
	return left->gzip - right->gzip;
}

static int
add_file(struct logscan *scan, size_t *room, const char *directory, int directory_length,
    const char *file, const struct logname *name)
{
	if (scan->count == *room) {
		size_t more = *room > 0 ? 2 * *room : 64;
		struct logscan_file *files = reallocarray(scan->files, more, sizeof(*files));
		if (files == NULL)
			return -1;
		scan->files = files;
		*room = more;
	}
	if (asprintf(&scan->files[scan->count].path, "%.*s%s", directory_length, directory, file) <
	    0)
		return -1;
	scan->files[scan->count++].name = *name;
	return 0;
}

/* Drop the .gz of a part whose plain file stands before it. */
static void
drop_doubles(struct logscan *scan)
{
	size_t kept = 0;

	for (size_t i = 0; i < scan->count; i++) {
		const struct logname *name = &scan->files[i].name;
		const struct logname *before = kept > 0 ? &scan->files[kept - 1].name : NULL;
		if (before != NULL && before->n == name->n && before->joined == name->joined &&
		    before->part == name->part)
			free(scan->files[i].path);
		else
			scan->files[kept++] = scan->files[i];
	}
	scan->count = kept;
}

int
logscan_read(struct logscan *scan, const char *root)
{
	const char *slash = strrchr(root, '/');
	const char *base = slash != NULL ? slash + 1 : root;
	int directory_length = (int)(base - root);
	char *directory = strndup(
	    directory_length > 0 ? root : ".", directory_length > 0 ? (size_t)directory_length : 1);
	const struct dirent *entry;
	struct logname name;
	size_t room = 0;
	DIR *stream = NULL;
	int status = -1, error;

	*scan = (struct logscan){.files = NULL};
	if (directory == NULL)
		return -1;
	stream = opendir(directory);
	if (stream == NULL)
		goto release;
	for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
		if (entry->d_type == DT_DIR || !logname_match(entry->d_name, base, &name))
			continue;
		if (add_file(scan, &room, root, directory_length, entry->d_name, &name) != 0)
			goto release;
	}
	if (errno != 0)
		goto release;
	if (scan->count > 0)
		qsort(scan->files, scan->count, sizeof(*scan->files), file_compare);
	drop_doubles(scan);
	status = 0;
release:
	error = errno;
	if (stream != NULL)
		closedir(stream);
	free(directory);
	errno = error;
	return status;
}

void
logscan_release(struct logscan *scan)
{
	for (size_t i = 0; i < scan->count; i++)
		free(scan->files[i].path);
	free(scan->files);
	*scan = (struct logscan){.files = NULL};
}
