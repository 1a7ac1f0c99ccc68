#include "format/netlog/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/spool.h"

#define PIECE_SIZE 65536
#define RELEASE_LEAST ((off_t)1 << 20) /* of the copy, at a time */

struct intake {
	int from;
	int copy;
	off_t size;	/* of the copy */
	off_t released; /* of it, from its beginning */
	off_t positions[INTAKE_READERS];
	bool ended;
};

struct intake_source {
	struct source source;
	struct intake *intake;
	off_t *position;
};

struct intake *
intake_new(const char *path)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	int error;

	if (intake == NULL)
		return NULL;
	intake->copy = -1;
	if (strcmp(path, "-") == 0)
		intake->from = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		intake->from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (intake->from >= 0)
		intake->copy = spool_open();
	if (intake->copy >= 0)
		return intake;
	error = errno;
	intake_free(intake);
	errno = error;
	return NULL;
}

void
intake_free(struct intake *intake)
{
	if (intake == NULL)
		return;
	if (intake->from >= 0)
		close(intake->from);
	if (intake->copy >= 0)
		close(intake->copy);
	free(intake);
}

bool
intake_ended(const struct intake *intake)
{
	return intake->ended;
}

/* Copy a piece if one is there. Returns -1 with errno. */
static int
intake_take(struct intake *intake)
{
	static char piece[PIECE_SIZE];
	struct pollfd readable = {.fd = intake->from, .events = POLLIN};
	ssize_t got;

	if (intake->ended || poll(&readable, 1, 0) <= 0)
		return 0;
	got = read(intake->from, piece, sizeof(piece));
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	intake->ended = got == 0;
	for (ssize_t done = 0, put; done < got; done += put) {
		put = pwrite(intake->copy, piece + done, (size_t)(got - done), intake->size);
		if (put < 0)
			return -1;
		intake->size += put;
	}
	return 0;
}

/* Give back the room of what all have read; where that cannot be done the copy just stays. */
static void
intake_release(struct intake *intake)
{
	off_t least = intake->positions[0];

	for (unsigned i = 1; i < INTAKE_READERS; i++)
		if (intake->positions[i] < least)
			least = intake->positions[i];
	if (least - intake->released < RELEASE_LEAST)
		return;
	(void)fallocate(intake->copy, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, intake->released,
	    least - intake->released);
	intake->released = least;
}

static ssize_t
intake_read(struct source *source, void *buffer, size_t size)
{
	struct intake_source *reader = (struct intake_source *)source;
	struct intake *intake = reader->intake;
	ssize_t got;

	if (*reader->position == intake->size && intake_take(intake) != 0)
		return -1;
	got = pread(intake->copy, buffer, size, *reader->position);
	if (got <= 0)
		return got;
	*reader->position += got;
	intake_release(intake);
	return got;
}

static void
intake_source_free(struct source *source)
{
	free(source);
}

static const struct source_ops intake_ops = {intake_read, NULL, NULL, intake_source_free};

struct source *
intake_source(struct intake *intake, unsigned number)
{
	struct intake_source *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return NULL;
	reader->source.ops = &intake_ops;
	reader->intake = intake;
	reader->position = &intake->positions[number];
	return source_inflate(&reader->source);
}
