/* The index as the recorder writes it: lines that wait, for a moment or because it cannot be
 * written. */
#include "net/record_index.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define MANY 20000 /* lines: several times what may wait */
#define SECOND INT64_C(1000000000)

static struct log_root *root;
static struct record_index index_;

static void
begin(void)
{
	root = log_root_open(&(struct log_root_config){.root = "root"});
	EXPECT(root != NULL);
	EXPECT(record_index_open(&index_, root, "root") == 0);
}

static void
end(void)
{
	record_index_close(&index_);
	log_root_close(root);
	EXPECT(unlink("root_index.jsonl") == 0);
}

static void
add(uint64_t first, uint64_t count, int64_t now)
{
	struct index_entry entry = {.log = "root_1", .client = "[::1]:1", .server = "[::1]:2"};

	for (uint64_t i = 0; i < count; i++) {
		entry.n = first + i;
		record_index_add(&index_, &entry, now);
	}
}

/* Are exactly the lines 1 to `count` in the file? */
static void
expect_lines(size_t count)
{
	struct index *read = index_load("root");
	size_t got;

	EXPECT(read != NULL);
	index_entries(read, &got);
	EXPECT(got == count);
	EXPECT(index_damaged(read) == 0);
	for (uint64_t n = 1; n <= count; n++)
		EXPECT(index_find(read, n) != NULL);
	index_free(read);
}

/* However many lines one round of the writer has, all get into the file. */
static void
test_many_lines_at_once(void)
{
	begin();
	add(1, MANY, SECOND);
	record_index_flush(&index_, SECOND, false);
	EXPECT(!index_.lacks);
	expect_lines(MANY);
	end();
}

/* While it cannot be written, what waits is bounded, and what there was no room for is counted. */
static void
test_what_cannot_be_written_is_counted(void)
{
	begin();
	int fd = index_.fd;
	index_.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	EXPECT(index_.fd >= 0);
	add(1, MANY, SECOND);
	EXPECT(index_.lacks && index_.overflow > 0 && index_.overflow < MANY);
	size_t kept = MANY - (size_t)index_.overflow;
	EXPECT(close(index_.fd) == 0);
	index_.fd = fd;
	record_index_flush(&index_, SECOND + 1, false);
	expect_lines(0);
	record_index_flush(&index_, 3 * SECOND, false);
	expect_lines(kept);
	add(kept + 1, 1, 3 * SECOND);
	record_index_flush(&index_, 3 * SECOND, false);
	expect_lines(kept + 1);
	end();
}

int
main(void)
{
	char directory[] = "/tmp/record_index_test.XXXXXX";

	EXPECT(mkdtemp(directory) != NULL);
	EXPECT(chdir(directory) == 0);
	test_many_lines_at_once();
	test_what_cannot_be_written_is_counted();
	EXPECT(rmdir(directory) == 0);
	puts("ok record_index_test");
	return 0;
}
