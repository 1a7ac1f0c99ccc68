/* What the recorder writes when all goes well. */
#include <sys/syscall.h>
#include <time.h>

#include "tests/unit/recorder_fixture.h"

static time_t wall_shift; /* seconds by which somebody has set the wall clock */

/* Instead of the C library's. */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	long result = syscall(SYS_clock_gettime, clock, now);

	if (clock == CLOCK_REALTIME)
		now->tv_sec += wall_shift;
	return (int)result;
}

static void
test_log_and_index(void)
{
	struct recorder_config config = {0};
	struct stat status;
	static char big[100000];

	memset(big, 'b', sizeof(big));
	begin(&config);
	struct connection connection = connection_open();
	talk(&connection, "hello", 5);
	talk(&connection, big, sizeof(big));
	EXPECT(write(connection.server, "yes", 3) == 3);
	connection_close(&connection);
	run_until(all_relays_gone);
	end();
	size_t size;
	char *text = file_read("r_1", &size);
	EXPECT(strncmp(text, "c 0.0", 5) == 0 && strncmp(text + 10, " con\nc ", 7) == 0);
	EXPECT(strstr(text, " 3\nyes") != NULL);
	EXPECT(payload(text, size) == 5 + sizeof(big));
	EXPECT(memcmp(text, "hello", 5) == 0 && memcmp(text + 5, big, sizeof(big)) == 0);
	struct index_entry entry = closed_entry(1);
	EXPECT(strcmp(entry.log, "r_1") == 0 && strcmp(entry.client, "127.0.0.1:7") == 0);
	EXPECT(strcmp(entry.server, "127.0.0.1:8") == 0 && strlen(entry.run) == 12);
	EXPECT(entry.bytes[0] == 5 + sizeof(big) && entry.bytes[1] == 3 && entry.lost == 0);
	EXPECT(entry.connect >= 0 && entry.duration >= entry.connect);
	EXPECT(stat("r_index.jsonl", &status) == 0 && (status.st_mode & 07777) == 0600);
	EXPECT(metrics_get(&metrics, COUNTER_RECORDED_BYTES) == 5 + sizeof(big) + 3);
	EXPECT(metrics_get(&metrics, COUNTER_LOST_BYTES) == 0);
	directory_clear();
}

/* More connections than log descriptors, which are closed and opened again between. */
static void
test_more_logs_than_descriptors(void)
{
	enum { COUNT = 200 };
	struct recorder_config config = {0};
	static struct connection connections[COUNT];
	char name[32];
	size_t size;

	begin(&config);
	for (size_t i = 0; i < COUNT; i++)
		connections[i] = connection_open();
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < COUNT; i++)
			talk(&connections[i], (char[]){(char)('a' + round)}, 1);
	for (size_t i = 0; i < COUNT; i++)
		connection_close(&connections[i]);
	run_until(all_relays_gone);
	end();
	for (unsigned i = 1; i <= COUNT; i++) {
		snprintf(name, sizeof(name), "r_%u", i);
		char *text = file_read(name, &size);
		EXPECT(payload(text, size) == 3 && memcmp(text, "abc", 3) == 0);
		EXPECT(closed_entry(i).lost == 0);
	}
	directory_clear();
}

/* What a crash left of a line does not swallow the next one. */
static void
test_index_after_a_crash(void)
{
	struct recorder_config config = {0};
	int fd = open("r_index.jsonl", O_WRONLY | O_CREAT, 0600);

	EXPECT(write(fd, "{\"event\":\"op", 12) == 12);
	close(fd);
	begin(&config);
	struct connection connection = connection_open();
	connection_close(&connection);
	run_until(all_relays_gone);
	end();
	struct index *index = index_load("r");
	EXPECT(index != NULL && index_damaged(index) == 1);
	EXPECT(index_find(index, 1) != NULL && index_find(index, 1)->closed);
	index_free(index);
	directory_clear();
}

static bool
three_are_recorded(void)
{
	return metrics_get(&metrics, COUNTER_RECORDED_BYTES) == 3;
}

/* Another recorder's log whose first part --keep has deleted is not written into. */
static void
test_numbers_of_another_recorder(void)
{
	struct recorder_config config = {0};
	static const char line[] = "{\"event\":\"open\",\"n\":7,\"log\":\"r_7\",\"run\":\"x\"}\n";

	begin(&config);
	struct connection connection = connection_open();
	talk(&connection, "one", 3);
	run_until(three_are_recorded);
	int fd = open("r_index.jsonl", O_WRONLY | O_APPEND | O_CREAT, 0600);
	EXPECT(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
	struct connection later = connection_open();
	connection_close(&later);
	connection_close(&connection);
	run_until(all_relays_gone);
	EXPECT(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
	close(fd);
	end();
	EXPECT(access("r_1", F_OK) == 0 && access("r_2", F_OK) != 0 && access("r_8", F_OK) == 0);
	EXPECT(closed_entry(1).lost == 0 && closed_entry(8).lost == 0);
	directory_clear();
}

static void
one_connection(void)
{
	struct connection connection = connection_open();

	connection_close(&connection);
	run_until(all_relays_gone);
}

/* The index has the wall clock as it was when each connection began, and logs do not notice. */
static void
test_wall_clock_that_is_set(void)
{
	struct recorder_config config = {0};
	static const time_t shifts[] = {0, 7200, -86400};
	struct index_entry entries[3];

	begin(&config);
	int64_t began = loop_now(relays.loop);
	for (size_t i = 0; i < 3; i++) {
		wall_shift = shifts[i];
		one_connection();
	}
	struct connection connection = connection_open();
	wall_shift = 0; /* while it lasts: its two lines in the index agree */
	connection_close(&connection);
	run_until(all_relays_gone);
	int64_t passed = loop_now(relays.loop) - began;
	end();
	for (size_t i = 0; i < 3; i++) {
		entries[i] = closed_entry(i + 1);
		int64_t moved = entries[i].start - entries[0].start - shifts[i] * SECOND;
		EXPECT(moved > -SECOND && moved <= passed + SECOND);
		EXPECT(entries[i].time >= 0 && entries[i].time <= passed);
	}
	EXPECT(closed_entry(4).start < entries[0].start - 86400 * SECOND + passed + SECOND);
	directory_clear();
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	EXPECT(mkdtemp(directory) != NULL);
	EXPECT(chdir(directory) == 0);
	test_log_and_index();
	test_more_logs_than_descriptors();
	test_index_after_a_crash();
	test_numbers_of_another_recorder();
	test_wall_clock_that_is_set();
	EXPECT(rmdir(directory) == 0);
	return 0;
}
