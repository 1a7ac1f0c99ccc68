#include "format/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/logscan.h"

#define READERS 2
#define SEARCHES 3 /* for what is left, as a directory that changes may be read without it */

struct follow_source;

/* The parts of a log that grows, as they are found. */
struct growth {
	char *path;	   /* of the part found first: how the others are spelt */
	bool numbered;	   /* it is named as a log: it may be compressed, and have further parts */
	unsigned next;	   /* the part to be opened next */
	unsigned last;	   /* the last one that may be */
	bool begun;	   /* a part was opened */
	unsigned searches; /* that found nothing left, since a part was opened */
	unsigned missed;   /* parts found to be gone since the last one was opened */
	source_missed *tell;
	void *context;
	struct follow_source *readers[READERS];
};

/* One reader of it. */
struct follow_source {
	struct source source;
	struct growth *growth;
	struct source *current; /* NULL: none is open */
	struct source **behind; /* parts that were opened and wait for `current` to end */
	size_t behind_count;
};

/* Open a part, under whichever of its names it has by now. Returns -1 with errno, ENOENT if there
 * is none. */
static int
part_open(const struct growth *growth, unsigned part)
{
	int fd = -1;

	/* gzip(1) deletes the plain file when the other one is whole: so this is the order */
	for (int gzip = 0; gzip <= 1 && fd < 0; gzip++) {
		char *path = logname_part(growth->path, part, gzip != 0);
		if (path == NULL && errno == EINVAL)
			errno = ENOENT; /* of a name that has no further parts */
		if (path == NULL)
			return -1;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		free(path);
		if (fd < 0 && errno != ENOENT)
			return -1;
	}
	return fd;
}

/* Is the file of that part gone, under both names? */
static bool
part_gone(const struct growth *growth, unsigned part)
{
	int fd = part_open(growth, part);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ENOENT;
}

/* The first part from `next` on that is left, in the directory. Returns 1, 0 if there is none, -1
 * with errno. */
static int
part_search(const struct growth *growth, unsigned *part)
{
	char *root = logname_part(growth->path, 0, false), *number;
	struct logname own;
	struct logscan scan;
	int found = -1;

	if (root == NULL)
		return -1;
	number = strrchr(root, '/');
	number = number != NULL ? number + 1 : root;
	(void)logname_parse(number, &own);
	number[own.root_length] = '\0';
	if (logscan_read(&scan, root) == 0) {
		found = 0;
		for (size_t i = 0; i < scan.count && found == 0; i++) {
			const struct logname *name = &scan.files[i].name;
			*part = name->part;
			found = name->n == own.n && name->joined == own.joined &&
				name->part >= growth->next;
		}
	}
	logscan_release(&scan);
	free(root);
	return found;
}

/* Have all readers read `fd` behind what they have. Returns -1 with errno. */
static int
hand_out(struct growth *growth, int fd)
{
	int status = 0, error = 0;

	for (size_t i = 0; i < READERS && status == 0; i++) {
		struct follow_source *reader = growth->readers[i];
		struct source **behind;
		int own;
		if (reader == NULL)
			continue;
		status = -1;
		behind = reallocarray(reader->behind, reader->behind_count + 1, sizeof(*behind));
		if (behind != NULL) {
			reader->behind = behind;
			own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
			behind[reader->behind_count] = own < 0 ? NULL : source_from_fd(own, true);
			if (behind[reader->behind_count] != NULL) {
				reader->behind_count++;
				status = 0;
			}
		}
		error = errno;
	}
	close(fd);
	errno = error;
	return status;
}

static void
tell(struct growth *growth, const char *path, unsigned count)
{
	if (growth->tell != NULL)
		growth->tell(growth->context, path, count);
}

/* Tell what is missing in front of the part that was opened. Returns -1 with errno. */
static int
tell_missed(struct growth *growth)
{
	char *path;

	if (growth->missed == 0)
		return 0;
	path = logname_part(growth->path, growth->next, false);
	if (path == NULL)
		return -1;
	tell(growth, path, growth->missed);
	free(path);
	growth->missed = 0;
	return 0;
}

/*
 * Open the next part of a log that has a number. Returns the descriptor, or -1 with errno, ENOENT
 * if there is none yet. Parts are deleted from the first one on, and the last one only when there
 * is another: while it is there, none can be missing behind it.
 */
static int
numbered_open(struct growth *growth)
{
	while (growth->next <= growth->last) {
		unsigned part;
		int fd = part_open(growth, growth->next), found;
		if (fd >= 0 || errno != ENOENT)
			return fd;
		if (growth->searches == SEARCHES ||
		    (growth->begun && !part_gone(growth, growth->next - 1)))
			break;
		found = part_search(growth, &part);
		if (found < 0)
			return -1;
		if (found == 0) {
			if (++growth->searches == SEARCHES)
				tell(growth, NULL, 0);
			break;
		}
		growth->missed += part - growth->next;
		growth->next = part;
	}
	errno = ENOENT;
	return -1;
}

/* Open what comes behind all that was opened. Returns 1, 0 if nothing does yet, -1 with errno. */
static int
growth_open(struct growth *growth)
{
	int fd;

	if (growth->numbered) {
		fd = numbered_open(growth);
		if (fd < 0)
			return errno == ENOENT ? 0 : -1;
		if (tell_missed(growth) != 0) {
			close(fd);
			return -1;
		}
	} else {
		if (growth->begun)
			return 0;
		if (strcmp(growth->path, "-") == 0)
			fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
		else
			fd = open(growth->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -1;
	}
	growth->next++;
	growth->begun = true;
	growth->searches = 0;
	return hand_out(growth, fd) == 0 ? 1 : -1;
}

static void
behind_take(struct follow_source *reader)
{
	source_free(reader->current);
	reader->current = reader->behind[0];
	reader->behind_count--;
	memmove(reader->behind, reader->behind + 1, reader->behind_count * sizeof(*reader->behind));
}

static ssize_t
follow_read(struct source *source, void *buffer, size_t size)
{
	struct follow_source *reader = (struct follow_source *)source;

	if (size == 0)
		return 0;
	for (;;) {
		/* a part was finished before the next one was made: what is read from now on is its
		 * end */
		bool last = reader->behind_count == 0;
		ssize_t got = 0;
		int opened, error;
		if (reader->current != NULL)
			got = source_read(reader->current, buffer, size);
		error = errno;
		/* inside a gzip member that is still being written, "cut short" is not the last
		 * word */
		if (got > 0 || (got < 0 && error != ENODATA))
			return got;
		if (!last && got < 0) {
			errno = EILSEQ;
			return -1;
		}
		if (!last) {
			behind_take(reader);
			continue;
		}
		opened = growth_open(reader->growth);
		if (opened < 0)
			return -1;
		if (opened == 0) {
			errno = error;
			return got;
		}
	}
}

static void
follow_free(struct source *source)
{
	struct follow_source *reader = (struct follow_source *)source;
	struct growth *growth = reader->growth;
	bool others = false;

	for (size_t i = 0; i < READERS; i++) {
		if (growth->readers[i] == reader)
			growth->readers[i] = NULL;
		others = others || growth->readers[i] != NULL;
	}
	if (!others) {
		free(growth->path);
		free(growth);
	}
	source_free(reader->current);
	for (size_t i = 0; i < reader->behind_count; i++)
		source_free(reader->behind[i]);
	free(reader->behind);
	free(reader);
}

static const struct source_ops follow_ops = {follow_read, NULL, NULL, follow_free};

static struct source *
reader_add(struct growth *growth, size_t at)
{
	struct follow_source *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return NULL;
	reader->source.ops = &follow_ops;
	reader->growth = growth;
	growth->readers[at] = reader;
	return &reader->source;
}

struct source *
source_follow(const char *path, source_missed *missed, void *context)
{
	const char *slash = strrchr(path, '/');
	struct growth *growth = calloc(1, sizeof(*growth));
	struct source *source = NULL;
	struct logname name;

	if (growth == NULL)
		return NULL;
	growth->numbered = logname_parse(slash != NULL ? slash + 1 : path, &name);
	growth->next = growth->numbered ? name.part : 0;
	growth->last = UINT_MAX;
	growth->tell = missed;
	growth->context = context;
	growth->path = strdup(path);
	if (growth->path != NULL)
		source = reader_add(growth, 0);
	if (source != NULL)
		return source;
	free(growth->path);
	free(growth);
	errno = ENOMEM;
	return NULL;
}

struct source *
source_follow_twin(struct source *source)
{
	return reader_add(((struct follow_source *)source)->growth, 1);
}

void
source_follow_until(struct source *source, unsigned last)
{
	((struct follow_source *)source)->growth->last = last;
}
