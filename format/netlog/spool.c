#include "format/netlog/spool.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPOOL_BUFFER 65536

/* Returns the descriptor of an empty file without a name, or -1 with errno. */
static int
spool_open(void)
{
	const char *directory = getenv("TMPDIR");
	char *path;
	int fd;

	if (asprintf(&path, "%s/netlog.XXXXXX",
		directory != NULL && directory[0] != '\0' ? directory : "/tmp") < 0)
		return -1;
	fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

static int
spool_fill(int fd)
{
	static char buffer[SPOOL_BUFFER];
	ssize_t got;

	while ((got = read(STDIN_FILENO, buffer, sizeof(buffer))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		for (ssize_t done = 0, put; done < got; done += put) {
			put = write(fd, buffer + done, (size_t)(got - done));
			if (put < 0)
				return -1;
		}
	}
	return 0;
}

/* The descriptor stays open until the program ends: the path leads through it. */
static int
spool_item(struct logset_item *item)
{
	static char name[] = "-";
	int fd = spool_open();
	char *path;

	if (fd < 0 || spool_fill(fd) != 0 || asprintf(&path, "/proc/self/fd/%d", fd) < 0) {
		warn("standard input to a temporary file");
		return -1;
	}
	/* the name is the first part's path else */
	item->name = name;
	free(item->parts[0]);
	item->parts[0] = path;
	return 0;
}

int
spool_stdin(struct logset *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->items[i].name, "-") == 0)
			return spool_item(&set->items[i]);
	}
	return 0;
}
