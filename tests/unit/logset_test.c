/* Names of logs, and which files the operands of a command mean. */
#include "format/logset.h"

#include <stdarg.h>
#include <sys/stat.h>

#include "format/logname.h"
#include "tests/unit/files.h"

static void
test_match(void)
{
	static const struct {
		const char *name, *root;
		uint64_t n;
		unsigned part;
		bool gzip, joined;
	} good[] = {{"log_7", "log", 7, 0, false, false}, {"log_7.gz", "log", 7, 0, true, false},
	    {"log_7.2", "log", 7, 2, false, false}, {"log_7.12.gz", "log", 7, 12, true, false},
	    {"log7", "log", 7, 0, false, true}, {"log7.gz", "log", 7, 0, true, true},
	    {"a_1_2", "a_1", 2, 0, false, false}, {"a.5_3", "a.5", 3, 0, false, false},
	    {"log_18446744073709551615", "log", UINT64_MAX, 0, false, false}};
	static const char *const bad[] = {"log", "log_", "log_0", "log_07", "log_x", "log_7x",
	    "log_7.", "log_7.0", "log_7.x", "log_7.gz.gz", "log_7.gz.1", "log_7.1.1", "log7.1",
	    "log_index.jsonl", "log_18446744073709551616", "log__7", "lo_7", "log_-7", "log.gz",
	    "log_.gz", "log_7.4294967296"};
	struct logname name;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		EXPECT(logname_match(good[i].name, good[i].root, &name));
		EXPECT(name.n == good[i].n && name.part == good[i].part);
		EXPECT(name.gzip == good[i].gzip && name.joined == good[i].joined);
		EXPECT(logname_parse(good[i].name, &name));
		EXPECT(name.n == good[i].n && name.root_length == strlen(good[i].root));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (logname_match(bad[i], "log", &name))
			fprintf(stderr, "matches: %s\n", bad[i]);
		EXPECT(!logname_match(bad[i], "log", &name));
	}
	EXPECT(!logname_parse("capture", &name) && !logname_parse("", &name));
}

static void
expect_part(const char *path, unsigned part, bool gzip, const char *expected)
{
	char *result = logname_part(path, part, gzip);

	EXPECT(expected != NULL ? result != NULL && strcmp(result, expected) == 0
				: result == NULL && errno == EINVAL);
	free(result);
}

static void
test_part(void)
{
	expect_part("d.1/log_7", 1, false, "d.1/log_7.1");
	expect_part("d.1/log_7.gz", 2, true, "d.1/log_7.2.gz");
	expect_part("log_7.2.gz", 3, false, "log_7.3");
	expect_part("log_7.2", 0, false, "log_7");
	expect_part("log7", 1, false, NULL);
	expect_part("capture", 1, false, NULL);
}

/* Expect the set of `operands` to be items of these parts: "a_1,a_1.1 a_2". */
static void
expect_set(const char *recording, const char *expected, size_t missing, const char *first, ...)
{
	char *operands[8], text[4096] = "";
	struct logset set;
	size_t count = 0;
	va_list arguments;

	va_start(arguments, first);
	for (const char *at = first; at != NULL; at = va_arg(arguments, const char *))
		operands[count++] = strdup(at);
	va_end(arguments);
	if (logset_collect(&set, operands, count, recording) != 0) {
		EXPECT(set.error[0] != '\0');
		snprintf(text, sizeof(text), "! %s", set.error);
	}
	for (size_t i = 0; i < set.count && text[0] != '!'; i++) {
		EXPECT(set.items[i].name == set.items[i].parts[0]);
		for (size_t part = 0; part < set.items[i].part_count; part++) {
			strlcat(text, part > 0 ? "," : i > 0 ? " " : "", sizeof(text));
			strlcat(text, set.items[i].parts[part], sizeof(text));
		}
	}
	if (strcmp(text, expected) != 0 || set.missing != missing)
		fprintf(stderr, "is: '%s' missing %zu\nshould: '%s' missing %zu\n", text,
		    set.missing, expected, missing);
	EXPECT(strcmp(text, expected) == 0 && set.missing == missing);
	logset_release(&set);
	while (count > 0)
		free(operands[--count]);
}

static void
test_operands(void)
{
	static const char *const names[] = {"a_1", "a_10", "a_2", "a_2.1", "a_2.2.gz", "a_2.10",
	    "a3", "a_4.gz", "a_5", "a_5.gz", "a_6.3", "a_6.4", "a_x", "ab_1", "a_index.txt",
	    "single", "dir/b_1"};

	EXPECT(mkdir("dir", 0700) == 0 && mkdir("a_7", 0700) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		file_write(names[i], "");
	/* natural order; parts joined up to a gap; .gz passed over beside the plain file; no
	 * folders */
	expect_set(
	    NULL, "a_1 a_2,a_2.1,a_2.2.gz a_2.10 a3 a_4.gz a_5 a_6.3,a_6.4 a_10", 0, "a", NULL);
	expect_set(NULL,
	    "./a_1 ./a_2,./a_2.1,./a_2.2.gz ./a_2.10 ./a3 ./a_4.gz ./a_5 "
	    "./a_6.3,./a_6.4 ./a_10",
	    0, "./a", NULL);
	/* files bring the parts that follow them along, once; the order is the user's */
	expect_set(NULL, "a_10 a_2,a_2.1,a_2.2.gz single -", 0, "a_10", "a_2", "a_2.1", "single",
	    "-", NULL);
	expect_set(NULL, "a_2.1,a_2.2.gz a_2.10", 0, "a_2.1", "a_2.10", NULL);
	expect_set(NULL, "dir/b_1 ab_1", 0, "dir/b", "ab", NULL);
	expect_set(NULL, "! zz: no log of that name", 0, "a_1", "zz", NULL);
	expect_set(NULL, "! no/zz: no log of that name", 0, "no/zz", NULL);
	expect_set(NULL, "! : no log of that name", 0, "", NULL);
	expect_set(NULL, "! z\\nz: no log of that name", 0, "z\nz", NULL);
	expect_set(NULL, "! dir: is a directory, give the logroot inside it", 0, "dir", NULL);
	expect_set(NULL, "! dir/: is a directory, give the logroot inside it", 0, "dir/", NULL);
	/* a folder and a logroot of the same name */
	file_write("dir_1", "");
	expect_set(NULL, "dir_1", 0, "dir", NULL);
}

static void
put_index(FILE *file, uint64_t n, const char *run, int64_t start)
{
	struct index_entry entry = {.n = n, .start = start, .closed = true};
	char line[4096];

	strlcpy(entry.run, run, sizeof(entry.run));
	fwrite(line, 1, index_encode(&entry, line, sizeof(line)), file);
}

static void
test_index(void)
{
	struct logset set;
	char *operand = "i_3";
	FILE *file = fopen("i_index.jsonl", "w");

	EXPECT(file != NULL);
	put_index(file, 1, "run-a1", 3000000);
	put_index(file, 2, "run-a1", 4000000);
	put_index(file, 3, "run-b", 1000000);
	put_index(file, 5, "run-a2", 2000000);
	put_index(file, 8, "run-b", 2000000); /* has no file */
	fclose(file);
	for (int i = 1; i <= 6; i++) {
		char name[16];
		snprintf(name, sizeof(name), "i_%d", i);
		file_write(name, "");
	}
	/* by the wall clock; those that the index does not know stay behind the number before */
	expect_set(NULL, "i_3 i_5 i_1 i_2 i_4 i_6", 1, "i", NULL);
	expect_set("run-b", "i_3", 1, "i", NULL);
	expect_set("run-a1", "i_1 i_2", 0, "i", NULL);
	expect_set("run-a", "! run-a: several recordings begin so", 0, "i", NULL);
	expect_set("run-a2", "i_5", 0, "i_5", "i_1", NULL);
	expect_set("x", "! x: no such recording in the index", 0, "i", NULL);
	EXPECT(logset_collect(&set, &operand, 1, NULL) == 0);
	EXPECT(set.count == 1 && set.items[0].n == 3 && set.items[0].indexed);
	EXPECT(strcmp(set.items[0].entry.run, "run-b") == 0);
	logset_release(&set);
}

/* The parts read as one log. */
static void
test_reader(void)
{
	struct logset set;
	struct reader *reader;
	struct record record;
	char *operand = "r";

	file_write("r_1", "c 0.000001 con\n");
	file_append_gzip("r_1.1.gz", "c 0.000002 3\nabc", 16);
	file_write("r_1.2", "c 0.000003 hup\n");
	EXPECT(logset_collect(&set, &operand, 1, NULL) == 0 && set.count == 1);
	reader = logset_reader(&set.items[0]);
	EXPECT(reader != NULL && strcmp(reader_name(reader), "r_1") == 0);
	for (int i = 0; i < 3; i++)
		EXPECT(reader_next(reader, &record) == READER_RECORD);
	EXPECT(reader_next(reader, &record) == READER_END && reader_whole(reader) == 46);
	reader_free(reader);
	logset_release(&set);
}

int
main(void)
{
	char folder[] = "/tmp/logset_test.XXXXXX";

	test_match();
	test_part();
	folder_enter(folder);
	test_operands();
	test_index();
	test_reader();
	unlink("dir/b_1");
	folder_remove(folder);
	puts("ok logset_test");
	return 0;
}
