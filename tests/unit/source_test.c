/* Bytes of logs from files, pipes, memory and gzip, whole and damaged. */
#include "format/source.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>

#include "tests/unit/files.h"

#define TEXT_SIZE 300000

static char text[TEXT_SIZE]; /* hardly compressible */

/* Read all in pieces of `piece` bytes; `*error` is 0 or the errno that ended it. */
static char *
read_all(struct source *source, size_t piece, size_t *size, int *error)
{
	char *data = malloc(2 * TEXT_SIZE + piece);
	ssize_t got;

	EXPECT(source != NULL && data != NULL);
	*size = 0;
	errno = 0;
	while ((got = source_read(source, data + *size, piece)) > 0) {
		*size += (size_t)got;
		EXPECT(*size <= 2 * TEXT_SIZE);
		errno = 0;
	}
	*error = got < 0 ? errno : 0;
	source_free(source);
	return data;
}

static void
expect_all(struct source *source, size_t piece, const char *expected, size_t expected_size,
    int expected_error)
{
	size_t size;
	int error;
	char *data = read_all(source, piece, &size, &error);

	if (size != expected_size || error != expected_error)
		fprintf(stderr, "%zu bytes of %zu, error %d\n", size, expected_size, error);
	EXPECT(size == expected_size && memcmp(data, expected, size) == 0);
	EXPECT(error == expected_error);
	free(data);
}

static void
test_plain(void)
{
	file_append("plain", text, TEXT_SIZE);
	expect_all(source_open("plain"), 65536, text, TEXT_SIZE, 0);
	expect_all(source_open("plain"), 7, text, TEXT_SIZE, 0);
	expect_all(source_from_memory(text, TEXT_SIZE), 1000, text, TEXT_SIZE, 0);
	expect_all(source_from_memory(NULL, 0), 10, "", 0, 0);
	expect_all(source_from_memory("\x1f", 1), 10, "\x1f", 1, 0);
	EXPECT(source_open("missing") == NULL && errno == ENOENT);
	/* what stood before the descriptor's position is not read */
	int fd = open("plain", O_RDONLY);
	EXPECT(lseek(fd, 1000, SEEK_SET) == 1000);
	expect_all(source_from_fd(fd, true), 4096, text + 1000, TEXT_SIZE - 1000, 0);
}

static void
expect_skips(struct source *source)
{
	char two[2];

	EXPECT(source != NULL);
	EXPECT(source_skip(source, 0) == 0);
	EXPECT(source_skip(source, 1) == 1);
	EXPECT(source_read(source, two, 1) == 1 && two[0] == text[1]);
	EXPECT(source_skip(source, 100000) == 100000);
	EXPECT(source_read(source, two, 2) >= 1 && two[0] == text[100002]);
	EXPECT(source_skip(source, UINT64_MAX) >= TEXT_SIZE - 100004);
	EXPECT(source_skip(source, 1) == 0);
	EXPECT(source_read(source, two, 2) == 0);
	source_free(source);
}

static void
test_skip(void)
{
	char *halves[] = {"half1", "half2"};

	file_append("half1", text, 100001);
	file_append("half2", text + 100001, TEXT_SIZE - 100001);
	expect_skips(source_open("plain"));
	expect_skips(source_open("members.gz"));
	expect_skips(source_from_memory(text, TEXT_SIZE));
	expect_skips(source_concat(halves, 2));
}

static void
test_gzip(void)
{
	static const char zeros[1000];
	size_t size, cut_size;
	char *packed, *cut;
	int error;

	for (size_t at = 0; at < TEXT_SIZE; at += 50000)
		file_append_gzip("members.gz", text + at, 50000);
	expect_all(source_open("members.gz"), 65536, text, TEXT_SIZE, 0);
	expect_all(source_open("members.gz"), 13, text, TEXT_SIZE, 0);
	packed = file_read("members.gz", &size);
	expect_all(source_from_memory(packed, size), 4096, text, TEXT_SIZE, 0);

	/* cut anywhere: what is there comes out, then "cut short", never "damaged" */
	for (size_t length = 2; length < size; length += 997) {
		cut = read_all(source_from_memory(packed, length), 4096, &cut_size, &error);
		EXPECT(memcmp(cut, text, cut_size) == 0);
		EXPECT(error == ENODATA || (error == 0 && cut_size % 50000 == 0 && cut_size > 0));
		free(cut);
	}
	/* damage in the third member */
	packed[size / 2] ^= 0x10;
	cut = read_all(source_from_memory(packed, size), 4096, &cut_size, &error);
	EXPECT(error == EILSEQ && cut_size >= 100000 && memcmp(cut, text, 100000) == 0);
	free(cut);
	free(packed);

	/* zeros behind the last member are no harm, other bytes are */
	file_append("members.gz", zeros, sizeof(zeros));
	expect_all(source_open("members.gz"), 65536, text, TEXT_SIZE, 0);
	file_append("members.gz", "x", 1);
	expect_all(source_open("members.gz"), 65536, text, TEXT_SIZE, EILSEQ);
	expect_all(source_from_memory("\x1f\x8b", 2), 10, "", 0, ENODATA);
	expect_all(source_from_memory("\x1f\x8b\x00\x00", 4), 10, "", 0, EILSEQ);
	EXPECT(truncate("members.gz", (off_t)size) == 0);
}

struct dribble {
	int fd;
	const char *data;
	size_t size;
	size_t piece;
};

static void *
dribble(void *context)
{
	struct dribble *dribble = context;

	for (size_t at = 0; at < dribble->size; at += dribble->piece) {
		size_t piece = dribble->size - at;
		if (piece > dribble->piece)
			piece = dribble->piece;
		EXPECT(write(dribble->fd, dribble->data + at, piece) == (ssize_t)piece);
	}
	close(dribble->fd);
	return NULL;
}

/* A pipe can neither seek nor give back the two bytes by which gzip is recognised. */
static void
test_pipe(const char *data, size_t size, size_t piece)
{
	struct dribble context = {.data = data, .size = size, .piece = piece};
	pthread_t thread;
	int ends[2];

	EXPECT(pipe(ends) == 0);
	EXPECT(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0); /* as somebody else may have left it */
	context.fd = ends[1];
	EXPECT(pthread_create(&thread, NULL, dribble, &context) == 0);
	expect_all(source_from_fd(ends[0], true), 65536, text, TEXT_SIZE, 0);
	EXPECT(pthread_join(thread, NULL) == 0);
}

static void
test_pipes(void)
{
	size_t size;
	char *packed = file_read("members.gz", &size);

	test_pipe(text, TEXT_SIZE, 1009);
	test_pipe(packed, size, 65536);
	test_pipe(packed, size, 101);
	free(packed);
}

static void
test_concat(void)
{
	char *paths[] = {"part1", "part2.gz", "empty", "part3"};

	file_append("part1", text, 100);
	file_append_gzip("part2.gz", text + 100, 60000);
	file_append("empty", "", 0);
	file_append("part3", text + 60100, TEXT_SIZE - 60100);
	expect_all(source_concat(paths, 4), 4096, text, TEXT_SIZE, 0);
	expect_all(source_concat(paths, 0), 4096, "", 0, 0);
	unlink("part3");
	expect_all(source_concat(paths, 4), 4096, text, 60100, ENOENT);

	/* compressed since it was found */
	file_append_gzip("packed_1.1.gz", text, 1000);
	paths[0] = "packed_1.1";
	expect_all(source_concat(paths, 1), 4096, text, 1000, 0);
}

/* What was told to be missing. */
struct gone {
	unsigned calls, count;
	char path[32];
};

static void
on_missed(void *context, const char *path, unsigned count)
{
	struct gone *gone = context;

	gone->calls++;
	gone->count = count;
	snprintf(gone->path, sizeof(gone->path), "%s", path != NULL ? path : "nothing");
}

/* The source yields these bytes of the text, and then nothing more yet. */
static void
expect_next(struct source *source, size_t at, size_t size)
{
	static char data[2000];
	size_t done = 0;
	ssize_t got;

	while ((got = source_read(source, data + done, sizeof(data) - done)) > 0)
		done += (size_t)got;
	EXPECT(got == 0 && done == size && memcmp(data, text + at, size) == 0);
}

static void
test_follow(void)
{
	struct gone gone = {0};
	struct source *source = source_follow("grow_1", on_missed, &gone);

	file_append("grow_1", text, 10);
	expect_next(source, 0, 10);
	file_append("grow_1", text + 10, 90);
	expect_next(source, 10, 90);
	/* the last bytes of a part and the next part in one moment */
	file_append("grow_1", text + 100, 100);
	file_append("grow_1.1", text + 200, 300);
	expect_next(source, 100, 400);
	file_append_gzip("grow_1.2.gz", text + 500, 500);
	expect_next(source, 500, 500);
	file_append_gzip("grow_1.2.gz", text + 1000, 50);
	expect_next(source, 1000, 50);
	source_free(source);

	/* from a later part on, which has another name by now */
	file_append("grow_2.1.gz", text, 10);
	source = source_follow("grow_2.1", on_missed, &gone);
	expect_next(source, 0, 10);
	source_free(source);
	EXPECT(gone.calls == 0);
	source = source_follow("missing", on_missed, &gone);
	EXPECT(source_read(source, &gone, 1) == -1 && errno == ENOENT);
	source_free(source);
}

/* Parts that are deleted while a log is followed. */
static void
test_follow_deleted(void)
{
	struct gone gone = {0};
	struct source *source = source_follow("keep_1", on_missed, &gone);
	struct source *twin = source_follow_twin(source);
	char all[40];

	file_append("keep_1", text, 10);
	expect_next(source, 0, 10);
	file_append("keep_1.1", text + 10, 10);
	expect_next(source, 10, 10);
	EXPECT(unlink("keep_1") == 0 && unlink("keep_1.1") == 0);
	file_append("keep_1.4", text + 50, 10);
	file_append("keep_1.6", text + 70, 10); /* another hole, found when .4 is gone too */
	expect_next(source, 50, 10);
	EXPECT(gone.calls == 1 && gone.count == 2 && strcmp(gone.path, "keep_1.4") == 0);
	EXPECT(unlink("keep_1.4") == 0);
	expect_next(source, 70, 10);
	EXPECT(gone.calls == 2 && gone.count == 1 && strcmp(gone.path, "keep_1.6") == 0);
	EXPECT(unlink("keep_1.6") == 0);
	for (int look = 0; look < 10; look++)
		expect_next(source, 0, 0);
	EXPECT(gone.calls == 3 && strcmp(gone.path, "nothing") == 0);
	source_free(source);
	/* the other one still reads what was deleted */
	memcpy(all, text, 20);
	memcpy(all + 20, text + 50, 10);
	memcpy(all + 30, text + 70, 10);
	expect_all(twin, 64, all, sizeof(all), 0);
	EXPECT(gone.calls == 3);
}

/* Parts that are not to be opened yet. */
static void
test_follow_until(void)
{
	struct gone gone = {0};
	struct source *source = source_follow("until_1", on_missed, &gone);

	source_follow_until(source, 1);
	file_append("until_1", text, 10);
	file_append("until_1.1", text + 10, 10);
	file_append("until_1.2", text + 20, 10);
	expect_next(source, 0, 20);
	/* nor is what is missing behind them told */
	EXPECT(unlink("until_1") == 0 && unlink("until_1.1") == 0 && unlink("until_1.2") == 0);
	file_append("until_1.3", text + 30, 10);
	expect_next(source, 0, 0);
	EXPECT(gone.calls == 0);
	source_follow_until(source, UINT_MAX);
	expect_next(source, 30, 10);
	EXPECT(gone.calls == 1 && gone.count == 1 && strcmp(gone.path, "until_1.3") == 0);
	source_free(source);
}

int
main(void)
{
	char folder[] = "/tmp/source_test.XXXXXX";
	uint32_t state = 1;

	for (size_t i = 0; i < TEXT_SIZE; i++) {
		state = state * 1664525 + 1013904223;
		text[i] = (char)('a' + (state >> 24) % 64);
	}
	folder_enter(folder);
	test_plain();
	test_gzip();
	test_skip();
	test_pipes();
	test_concat();
	test_follow();
	test_follow_deleted();
	test_follow_until();
	folder_remove(folder);
	puts("ok source_test");
	return 0;
}
