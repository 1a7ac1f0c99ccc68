/* Logs record by record: those of 2010, cut ones, damaged ones, huge lengths; the offset is always
 * exact. */
#include "format/reader.h"

#include <errno.h>
#include <sys/stat.h>

#include "tests/unit/files.h"

/* What a log was found to hold. */
struct result {
	size_t records;
	uint64_t bytes[2];
	struct record last;
	enum reader_status status;
	uint64_t offset, whole;
	char message[512];
};

static struct result
run(struct source *source, const char *name, bool fetch)
{
	struct reader *reader = reader_new(source, name);
	struct result result = {.records = 0};
	struct record record;
	const unsigned char *piece;

	EXPECT(source != NULL && reader != NULL);
	while ((result.status = reader_next(reader, &record)) == READER_RECORD) {
		uint64_t got = 0;
		ssize_t size = 1;
		result.records++;
		result.last = record;
		if (!fetch) {
			result.bytes[record.side] += record.size;
			continue;
		}
		while ((size = reader_data(reader, &piece)) > 0)
			got += (uint64_t)size;
		result.bytes[record.side] += got;
		EXPECT(size < 0 || got == record.size);
	}
	EXPECT(reader_next(reader, &record) == result.status); /* stays so */
	result.offset = reader_offset(reader);
	result.whole = reader_whole(reader);
	strlcpy(result.message, reader_message(reader), sizeof(result.message));
	reader_free(reader);
	return result;
}

static struct result
run_text(const char *text)
{
	struct result fetched = run(source_from_memory(text, strlen(text)), "log", true);
	struct result skipped = run(source_from_memory(text, strlen(text)), "log", false);

	EXPECT(fetched.status == skipped.status && fetched.records == skipped.records);
	EXPECT(fetched.whole == skipped.whole && fetched.offset == skipped.offset);
	EXPECT(strcmp(fetched.message, skipped.message) == 0);
	return fetched;
}

static struct result
run_sample(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "tests/data/2010/%s", name);
	return run(source_open(path), name, true);
}

static void
test_samples(void)
{
	struct result result = run_sample("dead-server_1");

	EXPECT(result.status == READER_END && result.records == 1 && result.whole == 15);
	EXPECT(result.last.type == RECORD_CON && result.last.time == 123500000);
	result = run_sample("http-keepalive_3");
	EXPECT(result.status == READER_END && result.records == 4);
	EXPECT(result.bytes[SIDE_CLIENT] == 110 && result.bytes[SIDE_SERVER] == 1272);
	result = run_sample("redis-raw_1");
	EXPECT(result.status == READER_END && result.records == 4);
	EXPECT(result.bytes[SIDE_CLIENT] == 126 && result.bytes[SIDE_SERVER] == 130);
	EXPECT(result.last.side == SIDE_SERVER && result.last.type == RECORD_HUP);
	result = run_sample("sig-TERM_1");
	EXPECT(result.status == READER_CUT && result.records == 228 && result.whole == 8151);
	EXPECT(strcmp(result.message, "sig-TERM_1: byte 8192: cut short: 27 of 40 bytes of data "
				      "are there (record at byte 8151)") == 0);
	result = run_sample("time-equal-usec_1");
	EXPECT(result.status == READER_END && result.records == 8 && result.whole == 154);
	EXPECT(result.last.time == 5000000000 && result.last.type == RECORD_HUP);
}

static void
test_ends(void)
{
	struct result result = run_text("");

	EXPECT(result.status == READER_END && result.records == 0 && result.whole == 0);
	EXPECT(result.message[0] == '\0');
	result = run_text("c 0.000001 con\nc 0.000002 0\ns 0.000003 err\n");
	EXPECT(result.status == READER_END && result.records == 3 && result.whole == 43);
}

/* Wherever a log is cut, the records before are delivered and the place is told. */
static void
test_every_cut(void)
{
	static const char log[] = "c 0.000001 con\nc 0.000002 5\nhelloc 0.000003 hup\n";
	static const size_t ends[] = {0, 15, 33, 48};

	for (size_t size = 0; size < sizeof(log) - 1; size++) {
		char text[sizeof(log)], expected[64];
		struct result result;
		size_t whole = 0;
		memcpy(text, log, size);
		text[size] = '\0';
		for (size_t i = 0; i < 4; i++)
			if (ends[i] <= size)
				whole = ends[i];
		result = run_text(text);
		EXPECT(result.whole == whole);
		EXPECT(result.offset == whole);
		EXPECT(result.status == (whole == size ? READER_END : READER_CUT));
		if (whole == size)
			continue;
		snprintf(expected, sizeof(expected), "log: byte %zu: cut short", size);
		EXPECT(strncmp(result.message, expected, strlen(expected)) == 0);
	}
}

static void
test_bad(void)
{
	static const char *const bad[] = {"hello\n", "hello", "c 0.000001 con\r\n", "\n",
	    "s 0.000001 con\n", "c 0.000001 99999999999999999999\n", "c 0.000001 -5\nhello",
	    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000",
	    "c 000000000000000000000000000000000000000000000000000000000000000000000000000000001",
	    "c 0.000001 00000000000000000000000000000000000000000000000000000000000000000000001",
	    "\x1b[31m"};
	static const char before[] = "c 0.000001 con\ns 0.000002 3\nabc";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256];
		struct result result;
		snprintf(text, sizeof(text), "%s%s", before, bad[i]);
		result = run_text(text);
		EXPECT(result.status == READER_BAD && result.records == 2);
		EXPECT(result.whole == strlen(before) && result.offset == strlen(before));
		EXPECT(strncmp(result.message, "log: byte 31: ", 14) == 0);
		EXPECT(strlen(result.message) > 20);
		for (const char *c = result.message; *c != '\0'; c++)
			EXPECT(*c >= ' ' && *c < 0x7f);
	}
}

static void
test_huge_lengths(void)
{
	static const char *const lengths[] = {"2147483648", "4294967296", "9223372036854775807",
	    "9223372036854775808", "18446744073709551615"};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char text[64], expected[256];
		struct result result;
		snprintf(text, sizeof(text), "c 0.000001 %s\nhello", lengths[i]);
		result = run_text(text);
		EXPECT(result.status == READER_CUT && result.records == 1 && result.whole == 0);
		snprintf(expected, sizeof(expected),
		    "log: byte %zu: cut short: 5 of %s bytes of data are there (record at byte 0)",
		    strlen(text), lengths[i]);
		EXPECT(strcmp(result.message, expected) == 0);
	}
}

/* Five gigabytes of payload, all of it a hole: passed over in no time and no memory. */
static void
test_sparse(void)
{
	static const char header[] = "c 0.000001 5368709120\n", end[] = "c 0.000002 hup\n";
	struct result result;
	FILE *file = fopen("sparse", "w");

	EXPECT(file != NULL);
	fputs(header, file);
	EXPECT(fseeko(file, INT64_C(5368709120), SEEK_CUR) == 0);
	fputs(end, file);
	fclose(file);
	result = run(source_open("sparse"), "sparse", false);
	EXPECT(result.status == READER_END && result.records == 2);
	EXPECT(result.whole == 5368709120 + strlen(header) + strlen(end));
	EXPECT(truncate("sparse", 5368709120 + (off_t)strlen(header) - 1) == 0);
	result = run(source_open("sparse"), "sparse", false);
	EXPECT(result.status == READER_CUT && result.whole == 0);
	EXPECT(
	    strcmp(result.message, "sparse: byte 5368709141: cut short: 5368709119 of 5368709120 "
				   "bytes of data are there (record at byte 0)") == 0);
}

/* Records of many sizes, so that headers and payload meet all the buffer's edges. */
static void
test_sizes(bool gzip)
{
	static char data[200000];
	char header[RECORD_HEADER_MAX];
	const char *path = gzip ? "sizes.gz" : "sizes";
	uint64_t total = 0, written = 0;
	struct result result;
	void (*append)(const char *, const void *, size_t) = gzip ? file_append_gzip : file_append;
	size_t count = 0;

	for (size_t size = 1; size < sizeof(data); size += size / 3 + 1, count++) {
		struct record record = {SIDE_SERVER, RECORD_DATA, 0, size};
		size_t length = record_encode(&record, header);
		append(path, header, length);
		append(path, data, size);
		total += size;
		written += length + size;
	}
	for (int fetch = 0; fetch <= 1; fetch++) {
		result = run(source_open(path), path, fetch != 0);
		EXPECT(result.status == READER_END && result.records == count);
		EXPECT(result.bytes[SIDE_SERVER] == total && result.whole == written);
	}
}

static void
test_gzip_cut(void)
{
	struct result result;
	struct stat status;

	file_append_gzip("cut.gz", "c 0.000001 con\n", 15);
	EXPECT(stat("cut.gz", &status) == 0);
	file_append_gzip("cut.gz", "c 0.000002 3\nabc", 16);
	/* the second member has lost its trailer only: its record is whole, the log is not */
	EXPECT(truncate("cut.gz", 2 * status.st_size - 4) == 0);
	result = run(source_open("cut.gz"), "cut.gz", false);
	EXPECT(result.status == READER_CUT && result.records == 2 && result.whole == 31);
	EXPECT(strcmp(result.message, "cut.gz: byte 31: cut short inside a gzip member") == 0);
	EXPECT(truncate("cut.gz", status.st_size + 1) == 0);
	result = run(source_open("cut.gz"), "cut.gz", true);
	EXPECT(result.status == READER_CUT && result.records == 1 && result.whole == 15);

	EXPECT(truncate("cut.gz", status.st_size) == 0);
	file_append("cut.gz", "garbage", 7);
	result = run(source_open("cut.gz"), "cut\n.gz", true);
	EXPECT(result.status == READER_FAILED && result.records == 1 && result.whole == 15);
	EXPECT(strcmp(result.message, "cut\\n.gz: byte 15: damaged gzip data") == 0);
}

/* A log that grows, a few bytes at a time. */
static void
test_retry(void)
{
	static const char log[] = "c 0.000001 con\nc 0.000002 5\nhelloc 0.000003 hup\n";
	struct reader *reader = NULL;
	struct record record;
	const unsigned char *piece;
	size_t records = 0, bytes = 0;

	unlink("growing_1");
	for (size_t at = 0; at < sizeof(log) - 1; at++) {
		enum reader_status status;
		file_append("growing_1", log + at, 1);
		if (reader == NULL)
			reader = reader_new(source_follow("growing_1", NULL, NULL), "growing_1");
		EXPECT(reader != NULL);
		reader_retry(reader);
		if (records == 2 && bytes < 5) {
			ssize_t got = reader_data(reader, &piece);
			EXPECT(got == 1 && *piece == (unsigned char)"hello"[bytes]);
			bytes++;
			continue;
		}
		status = reader_next(reader, &record);
		EXPECT(status == READER_RECORD || status == READER_CUT);
		records += status == READER_RECORD;
	}
	EXPECT(records == 3 && bytes == 5 && record.type == RECORD_HUP);
	EXPECT(reader_next(reader, &record) == READER_END);
	EXPECT(reader_whole(reader) == sizeof(log) - 1);
	reader_free(reader);
}

/* What ends in front of a record, in the middle of one, before the first. */
static void
test_end_at(void)
{
	static const char log[] = "c 0.000001 con\nc 0.000002 5\nhelloc 0.000003 hup\n";
	static const struct {
		uint64_t end;
		size_t records;
	} cases[] = {{0, 0}, {1, 1}, {15, 1}, {16, 2}, {33, 2}, {34, 3}, {UINT64_MAX, 3}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reader *reader = reader_new(source_from_memory(log, sizeof(log) - 1), "log");
		struct record record;
		size_t records = 0;
		EXPECT(reader != NULL);
		reader_end_at(reader, cases[i].end);
		while (reader_next(reader, &record) == READER_RECORD)
			records++;
		EXPECT(records == cases[i].records && reader_next(reader, &record) == READER_END);
		reader_free(reader);
	}
}

/* Which part of a log stopped the reader. */
static void
test_part(void)
{
	char *paths[] = {"split_1", "split_1.1", "split_1.2"};
	static const size_t missing[] = {0, 1, 2};
	struct record record;

	for (size_t i = 0; i < 3; i++) {
		struct reader *reader;
		file_append("split_1", "c 0.000001 con\n", 15);
		file_append("split_1.1", "c 0.000002 1\na", 14);
		file_append("split_1.2", "c 0.000003 hup\n", 15);
		EXPECT(unlink(paths[missing[i]]) == 0);
		reader = reader_new(source_concat(paths, 3), "split_1");
		EXPECT(reader != NULL);
		for (size_t k = 0; k < missing[i]; k++)
			EXPECT(reader_next(reader, &record) == READER_RECORD);
		EXPECT(reader_next(reader, &record) == READER_FAILED);
		EXPECT(reader_error(reader) == ENOENT && reader_part(reader) == missing[i]);
		reader_free(reader);
		for (size_t k = 0; k < 3; k++)
			EXPECT(k == missing[i] || unlink(paths[k]) == 0);
	}
}

int
main(void)
{
	char folder[] = "/tmp/reader_test.XXXXXX";

	test_samples();
	test_ends();
	test_every_cut();
	test_bad();
	test_huge_lengths();
	folder_enter(folder);
	test_sparse();
	test_sizes(false);
	test_sizes(true);
	test_gzip_cut();
	test_retry();
	test_end_at();
	test_part();
	folder_remove(folder);
	puts("ok reader_test");
	return 0;
}
