#include "format/netlog/roots.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/logname.h"

static int
number_compare(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

static void
root_missing(const struct logset *set, const char *root, const char *recording,
    void (*found)(void *context, const char *root, const struct index_entry *entry), void *context)
{
	struct index *index = index_load(root);
	uint64_t *numbers = calloc(set->count + 1, sizeof(*numbers));
	const struct index_entry *entries;
	size_t known = 0, count;
	struct logname parsed;

	if (index == NULL || numbers == NULL)
		goto release;
	for (size_t i = 0; i < set->count; i++) {
		if (logname_beside(set->items[i].name, root, &parsed))
			numbers[known++] = set->items[i].n;
	}
	qsort(numbers, known, sizeof(*numbers), number_compare);
	entries = index_entries(index, &count);
	for (size_t i = 0; i < count; i++) {
		if (recording != NULL && strncmp(entries[i].run, recording, strlen(recording)) != 0)
			continue;
		if (bsearch(&entries[i].n, numbers, known, sizeof(*numbers), number_compare) ==
		    NULL)
			found(context, root, &entries[i]);
	}
release:
	free(numbers);
	index_free(index);
}

void
roots_missing(const struct logset *set, char *const *operands, size_t count, const char *recording,
    void (*found)(void *context, const char *root, const struct index_entry *entry), void *context)
{
	struct stat status;

	for (size_t i = 0; i < count; i++) {
		/* an operand that is a file names that log alone */
		if (strcmp(operands[i], "-") != 0 &&
		    (stat(operands[i], &status) != 0 || S_ISDIR(status.st_mode)))
			root_missing(set, operands[i], recording, found, context);
	}
}

/* Is the file's first record a log's first? */
static bool
file_begins_log(const char *path)
{
	struct source *source;
	struct reader *reader;
	struct record record;
	struct stat status;
	bool log;

	/* opening a FIFO would wait for its writer */
	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	source = source_open(path);
	reader = source != NULL ? reader_new(source, path) : NULL;
	log = reader != NULL && reader_next(reader, &record) == READER_RECORD &&
	      record.type == RECORD_CON;
	reader_free(reader);
	return log;
}

/* The length of the root in `name`, 0 if that is neither a log's first part nor an index. */
static size_t
root_length(const char *name)
{
	size_t length = strlen(name), suffix = strlen(INDEX_SUFFIX);
	struct logname parsed;

	if (length > suffix && strcmp(name + length - suffix, INDEX_SUFFIX) == 0)
		return length - suffix;
	if (logname_parse(name, &parsed) && !parsed.joined && parsed.root_length > 0 &&
	    file_begins_log(name))
		return parsed.root_length;
	return 0;
}

static bool
roots_hold(char *const *roots, size_t count, const char *name)
{
	struct logname parsed;
	size_t length = strlen(name), suffix = strlen(INDEX_SUFFIX);

	for (size_t i = 0; i < count; i++) {
		size_t root = strlen(roots[i]);
		if (strncmp(roots[i], name, root) != 0)
			continue;
		if (root + suffix == length && strcmp(name + root, INDEX_SUFFIX) == 0)
			return true;
		if (logname_match(name, roots[i], &parsed) && !parsed.joined)
			return true;
	}
	return false;
}

static int
name_compare(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

char **
roots_here(size_t *count)
{
	DIR *directory = opendir(".");
	char **roots = calloc(1, sizeof(*roots));
	struct dirent *file;
	size_t length;

	*count = 0;
	if (directory == NULL || roots == NULL)
		goto fail;
	while ((file = readdir(directory)) != NULL) {
		/* the check for known roots comes first: thousands of logs share few roots */
		if (roots_hold(roots, *count, file->d_name) ||
		    (length = root_length(file->d_name)) == 0)
			continue;
		char **grown = reallocarray(roots, *count + 1, sizeof(*roots));
		if (grown == NULL)
			goto fail;
		roots = grown;
		roots[*count] = strndup(file->d_name, length);
		if (roots[*count] == NULL)
			goto fail;
		++*count;
	}
	closedir(directory);
	qsort(roots, *count, sizeof(*roots), name_compare);
	return roots;
fail:
	roots_free(roots, *count);
	if (directory != NULL)
		closedir(directory);
	return NULL;
}

void
roots_free(char **roots, size_t count)
{
	if (roots == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		free(roots[i]);
	free(roots);
}
