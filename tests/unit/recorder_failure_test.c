/* What the recorder does when the disk is full or hangs. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "net/thread.h"
#include "tests/unit/recorder_fixture.h"

/* A hanging disk: the writer calls gate_wait() when a log fails, and waits there while the gate is
 * closed. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static bool gate_reached;
static pthread_t main_thread;

static void
gate_wait(void *context)
{
	(void)context;
	if (pthread_equal(pthread_self(), main_thread))
		return;
	pthread_mutex_lock(&gate);
	gate_reached = gate_closed;
	while (gate_closed)
		pthread_cond_wait(&gate_changed, &gate);
	pthread_mutex_unlock(&gate);
}

static void
gate_open(void)
{
	pthread_mutex_lock(&gate);
	gate_closed = gate_reached = false;
	pthread_cond_signal(&gate_changed);
	pthread_mutex_unlock(&gate);
}

static bool
gate_is_reached(void)
{
	pthread_mutex_lock(&gate);
	bool reached = gate_reached;
	pthread_mutex_unlock(&gate);
	return reached;
}

static struct rlimit size_before;

static void
disk_fill(rlim_t size)
{
	EXPECT(setrlimit(RLIMIT_FSIZE,
		   &(struct rlimit){.rlim_cur = size, .rlim_max = size_before.rlim_max}) == 0);
}

static void
disk_free(void)
{
	EXPECT(setrlimit(RLIMIT_FSIZE, &size_before) == 0);
}

static bool
a_log_failed(void)
{
	return metrics_get(&metrics, COUNTER_LOG_FAILURES) > 0;
}

/* The traffic goes on, the log ends at a whole record for good, and what is missing is counted. */
static void
test_full_disk(void)
{
	struct recorder_config config = {0};
	static char big[50000];
	size_t size;

	begin(&config);
	struct connection connection = connection_open();
	disk_fill(30000);
	talk(&connection, "first", 5);
	talk(&connection, big, sizeof(big));
	talk(&connection, big, sizeof(big));
	run_until(a_log_failed);
	disk_free();
	talk(&connection, "last", 4);
	connection_close(&connection);
	run_until(all_relays_gone);
	end();
	char *text = file_read("r_1", &size);
	size_t logged = payload(text, size);
	EXPECT(logged >= 5 && logged < 30000 && memcmp(text, "first", 5) == 0);
	uint64_t lost = 5 + 2 * sizeof(big) + 4 - logged;
	EXPECT(closed_entry(1).lost == lost);
	EXPECT(metrics_get(&metrics, COUNTER_LOST_BYTES) == lost);
	EXPECT(metrics_get(&metrics, COUNTER_LOG_FAILURES) == 1);
	directory_clear();
}

static void
test_full_disk_closes_the_connection_if_told_so(void)
{
	struct recorder_config config = {.close_on_error = true};
	static char big[50000];
	ssize_t n;

	begin(&config);
	struct connection connection = connection_open();
	disk_fill(30000);
	talk(&connection, big, sizeof(big));
	run_until(all_relays_gone);
	disk_free();
	while ((n = read(connection.client, big, sizeof(big))) > 0)
		;
	EXPECT(n == 0 || errno == ECONNRESET);
	connection_close(&connection);
	end();
	EXPECT(strcmp(closed_entry(1).end, "killed") == 0);
	directory_clear();
}

static bool
recording_ended(void)
{
	return metrics_get(&metrics, COUNTER_LOG_FAILURES) >= 2;
}

static bool
queue_is_empty(void)
{
	return metrics_get(&metrics, COUNTER_LOG_QUEUE) == 0;
}

/*
 * A writer that hangs: traffic waits while the queue is full, then goes on without logs; when the
 * disk works again new connections are recorded.
 */
static void
test_hanging_disk(void)
{
	enum { SIZE = 3000, COUNT = 400 };
	struct recorder_config config = {
	    .stall = 50 * MILLISECOND, .queue_size = 512 * 1024, .lost = gate_wait};
	static char big[50000];
	size_t size;

	begin(&config);
	struct connection victim = connection_open();
	struct connection connection = connection_open();
	talk(&connection, "first", 5);
	gate_closed = true;
	disk_fill(30000);
	talk(&victim, big, sizeof(big));
	run_until(gate_is_reached);
	disk_free();
	for (size_t i = 0; i < COUNT; i++)
		talk(&connection, big, SIZE);
	EXPECT(metrics_get(&metrics, COUNTER_LOST_BYTES) > 0);
	EXPECT(recording_ended());
	EXPECT(metrics_get(&metrics, COUNTER_LOG_QUEUE) < 1024 * 1024);
	gate_open();
	/* As soon as there is room again, though the loop has not been told so. */
	while (!queue_is_empty())
		usleep(100);
	struct connection later = connection_open();
	talk(&later, "later", 5);
	talk(&connection, "not in its log any more", 23);
	connection_close(&victim);
	connection_close(&connection);
	connection_close(&later);
	run_until(all_relays_gone);
	end();
	char *text = file_read("r_2", &size);
	size_t logged = payload(text, size);
	EXPECT(logged % SIZE == 5 && logged > 5 && logged < SIZE * COUNT);
	EXPECT(closed_entry(2).lost == 5 + SIZE * COUNT + 23 - logged);
	EXPECT(closed_entry(3).lost == 0);
	text = file_read("r_3", &size);
	EXPECT(payload(text, size) == 5 && memcmp(text, "later", 5) == 0);
	directory_clear();
}

/* Shorter than the stall time, nothing is lost. */
static void
test_short_hang(void)
{
	enum { SIZE = 3000, COUNT = 1000 };
	struct recorder_config config = {.queue_size = 512 * 1024, .lost = gate_wait};
	static char big[50000];
	static struct connection connection;
	size_t size, sent = 0;
	ssize_t n;

	begin(&config);
	struct connection victim = connection_open();
	connection = connection_open();
	gate_closed = true;
	disk_fill(30000);
	talk(&victim, big, sizeof(big));
	run_until(gate_is_reached);
	disk_free();
	/* The relay stops reading: the client cannot send everything. */
	for (int quiet = 0; quiet < 20;) {
		n = sent < SIZE * COUNT ? write(connection.client, big, SIZE) : 0;
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		waited = &connection;
		wanted = 0;
		run_until(bytes_arrived);
		n = read(connection.server, big, sizeof(big));
	}
	EXPECT(sent > 512 * 1024 && sent < SIZE * COUNT);
	EXPECT(metrics_get(&metrics, COUNTER_LOG_FAILURES) == 1);
	gate_open();
	close(connection.client);
	connection.client = -1;
	while (relays.count > 1) {
		run_until(bytes_arrived);
		n = read(connection.server, big, sizeof(big));
		if (n == 0)
			close(connection.server);
	}
	connection_close(&victim);
	run_until(all_relays_gone);
	end();
	char *text = file_read("r_2", &size);
	EXPECT(payload(text, size) == sent);
	EXPECT(closed_entry(2).lost == 0);
	directory_clear();
}

/* Is a thread of this process at rest? */
static bool
writer_rests(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	bool rests = false;

	EXPECT(tasks != NULL);
	while ((task = readdir(tasks)) != NULL)
		rests |= sched_getscheduler(atoi(task->d_name)) == SCHED_IDLE;
	closedir(tasks);
	return rests;
}

static bool
writer_is_hurried(void)
{
	return !writer_rests();
}

/* A writer at rest is hurried when it takes long, though nothing more comes. */
static void
test_writer_is_hurried(void)
{
	struct recorder_config config = {.lost = gate_wait};
	static char big[50000];
	struct thread_pace pace;

	thread_pace_init(&pace);
	if (!pace.may_rest) /* nor may the writer, then */
		return;
	begin(&config);
	struct connection victim = connection_open();
	talk(&victim, "first", 5);
	run_until(writer_rests);
	gate_closed = true;
	disk_fill(30000);
	talk(&victim, big, sizeof(big));
	run_until(gate_is_reached);
	disk_free();
	EXPECT(writer_rests());
	run_until(writer_is_hurried);
	gate_open();
	connection_close(&victim);
	run_until(all_relays_gone);
	end();
	directory_clear();
}

/* Ending does not wait for a disk that hangs. The recorder cannot be released then. */
static void
test_finish_gives_up(void)
{
	struct recorder_config config = {.stall = 50 * MILLISECOND, .lost = gate_wait};
	static char big[50000];

	begin(&config);
	struct connection victim = connection_open();
	gate_closed = true;
	disk_fill(30000);
	talk(&victim, big, sizeof(big));
	run_until(gate_is_reached);
	disk_free();
	connection_close(&victim);
	run_until(all_relays_gone);
	EXPECT(recorder_finish(recorder) == -1 && errno == ETIMEDOUT);
	gate_open();
	end();
	directory_clear();
}

int
main(void)
{
	main_thread = pthread_self();
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	notice_set_level(NOTICE_ANNOUNCE);
	EXPECT(getrlimit(RLIMIT_FSIZE, &size_before) == 0);
	EXPECT(mkdtemp(directory) != NULL);
	EXPECT(chdir(directory) == 0);
	test_full_disk();
	test_full_disk_closes_the_connection_if_told_so();
	test_hanging_disk();
	test_short_hang();
	test_writer_is_hurried();
	test_finish_gives_up();
	EXPECT(rmdir(directory) == 0);
	return 0;
}
