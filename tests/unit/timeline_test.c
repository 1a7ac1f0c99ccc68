/* Many logs merged in time. */
#include "format/timeline.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "tests/unit/files.h"

#define UNKNOWN 100

/* What comes next of each log, by timeline_ahead(). */
static int told[16];

/* Look ahead, twice; what was told before must have come. */
static void
look_ahead(struct timeline *timeline, const struct timeline_event *event, enum reader_status status)
{
	struct record record = {.time = 0}, again = {.time = 0};

	EXPECT(event->item < 16);
	EXPECT(told[event->item] == UNKNOWN || told[event->item] == (int)status);
	told[event->item] = (int)timeline_ahead(timeline, &record);
	EXPECT((int)timeline_ahead(timeline, &again) == told[event->item]);
	EXPECT(record.time == again.time);
	EXPECT(status == READER_RECORD || told[event->item] == READER_END);
}

/* The timeline of `operand` as text: "item:clock", "item!status" where it fails; with a look ahead
 * from every record. */
static const char *
merged(const char *operand, bool ahead)
{
	static char text[4096];
	char *operands[] = {strdup(operand)}, step[64];
	struct timeline_event event;
	struct timeline *timeline;
	enum reader_status status;
	struct logset set;

	EXPECT(logset_collect(&set, operands, 1, NULL) == 0);
	timeline = timeline_new(&set);
	EXPECT(timeline != NULL);
	text[0] = '\0';
	for (size_t i = 0; i < 16; i++)
		told[i] = UNKNOWN;
	while ((status = timeline_next(timeline, &event)) != READER_END) {
		EXPECT(event.reader != NULL);
		if (status == READER_RECORD)
			snprintf(step, sizeof(step), "%zu:%lld ", event.item,
			    (long long)(event.clock / 1000));
		else
			snprintf(step, sizeof(step), "%zu!%d ", event.item, status);
		EXPECT(status == READER_RECORD || reader_message(event.reader)[0] != '\0');
		strlcat(text, step, sizeof(text));
		if (ahead)
			look_ahead(timeline, &event, status);
	}
	EXPECT(timeline_next(timeline, &event) == READER_END);
	timeline_free(timeline);
	logset_release(&set);
	free(operands[0]);
	return text;
}

static void
expect_merged(const char *operand, const char *expected)
{
	/* standard input can be read once only */
	for (int ahead = strcmp(operand, "-") == 0; ahead < 2; ahead++) {
		const char *is = merged(operand, ahead == 1);
		if (strcmp(is, expected) != 0)
			fprintf(stderr, "is: %s\nshould: %s\n", is, expected);
		EXPECT(strcmp(is, expected) == 0);
	}
}

static void
put_index(FILE *file, uint64_t n, int64_t start, int64_t time)
{
	struct index_entry entry = {.n = n, .start = start * 1000, .time = time * 1000};
	char line[4096];

	fwrite(line, 1, index_encode(&entry, line, sizeof(line)), file);
}

static void
test_own_times(void)
{
	file_write("t_1", "c 0.000001 con\nc 0.000005 3\nabcs 0.000009 hup\n");
	file_write("t_2", "c 0.000003 con\ns 0.000005 3\nabcs 0.000006 hup\n");
	file_write("t_3", "");
	file_write("t_4", "c 0.000002 con\n");
	expect_merged("t", "0:1 3:2 1:3 0:5 1:5 1:6 0:9 ");
	/* times that go backwards: the order within a log stays */
	file_write("t_4", "c 0.000002 con\nc 0.000007 hup\ns 0.000004 hup\n");
	expect_merged("t", "0:1 3:2 1:3 0:5 1:5 1:6 3:7 3:4 0:9 ");
}

/* A log that is damaged is told when its time comes; the others go on. */
static void
test_failures(void)
{
	file_write("f_1", "c 0.000001 con\nc 0.000004 9\nabc");
	file_write("f_2", "c 0.000002 con\ngarbage\n");
	file_write("f_3", "garbage\n");
	file_write("f_4", "c 0.000003 con\nc 0.000005 hup\n");
	expect_merged("f", "2!-2 0:1 1:2 1!-2 3:3 0:4 0!-1 3:5 ");
}

static void
test_wall_clock(void)
{
	FILE *file = fopen("w_index.jsonl", "w");

	/* two runs: the first one's clock was at 100 when its log began */
	EXPECT(file != NULL);
	put_index(file, 1, 1000, 100);
	put_index(file, 2, 1002, 0);
	put_index(file, 3, 1000, 7); /* too early */
	fclose(file);
	file_write("w_1", "c 0.000100 con\nc 0.000103 hup\n");
	file_write("w_2", "c 0.000000 con\nc 0.000002 hup\n");
	file_write("w_3", "c 0.000012 con\n");
	/* the set is in the order of starts: w_1, w_3, w_2 */
	expect_merged("w", "0:1000 2:1002 0:1003 2:1004 1:1005 ");
}

/* Three hundred logs one after the other need few descriptors, with an index and without. */
static void
test_descriptors(bool indexed)
{
	struct rlimit before, few;
	FILE *file = indexed ? fopen("d_index.jsonl", "w") : NULL;
	const char *text;

	for (int i = 1; i <= 300; i++) {
		char name[16], log[64];
		snprintf(name, sizeof(name), "d_%d", i);
		snprintf(log, sizeof(log), "c 0.%06d con\nc 0.%06d hup\n", 10 * i, 10 * i + 1);
		file_write(name, log);
		if (indexed)
			put_index(file, (uint64_t)i, 1000 + 10 * i, 10 * i);
	}
	if (indexed)
		fclose(file);
	EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
	few = before;
	few.rlim_cur = 16;
	EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
	text = merged("d", false);
	EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
	EXPECT(strchr(text, '!') == NULL);
	EXPECT(strncmp(text, indexed ? "0:1010 0:1011 1:1020 " : "0:10 0:11 1:20 ", 15) == 0);
}

/* Standard input can be read once only. */
static void
test_standard_input(void)
{
	static const char log[] = "c 0.000001 con\nc 0.000002 hup\n";
	int ends[2];

	EXPECT(pipe(ends) == 0);
	EXPECT(write(ends[1], log, strlen(log)) == (ssize_t)strlen(log));
	close(ends[1]);
	EXPECT(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	close(ends[0]);
	expect_merged("-", "0:1 0:2 ");
}

/* Payload is fetched between two steps. */
static void
test_payload(void)
{
	char *operand = "t";
	struct timeline_event event;
	struct timeline *timeline;
	const unsigned char *piece;
	struct logset set;
	size_t bytes = 0;

	EXPECT(logset_collect(&set, &operand, 1, NULL) == 0);
	timeline = timeline_new(&set);
	while (timeline_next(timeline, &event) == READER_RECORD) {
		if (event.record.type != RECORD_DATA)
			continue;
		EXPECT(reader_data(event.reader, &piece) == 3 && memcmp(piece, "abc", 3) == 0);
		bytes += 3;
	}
	EXPECT(bytes == 6);
	timeline_free(timeline);
	logset_release(&set);
}

int
main(void)
{
	char folder[] = "/tmp/timeline_test.XXXXXX";

	folder_enter(folder);
	test_own_times();
	test_payload();
	test_failures();
	test_wall_clock();
	test_descriptors(false);
	test_descriptors(true);
	test_standard_input();
	folder_remove(folder);
	puts("ok timeline_test");
	return 0;
}
