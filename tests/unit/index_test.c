/* Lines of the index: what is written is read back; what is damaged is passed over. */
#include "format/index.h"

#include <unistd.h>

#include "tests/unit/test.h"

static struct index_entry
example(void)
{
	struct index_entry entry = {.n = 7,
	    .log = "root_7.gz",
	    .run = "20261121T030201-17",
	    .start = 1795230121123456000,
	    .time = 123500000,
	    .client = "127.0.0.1:40000",
	    .server = "[fe80::1%eth0]:80",
	    .closed = true,
	    .duration = 1500000000,
	    .connect = 250000,
	    .bytes = {10, UINT64_MAX},
	    .end = "c hup",
	    .lost = 3};

	return entry;
}

static void
test_encode(void)
{
	struct index_entry entry = example();
	char line[4096];
	size_t length = index_encode(&entry, line, sizeof(line));
	static const char close[] =
	    "{\"event\":\"close\",\"n\":7,\"log\":\"root_7.gz\",\"run\":\"20261121T030201-17\","
	    "\"start\":\"2026-11-21T03:02:01.123456Z\",\"time\":0.123500,"
	    "\"client\":\"127.0.0.1:40000\",\"server\":\"[fe80::1%eth0]:80\","
	    "\"duration\":1.500000,\"connect\":0.000250,\"client_bytes\":10,"
	    "\"server_bytes\":18446744073709551615,\"end\":\"c hup\",\"lost\":3}\n";

	EXPECT(length == strlen(close) && memcmp(line, close, length) == 0);
	for (size_t size = 0; size <= length; size++)
		EXPECT(index_encode(&entry, line, size) == 0);
	EXPECT(index_encode(&entry, line, length + 1) == length);
	entry.closed = false;
	entry.scripted = true;
	entry.start = 0;
	length = index_encode(&entry, line, sizeof(line));
	EXPECT(memmem(line, length, "\"event\":\"open\"", 14) != NULL);
	EXPECT(memmem(line, length, "\"start\":null", 12) != NULL);
	EXPECT(memmem(line, length, ",\"scripted\":true}\n", 18) != NULL);
}

static void
expect_round_trip(const struct index_entry *entry)
{
	struct index_entry back;
	char line[4096];
	size_t length = index_encode(entry, line, sizeof(line));

	EXPECT(length > 0 && line[length - 1] == '\n');
	EXPECT(memchr(line, '\n', length) == line + length - 1);
	EXPECT(index_decode(line, length - 1, &back) == 0);
	EXPECT(back.n == entry->n && back.start == entry->start && back.time == entry->time);
	EXPECT(strcmp(back.log, entry->log) == 0 && strcmp(back.run, entry->run) == 0);
	EXPECT(strcmp(back.client, entry->client) == 0 && strcmp(back.server, entry->server) == 0);
	EXPECT(back.closed == entry->closed && back.scripted == entry->scripted);
	EXPECT(back.connect == entry->connect && back.duration == entry->duration);
	EXPECT(back.bytes[0] == entry->bytes[0] && back.bytes[1] == entry->bytes[1]);
	EXPECT(strcmp(back.end, entry->end) == 0 && back.lost == entry->lost);
}

static void
test_round_trip(void)
{
	struct index_entry entry = example();

	expect_round_trip(&entry);
	entry.connect = -1;
	entry.scripted = true;
	entry.time = -900000000;
	strcpy(entry.log, "q\"b\\s\x01\x1f\x7f\xff\xc3\xa4\xed\xa0\x80\xf0\x9f\x98\x80 \xc3");
	expect_round_trip(&entry);
	/* every byte that needs the longest escape: still fits 4096 */
	memset(entry.log, '\xff', sizeof(entry.log) - 1);
	memset(entry.run, '\x01', sizeof(entry.run) - 1);
	memset(entry.client, '\xfe', sizeof(entry.client) - 1);
	memset(entry.server, '\xfe', sizeof(entry.server) - 1);
	memset(entry.end, '\x02', sizeof(entry.end) - 1);
	entry.n = entry.lost = entry.bytes[0] = UINT64_MAX;
	expect_round_trip(&entry);
}

static void
test_decode_others(void)
{
	static const char line[] =
	    " { \"n\" : 3 , \"more\" : [ { \"a\" : [ ] , \"b\" : { } } , null , -1.5e+3 ] , "
	    "\"event\":\"close\", \"log\" : \"\\u0061\\u00e4\\ud83d\\ude00\\/\\t\" , "
	    "\"connect\":null, \"duration\":15e-1, \"time\":1e-06, "
	    "\"scripted\":false, \"a name that is longer than any of those that are known\":0 } ";
	struct index_entry entry;

	EXPECT(index_decode(line, strlen(line), &entry) == 0);
	EXPECT(entry.n == 3 && entry.closed && entry.connect == -1);
	EXPECT(strcmp(entry.log, "a\xc3\xa4\xf0\x9f\x98\x80/\t") == 0);
	EXPECT(entry.duration == 1500000000 && entry.time == 1000);
}

static void
test_decode_refuses(void)
{
	static const char *const bad[] = {"", "{", "}", "{}", "[]", "null", "{\"event\":\"open\"}",
	    "{\"n\":1}", "{\"event\":\"open\",\"n\":0}", "{\"event\":\"open\",\"n\":-1}",
	    "{\"event\":\"open\",\"n\":1.5}", "{\"event\":\"open\",\"n\":\"1\"}",
	    "{\"event\":\"open\",\"n\":18446744073709551616}", "{\"event\":\"open\",\"n\":1",
	    "{\"event\":\"open\",\"n\":1,}", "{\"event\":\"open\",\"n\":1}x",
	    "{\"event\":\"open\" \"n\":1}", "{\"event\":\"gone\",\"n\":1}",
	    "{\"event\":\"open\",\"n\":01}", "{\"event\":\"open\",\"n\":1,\"log\":\"\\u0000\"}",
	    "{\"event\":\"open\",\"n\":1,\"log\":\"\\ud800\"}",
	    "{\"event\":\"open\",\"n\":1,\"log\":\"\\x\"}",
	    "{\"event\":\"open\",\"n\":1,\"log\":\"\n\"}", "{\"event\":\"open\",\"n\":1,\"log\":7}",
	    "{\"event\":\"open\",\"n\":1,\"start\":\"yesterday\"}",
	    "{\"event\":\"open\",\"n\":1,\"time\":1e300}",
	    "{\"event\":\"open\",\"n\":1,\"end\":\"much longer than an end\"}",
	    "{\"event\":\"open\",\"n\":1,\"scripted\":1}", "{\"event\":\"open\",\"n\":1,\"x\":tru}",
	    "{\"event\":\"open\",\"n\":1,\"x\":-}", "{\"event\":\"open\",\"n\":1,\"x\":1.}",
	    "{\"event\":\"open\",\"n\":1,\"x\":1e}", "{\"event\":\"open\",\"n\":1,\"x\":[1}"};
	struct index_entry entry;
	char deep[1000] = "{\"event\":\"open\",\"n\":1,\"x\":";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (index_decode(bad[i], strlen(bad[i]), &entry) == 0)
			fprintf(stderr, "accepted: %s\n", bad[i]);
		EXPECT(index_decode(bad[i], strlen(bad[i]), &entry) == -1);
	}
	memset(deep + strlen(deep), '[', sizeof(deep) - strlen(deep));
	EXPECT(index_decode(deep, sizeof(deep), &entry) == -1);
}

static void
test_times(void)
{
	static const char *const bad[] = {"", "2026-11-21", "2026-11-21T03:02:01",
	    "2026-11-21T03:02:01.Z", "2026-13-21T03:02:01Z", "2026-11-32T03:02:01Z",
	    "2026-11-21T24:02:01Z", "2026-11-21T03:02:01Zx", "2026-11-21T03:02:01+1:00",
	    "2026-11-21T03:02:01+25:00", "9999-11-21T03:02:01Z", "2026-11-21T03:02:01 Z"};
	char text[INDEX_TIME_MAX];
	int64_t epoch;

	index_time_format(0, text);
	EXPECT(strcmp(text, "1970-01-01T00:00:00.000000Z") == 0);
	index_time_format(-1, text);
	EXPECT(strcmp(text, "1969-12-31T23:59:59.999999Z") == 0);
	index_time_format(INT64_MAX, text);
	EXPECT(index_time_parse(text, &epoch) == 0 && epoch == INT64_MAX / 1000 * 1000);
	EXPECT(index_time_parse("2026-11-21T03:02:01.123456Z", &epoch) == 0);
	EXPECT(epoch == 1795230121123456000);
	EXPECT(index_time_parse("2026-11-21t04:32:01.1234569999+01:30", &epoch) == 0);
	EXPECT(epoch == 1795230121123456999);
	EXPECT(index_time_parse("2026-11-20T22:02:01-05:00", &epoch) == 0);
	EXPECT(epoch == 1795230121000000000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (index_time_parse(bad[i], &epoch) == 0)
			fprintf(stderr, "accepted: %s\n", bad[i]);
		EXPECT(index_time_parse(bad[i], &epoch) == -1);
	}
}

static void
put(FILE *file, uint64_t n, const char *run, bool closed)
{
	struct index_entry entry = {.n = n, .closed = closed};
	char line[4096];

	strcpy(entry.run, run);
	fwrite(line, 1, index_encode(&entry, line, sizeof(line)), file);
}

static void
test_load(void)
{
	char root[] = "/tmp/index_test.XXXXXX", path[64];
	int fd = mkstemp(root);
	struct index *index = index_load(root);
	const struct index_entry *entries;
	size_t count;
	FILE *file;

	EXPECT(fd >= 0 && index != NULL); /* a file that is missing */
	entries = index_entries(index, &count);
	EXPECT(count == 0 && index_find(index, 1) == NULL);
	index_free(index);

	snprintf(path, sizeof(path), "%s_index.jsonl", root);
	file = fopen(path, "w");
	EXPECT(file != NULL);
	put(file, 10, "a", false);
	put(file, 2, "a", false);
	put(file, 2, "a", true);
	fprintf(file, "garbage\n\n");
	for (int i = 0; i < 100000; i++)
		fputc('x', file);
	fputc('\n', file);
	put(file, 2, "b", false);
	put(file, 3, "b", true);
	put(file, 3, "b", false); /* an open event does not undo a close */
	fprintf(file, "{\"event\":\"close\",\"n\":10,\"run\":\"a");
	fclose(file);

	index = index_load(root);
	EXPECT(index != NULL);
	EXPECT(index_damaged(index) == 4);
	entries = index_entries(index, &count);
	EXPECT(count == 4);
	EXPECT(entries[0].n == 2 && entries[0].closed && strcmp(entries[0].run, "a") == 0);
	EXPECT(entries[1].n == 2 && !entries[1].closed && strcmp(entries[1].run, "b") == 0);
	EXPECT(entries[2].n == 3 && entries[2].closed && entries[3].n == 10 && !entries[3].closed);
	EXPECT(index_find(index, 2) == &entries[1] && index_find(index, 10) == &entries[3]);
	EXPECT(index_find(index, 1) == NULL && index_find(index, 4) == NULL);
	EXPECT(index_find(index, 11) == NULL);
	index_free(index);
	unlink(path);
	close(fd);
	unlink(root);
}

int
main(void)
{
	test_encode();
	test_round_trip();
	test_decode_others();
	test_decode_refuses();
	test_times();
	test_load();
	puts("ok index_test");
	return 0;
}
