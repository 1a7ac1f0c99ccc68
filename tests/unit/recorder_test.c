/* The recorder on real relays over socket pairs: what it writes, what it does when the disk fails
 * or hangs. */
#include "net/recorder.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/index.h"
#include "net/loop.h"
#include "net/notice.h"
#include "net/relay.h"

#include "tests/unit/test.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)

/* One relayed connection: we hold both far ends. */
struct connection {
	struct relay *relay;
	int client;
	int server;
};

static char directory[] = "/tmp/recorder_test.XXXXXX";
static struct metrics metrics;
static struct relay_set relays;
static struct recorder *recorder;
static struct timer tick;
static bool (*condition)(void);

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

static void
tick_fire(struct timer *timer)
{
	if (condition())
		loop_stop(relays.loop);
	else
		loop_timer_set(relays.loop, timer, loop_now(relays.loop) + MILLISECOND);
}

/* Run the loop until `met`; the test's own time limit is its caller's. */
static void
run_until(bool (*met)(void))
{
	condition = met;
	loop_timer_set(relays.loop, &tick, loop_now(relays.loop) + MILLISECOND);
	EXPECT(loop_run(relays.loop) == 0);
}

static bool
all_relays_gone(void)
{
	return relays.count == 0;
}

static void
begin(struct recorder_config *config)
{
	memset(&metrics, 0, sizeof(metrics));
	relays = (struct relay_set){
	    .loop = loop_new(LOOP_EPOLL), .pool = chunk_pool_new(), .metrics = &metrics};
	EXPECT(relays.loop != NULL && relays.pool != NULL);
	LIST_INIT(&relays.relays);
	timer_init(&tick, tick_fire);
	config->root = "r";
	config->metrics = &metrics;
	if (config->stall == 0)
		config->stall = 60 * SECOND;
	recorder = recorder_new(relays.loop, config);
	EXPECT(recorder != NULL);
}

static void
end(void)
{
	EXPECT(recorder_finish(recorder) == 0);
	recorder_free(recorder);
	loop_free(relays.loop);
	chunk_pool_free(relays.pool);
}

static void
directory_clear(void)
{
	DIR *stream = opendir(".");
	struct dirent *item;

	EXPECT(stream != NULL);
	while ((item = readdir(stream)) != NULL)
		unlink(item->d_name);
	closedir(stream);
}

static struct connection
connection_open(void)
{
	struct address address = {.family = AF_INET, .port = 7, .u.bytes = {127, 0, 0, 1}};
	struct connection connection;
	int near[2], far[2];

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, near) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, far) == 0);
	connection.client = near[1];
	connection.server = far[1];
	connection.relay = relay_new(&relays, near[0], &address);
	EXPECT(connection.relay != NULL);
	EXPECT(recorder_attach(recorder, relay_tap(connection.relay)) == 0);
	address.port = 8;
	relay_start(connection.relay, &address);
	relay_connected(connection.relay, far[0], &address);
	return connection;
}

static const struct connection *waited;
static size_t wanted;

static bool
bytes_arrived(void)
{
	static char sink[65536];
	ssize_t n;

	while (wanted > 0 && (n = read(waited->server, sink, sizeof(sink))) > 0)
		wanted -= (size_t)n;
	return wanted == 0;
}

/* Send from the client, and wait for it at the server. */
static void
talk(const struct connection *connection, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(connection->client, data, size);
		EXPECT(n > 0);
		data += n;
		size -= (size_t)n;
		waited = connection;
		wanted = (size_t)n;
		run_until(bytes_arrived);
	}
}

static void
connection_close(const struct connection *connection)
{
	close(connection->client);
	close(connection->server);
}

/* The number in the file of this name: its bytes as a string. */
static char *
file_read(const char *name, size_t *size)
{
	static char text[1 << 22];
	int fd = open(name, O_RDONLY);

	EXPECT(fd >= 0);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	EXPECT(n >= 0);
	close(fd);
	text[n] = '\0';
	if (size != NULL)
		*size = (size_t)n;
	return text;
}

/* The payload of side c in a log, in place. Every record must be whole. */
static size_t
payload(char *text, size_t size)
{
	struct record record;
	size_t total = 0;

	for (char *at = text; at < text + size;) {
		char *line = memchr(at, '\n', (size_t)(text + size - at));
		EXPECT(line != NULL);
		EXPECT(record_decode(at, (size_t)(line - at), &record) == NULL);
		EXPECT(record.size <= (size_t)(text + size - (line + 1)));
		if (record.side == SIDE_CLIENT) {
			memmove(text + total, line + 1, record.size);
			total += record.size;
		}
		at = line + 1 + record.size;
	}
	return total;
}

static struct index_entry
closed_entry(uint64_t n)
{
	struct index *index = index_load("r");

	EXPECT(index != NULL && index_damaged(index) == 0);
	const struct index_entry *found = index_find(index, n);
	EXPECT(found != NULL && found->closed);
	struct index_entry entry = *found;
	index_free(index);
	return entry;
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
	run_until(queue_is_empty);
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
	test_log_and_index();
	test_more_logs_than_descriptors();
	test_index_after_a_crash();
	test_numbers_of_another_recorder();
	test_full_disk();
	test_full_disk_closes_the_connection_if_told_so();
	test_hanging_disk();
	test_short_hang();
	test_finish_gives_up();
	EXPECT(rmdir(directory) == 0);
	return 0;
}
