#include "format/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_BUFFER 65536

int
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

/* Copy all that `from` yields. Returns 0, or -1 with errno. */
static int
spool_fill(int fd, int from)
{
	static char buffer[SPOOL_BUFFER];
	ssize_t got;

	while ((got = read(from, buffer, sizeof(buffer))) != 0) {
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

/* Names of spooled logs; they are needed as long as the logs are, which is until the program ends.
 */
struct kept_name {
	struct kept_name *next;
	char text[];
};

static char *
name_keep(const char *name)
{
	static struct kept_name *names;
	struct kept_name *kept = malloc(sizeof(*kept) + strlen(name) + 1);

	if (kept == NULL)
		return NULL;
	memcpy(kept->text, name, strlen(name) + 1);
	kept->next = names;
	names = kept;
	return kept->text;
}

/* The descriptor of the copy stays open until the program ends: the path leads through it. */
static int
spool_item(struct logset_item *item, int from)
{
	char *name = name_keep(item->name), *path;
	int fd = spool_open();

	if (name == NULL || fd < 0 || spool_fill(fd, from) != 0 ||
	    asprintf(&path, "/proc/self/fd/%d", fd) < 0)
		return -1;
	/* the name is the first part's path else, and released with it */
	free(item->parts[0]);
	item->parts[0] = path;
	item->name = name;
	return 0;
}

bool
spool_needed(const struct logset_item *item)
{
	struct stat status;
	int result;

	if (strcmp(item->name, "-") == 0)
		result = fstat(STDIN_FILENO, &status);
	else
		result = stat(item->name, &status);
	return result == 0 && !S_ISREG(status.st_mode);
}

static int
spool_stream(struct logset_item *item)
{
	int fd, result;

	if (!spool_needed(item))
		return 0;
	if (strcmp(item->name, "-") == 0)
		return spool_item(item, STDIN_FILENO);
	fd = open(item->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	result = spool_item(item, fd);
	close(fd);
	return result;
}

int
spool_streams(struct logset *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (spool_stream(&set->items[i]) != 0) {
			char problem[128];

			snprintf(problem, sizeof(problem), "copy to a temporary file: %s",
			    strerror(errno));
			return logset_fail(set, set->items[i].name, problem);
		}
	}
	return 0;
}
