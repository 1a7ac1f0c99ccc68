/* Names, parts, members and failures of logs as format/writer.c writes them. */
#include "format/writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/unit/test.h"

static char directory[] = "/tmp/writer_test.XXXXXX";
static char parts[1024]; /* what part_done() was told, a line each */

static void
directory_clear(void)
{
	DIR *stream = opendir(".");
	struct dirent *item;

	EXPECT(stream != NULL);
	while ((item = readdir(stream)) != NULL)
		unlink(item->d_name);
	closedir(stream);
	parts[0] = '\0';
}

static void
file_write(const char *name, const char *text)
{
	FILE *stream = fopen(name, "w");

	EXPECT(stream != NULL);
	fputs(text, stream);
	fclose(stream);
}

/* The file's bytes, gunzipped if they are gzip; a string. */
static char *
file_read(const char *name)
{
	static char text[1 << 20];
	gzFile file = gzopen(name, "r");

	EXPECT(file != NULL);
	int size = gzread(file, text, sizeof(text) - 1);
	EXPECT(size >= 0);
	EXPECT(gzclose(file) == Z_OK);
	text[size] = '\0';
	return text;
}

static off_t
file_size(const char *name)
{
	struct stat status;

	EXPECT(stat(name, &status) == 0);
	return status.st_size;
}

static void
part_done(void *context, const char *path, uint64_t size)
{
	(void)context;
	size_t length = strlen(parts);
	snprintf(
	    parts + length, sizeof(parts) - length, "%s %llu\n", path, (unsigned long long)size);
}

static struct log_root *
root_open(const char *name, int gzip_level, uint64_t rotate_size)
{
	struct log_root *root = log_root_open(&(struct log_root_config){.root = name,
	    .gzip_level = gzip_level,
	    .rotate_size = rotate_size,
	    .part_done = part_done});

	EXPECT(root != NULL);
	return root;
}

static struct log_entry
entry(enum side side, enum record_type type, int64_t microseconds, const char *data)
{
	return (struct log_entry){.record = {.side = side,
				      .type = type,
				      .time = microseconds * 1000,
				      .size = data == NULL ? 0 : strlen(data)},
	    .data = data};
}

/* The number that a log opened on `name` gets; it is removed again. */
static uint64_t
number_given(const char *name)
{
	struct log_root *root = root_open(name, 0, 0);
	struct log_writer log;
	char path[300];

	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(unlink(log_writer_path(root, &log, path, sizeof(path))) == 0);
	log_root_close(root);
	return log.n;
}

static void
test_record_bytes_and_mode(void)
{
	struct log_root *root = root_open("r", 0, 0);
	struct log_writer log;
	struct stat status;
	size_t written;
	struct log_entry entries[] = {entry(SIDE_CLIENT, RECORD_CON, 112614, NULL),
	    entry(SIDE_CLIENT, RECORD_DATA, 1000000, "hello\n"),
	    entry(SIDE_SERVER, RECORD_DATA, 2500001, "x"),
	    entry(SIDE_SERVER, RECORD_ERR, 2500001, NULL),
	    entry(SIDE_CLIENT, RECORD_HUP, 12000000, NULL)};

	umask(0);
	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append(root, &log, entries, 3, &written) == 0 && written == 3);
	log_writer_park(&log);
	EXPECT(log_writer_append(root, &log, entries + 3, 2, &written) == 0 && written == 2);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(strcmp(file_read("r_1"), "c 0.112614 con\nc 1.000000 6\nhello\ns 2.500001 1\nx"
					"s 2.500001 err\nc 12.000000 hup\n") == 0);
	EXPECT(stat("r_1", &status) == 0 && (status.st_mode & 07777) == 0600);
	EXPECT(strcmp(parts, "r_1 79\n") == 0);
	EXPECT(log_root_next(root) == 2);
	log_root_close(root);
	directory_clear();
}

static void
test_numbers_continue_after_every_spelling(void)
{
	EXPECT(number_given("r") == 1);
	file_write("r_3", "");
	EXPECT(number_given("r") == 4);
	file_write("r_5.gz", "");
	EXPECT(number_given("r") == 6);
	file_write("r_7.2", "");
	EXPECT(number_given("r") == 8);
	file_write("r_9.1.gz", "");
	EXPECT(number_given("r") == 10);
	file_write("r12", "");
	EXPECT(number_given("r") == 13);
	file_write("r_99999999999999999999", "");
	file_write("r_18446744073709551615", "");
	file_write("r_77x", "");
	file_write("r1_88", "");
	file_write("rr_99", "");
	EXPECT(number_given("r") == 13);
	file_write("r_index.jsonl",
	    "{\"event\":\"open\",\"n\":20,\"log\":\"r_20\"}\nbroken\n{\"event\":\"op");
	EXPECT(number_given("r") == 21);
	directory_clear();
}

static void
test_taken_numbers_are_passed_over(void)
{
	struct log_root *plain = root_open("r", 0, 0);
	struct log_root *gzip = root_open("r", 6, 0);
	struct log_root *other = root_open("r", 0, 0);
	struct log_writer logs[4];

	EXPECT(log_writer_create(plain, &logs[0]) == 0 && logs[0].n == 1);
	EXPECT(log_writer_create(gzip, &logs[1]) == 0 && logs[1].n == 2);
	EXPECT(access("r_1.gz", F_OK) != 0);
	EXPECT(log_writer_create(other, &logs[2]) == 0 && logs[2].n == 3);
	EXPECT(access("r_2", F_OK) != 0);
	EXPECT(symlink("/tmp/nowhere", "r_4") == 0);
	EXPECT(log_writer_create(other, &logs[3]) == 0 && logs[3].n == 5);
	log_writer_close(plain, &logs[0]);
	log_writer_close(gzip, &logs[1]);
	log_writer_close(other, &logs[2]);
	log_writer_close(other, &logs[3]);
	log_root_close(plain);
	log_root_close(gzip);
	log_root_close(other);
	directory_clear();
}

static void
test_rotation_at_record_boundaries(void)
{
	struct log_root *root = root_open("r", 0, 40);
	struct log_writer log;
	size_t written;
	struct log_entry entries[] = {entry(SIDE_CLIENT, RECORD_CON, 0, NULL), /* 15 bytes */
	    entry(SIDE_CLIENT, RECORD_DATA, 0, "0123456789"),		       /* 24 */
	    entry(SIDE_SERVER, RECORD_DATA, 0, "ab"),			       /* 15 */
	    entry(SIDE_SERVER, RECORD_DATA, 0, "0123456789012345678901234567890123456789012345"),
	    entry(SIDE_CLIENT, RECORD_HUP, 0, NULL), entry(SIDE_SERVER, RECORD_HUP, 0, NULL)};

	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append(root, &log, entries, 6, &written) == 0 && written == 6);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(strcmp(parts, "r_1 39\nr_1.1 15\nr_1.2 60\nr_1.3 30\n") == 0);
	EXPECT(strcmp(file_read("r_1"), "c 0.000000 con\nc 0.000000 10\n0123456789") == 0);
	EXPECT(strcmp(file_read("r_1.1"), "s 0.000000 2\nab") == 0);
	EXPECT(file_size("r_1.2") == 60);
	EXPECT(strcmp(file_read("r_1.3"), "c 0.000000 hup\ns 0.000000 hup\n") == 0);
	EXPECT(log_root_remove(root, 1, 2) == 0 && access("r_1.2", F_OK) != 0);
	log_root_close(root);
	directory_clear();
}

static void
test_gzip_members(void)
{
	static char big[300000];
	struct log_root *root = root_open("r", 6, 0);
	struct log_writer log;
	size_t written;

	for (size_t i = 0; i < sizeof(big) - 1; i++)
		big[i] = (char)('a' + (i * i >> 7) % 26);
	struct log_entry entries[] = {entry(SIDE_CLIENT, RECORD_CON, 0, NULL),
	    entry(SIDE_SERVER, RECORD_DATA, 0, big), entry(SIDE_SERVER, RECORD_HUP, 0, NULL)};
	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append(root, &log, entries, 1, &written) == 0);
	EXPECT(strcmp(file_read("r_1.gz"), "c 0.000000 con\n") == 0);
	log_writer_park(&log);
	EXPECT(log_writer_append(root, &log, entries + 1, 1, &written) == 0);
	log_root_set_level(root, 0);
	EXPECT(log_writer_append(root, &log, entries + 1, 2, &written) == 0);
	log_root_set_level(root, 9);
	EXPECT(log_writer_append(root, &log, entries, 1, &written) == 0);
	EXPECT((uint64_t)file_size("r_1.gz") == log.part_size && log.part_size > sizeof(big));
	EXPECT(log_writer_close(root, &log) == 0);
	const char *text = file_read("r_1.gz");
	size_t length = strlen(big);
	EXPECT(strlen(text) == 15 + 18 + length + 18 + length + 15 + 15);
	EXPECT(memcmp(text + 15, "s 0.000000 299999\n", 18) == 0);
	EXPECT(memcmp(text + 33, big, length) == 0);
	EXPECT(memcmp(text + 33 + length + 18, big, length) == 0);
	log_root_close(root);
	directory_clear();
}

/* Parts stay below the size; together they are the log. */
static void
test_gzip_rotation(void)
{
	enum { COUNT = 3000, SIZE = 3000 };
	static struct log_entry entries[COUNT];
	static char noise[COUNT][12];
	static char whole[1 << 20];
	struct log_root *root = root_open("r", 6, SIZE);
	struct log_writer log;
	size_t written, expected = 0;
	char name[32] = "r_1.gz";

	for (size_t i = 0; i < COUNT; i++) {
		snprintf(noise[i], sizeof(noise[i]), "%u", (unsigned)(i * 2654435761U));
		entries[i] = entry(SIDE_CLIENT, RECORD_DATA, (int64_t)i, noise[i]);
		char header[RECORD_HEADER_MAX];
		expected += record_encode(&entries[i].record, header) + strlen(noise[i]);
	}
	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append(root, &log, entries, COUNT, &written) == 0 && written == COUNT);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(log.part > 2);
	for (unsigned part = 0; part <= log.part; part++) {
		if (part > 0)
			snprintf(name, sizeof(name), "r_1.%u.gz", part);
		EXPECT(file_size(name) <= SIZE);
		EXPECT(part == log.part || file_size(name) > SIZE / 2);
		strcat(whole, file_read(name));
	}
	EXPECT(strlen(whole) == expected);
	log_root_close(root);
	directory_clear();
}

/* RLIMIT_FSIZE stands for a full disk: part of a record is taken back. */
static void
test_failure_ends_at_a_whole_record(int gzip_level)
{
	static char big[8000];
	const char *name = gzip_level > 0 ? "r_1.gz" : "r_1";
	struct rlimit before, limit;
	struct log_root *root = root_open("r", gzip_level, 0);
	struct log_writer log;
	size_t written;

	memset(big, 'x', sizeof(big) - 1);
	struct log_entry first = entry(SIDE_CLIENT, RECORD_CON, 0, NULL);
	struct log_entry entries[] = {entry(SIDE_CLIENT, RECORD_DATA, 0, "abc"),
	    entry(SIDE_CLIENT, RECORD_DATA, 0, big), entry(SIDE_CLIENT, RECORD_HUP, 0, NULL)};
	signal(SIGXFSZ, SIG_IGN);
	EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append(root, &log, &first, 1, &written) == 0);
	limit = (struct rlimit){
	    .rlim_cur = gzip_level > 0 ? log.part_size + 20 : 4000, .rlim_max = before.rlim_max};
	EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	EXPECT(log_writer_append(root, &log, entries, 3, &written) == -1 && errno == EFBIG);
	EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
	EXPECT(written == (gzip_level > 0 ? 0 : 1));
	EXPECT((uint64_t)file_size(name) == log.part_size);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(strcmp(file_read(name),
		   gzip_level > 0 ? "c 0.000000 con\n" : "c 0.000000 con\nc 0.000000 3\nabc") == 0);
	log_root_close(root);
	directory_clear();
}

/* Records that are encoded already: they stay together. */
static void
test_encoded_records(int gzip_level)
{
	static const char first[] = "c 0.000000 con\nc 0.000000 10\n0123456789",
			  second[] = "s 0.000000 2\nab";
	const char *suffix = gzip_level > 0 ? ".gz" : "";
	struct log_root *root = root_open("r", gzip_level, gzip_level > 0 ? 90 : 40);
	struct log_writer log;
	char name[32];

	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append_encoded(root, &log, first, sizeof(first) - 1) == 0);
	log_writer_park(&log);
	EXPECT(log_writer_append_encoded(root, &log, second, sizeof(second) - 1) == 0);
	EXPECT(log_writer_append_encoded(root, &log, second, sizeof(second) - 1) == 0);
	EXPECT(log_writer_close(root, &log) == 0 && log.part > 0);
	snprintf(name, sizeof(name), "r_1%s", suffix);
	EXPECT(strcmp(file_read(name), first) == 0);
	snprintf(name, sizeof(name), "r_1.1%s", suffix);
	EXPECT(strncmp(file_read(name), second, sizeof(second) - 1) == 0);
	log_root_close(root);
	directory_clear();
}

static void
test_failure_of_encoded_records(int gzip_level)
{
	static const char records[] = "c 0.000000 con\nc 0.000000 3\nabcc 0.000000 8000\n";
	static char bytes[sizeof(records) - 1 + 8000];
	const char *name = gzip_level > 0 ? "r_1.gz" : "r_1";
	struct rlimit before, limit;
	struct log_root *root = root_open("r", gzip_level, 0);
	struct log_writer log;

	memcpy(bytes, records, sizeof(records) - 1);
	for (size_t i = sizeof(records) - 1; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + (i * i >> 5) % 26);
	signal(SIGXFSZ, SIG_IGN);
	EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append_encoded(root, &log, bytes, 15) == 0);
	limit = before;
	limit.rlim_cur = log.part_size + 80;
	EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	EXPECT(log_writer_append_encoded(root, &log, bytes + 15, sizeof(bytes) - 15) == -1);
	EXPECT(errno == EFBIG);
	EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
	EXPECT((uint64_t)file_size(name) == log.part_size);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(strcmp(file_read(name),
		   gzip_level > 0 ? "c 0.000000 con\n" : "c 0.000000 con\nc 0.000000 3\nabc") == 0);
	log_root_close(root);
	directory_clear();
}

static void
test_parked_log_is_not_followed_elsewhere(void)
{
	struct log_root *root = root_open("r", 0, 0);
	struct log_writer log;
	size_t written;
	struct log_entry con = entry(SIDE_CLIENT, RECORD_CON, 0, NULL);

	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(log_writer_append(root, &log, &con, 1, &written) == 0);
	log_writer_park(&log);
	EXPECT(log.fd == -1);
	EXPECT(rename("r_1", "elsewhere") == 0);
	EXPECT(log_writer_append(root, &log, &con, 1, &written) == -1 && errno == ENOENT);
	EXPECT(symlink("elsewhere", "r_1") == 0);
	EXPECT(log_writer_append(root, &log, &con, 1, &written) == -1 && errno == ELOOP);
	EXPECT(unlink("r_1") == 0);
	file_write("r_1", "c 0.000000 con\n");
	EXPECT(log_writer_append(root, &log, &con, 1, &written) == -1 && errno == ESTALE);
	EXPECT(rename("elsewhere", "r_1") == 0);
	EXPECT(truncate("r_1", 3) == 0);
	EXPECT(log_writer_append(root, &log, &con, 1, &written) == -1 && errno == ESTALE);
	log_writer_close(root, &log);
	log_root_close(root);
	directory_clear();
}

static void
test_descriptor_limit_can_be_tried_again(void)
{
	struct log_root *root = root_open("r", 0, 30);
	struct log_writer log, second;
	struct rlimit before, limit;
	size_t written;
	struct log_entry entries[] = {entry(SIDE_CLIENT, RECORD_CON, 0, NULL),
	    entry(SIDE_CLIENT, RECORD_DATA, 0, "0123456789"),
	    entry(SIDE_CLIENT, RECORD_HUP, 0, NULL)};

	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
	limit = (struct rlimit){.rlim_cur = (rlim_t)log.fd + 1, .rlim_max = before.rlim_max};
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(log_writer_create(root, &second) == -1 && errno == EMFILE);
	EXPECT(log_writer_append(root, &log, entries, 3, &written) == -1 && errno == EMFILE);
	EXPECT(written == 1);
	EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
	EXPECT(log_writer_append(root, &log, entries + 1, 2, &written) == 0 && written == 2);
	EXPECT(log_writer_create(root, &second) == 0 && second.n == 2);
	log_writer_close(root, &second);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(strcmp(file_read("r_1.2"), "c 0.000000 hup\n") == 0);
	log_root_close(root);
	directory_clear();
}

static void
test_root_survives_chdir(void)
{
	struct log_writer log;

	EXPECT(log_root_open(&(struct log_root_config){.root = ""}) == NULL && errno == EINVAL);
	EXPECT(log_root_open(&(struct log_root_config){.root = "missing/r"}) == NULL &&
	       errno == ENOENT);
	struct log_root *root = root_open("./r", 0, 0);
	EXPECT(chdir("/") == 0);
	EXPECT(log_writer_create(root, &log) == 0);
	EXPECT(chdir(directory) == 0);
	EXPECT(log_writer_close(root, &log) == 0);
	EXPECT(access("r_1", F_OK) == 0);
	EXPECT(strcmp(parts, "./r_1 0\n") == 0);
	log_root_close(root);
	directory_clear();
}

int
main(void)
{
	EXPECT(mkdtemp(directory) != NULL);
	EXPECT(chdir(directory) == 0);
	test_record_bytes_and_mode();
	test_numbers_continue_after_every_spelling();
	test_taken_numbers_are_passed_over();
	test_rotation_at_record_boundaries();
	test_gzip_members();
	test_gzip_rotation();
	test_encoded_records(0);
	test_encoded_records(6);
	test_failure_of_encoded_records(0);
	test_failure_of_encoded_records(6);
	test_failure_ends_at_a_whole_record(0);
	test_failure_ends_at_a_whole_record(6);
	test_parked_log_is_not_followed_elsewhere();
	test_descriptor_limit_can_be_tried_again();
	test_root_survives_chdir();
	EXPECT(rmdir(directory) == 0);
	return 0;
}
