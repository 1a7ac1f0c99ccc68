/* Folders and files for unit tests. */
#ifndef TESTS_UNIT_FILES_H
#define TESTS_UNIT_FILES_H

#include <dirent.h>
#include <limits.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/unit/test.h"

/* Append `size` bytes to the file `path`. */
static inline void
file_append(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "a");

	EXPECT(file != NULL);
	EXPECT(fwrite(data, 1, size, file) == size);
	EXPECT(fclose(file) == 0);
}

static inline void
file_write(const char *path, const char *text)
{
	unlink(path);
	file_append(path, text, strlen(text));
}

/* Append one gzip member that holds `size` bytes. */
static inline void
file_append_gzip(const char *path, const void *data, size_t size)
{
	gzFile file = gzopen(path, "ab");

	EXPECT(file != NULL);
	EXPECT(gzwrite(file, data, (unsigned)size) == (int)size);
	EXPECT(gzclose(file) == Z_OK);
}

/* The bytes of a file, to be freed. */
static inline char *
file_read(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	char *data = malloc(1 << 20);

	EXPECT(file != NULL && data != NULL);
	*size = fread(data, 1, 1 << 20, file);
	fclose(file);
	return data;
}

/* Make a new folder the current one; `path` is a template of mkdtemp(3). */
static inline void
folder_enter(char *path)
{
	EXPECT(mkdtemp(path) != NULL);
	EXPECT(chdir(path) == 0);
}

/* Remove the current folder and what is in it. */
static inline void
folder_remove(const char *path)
{
	DIR *stream = opendir(".");
	struct dirent *item;

	EXPECT(stream != NULL);
	while ((item = readdir(stream)) != NULL)
		if (unlink(item->d_name) != 0)
			rmdir(item->d_name);
	closedir(stream);
	EXPECT(chdir("/") == 0);
	EXPECT(rmdir(path) == 0);
}

#endif
