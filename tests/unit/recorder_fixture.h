/* The recorder on real relays over socket pairs, for unit tests. */
#ifndef TESTS_UNIT_RECORDER_FIXTURE_H
#define TESTS_UNIT_RECORDER_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/index.h"
#include "net/loop.h"
#include "net/notice.h"
#include "net/recorder.h"
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

static inline void
tick_fire(struct timer *timer)
{
	if (condition())
		loop_stop(relays.loop);
	else
		loop_timer_set(relays.loop, timer, loop_now(relays.loop) + MILLISECOND);
}

/* Run the loop until `met`; the test's own time limit is its caller's. */
static inline void
run_until(bool (*met)(void))
{
	condition = met;
	loop_timer_set(relays.loop, &tick, loop_now(relays.loop) + MILLISECOND);
	EXPECT(loop_run(relays.loop) == 0);
}

static inline bool
all_relays_gone(void)
{
	return relays.count == 0;
}

static inline void
begin(struct recorder_config *config)
{
	memset(&metrics, 0, sizeof(metrics));
	relays = (struct relay_set){.loop = loop_new(LOOP_EPOLL),
	    .pool = chunk_pool_new(CHUNK_SLAB_SIZE),
	    .bulk_pool = chunk_pool_new(CHUNK_BULK_SIZE),
	    .metrics = &metrics};
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

static inline void
end(void)
{
	EXPECT(recorder_finish(recorder) == 0);
	recorder_free(recorder);
	loop_free(relays.loop);
	chunk_pool_free(relays.pool);
	chunk_pool_free(relays.bulk_pool);
}

static inline void
directory_clear(void)
{
	DIR *stream = opendir(".");
	struct dirent *item;

	EXPECT(stream != NULL);
	while ((item = readdir(stream)) != NULL)
		unlink(item->d_name);
	closedir(stream);
}

static inline struct connection
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

static inline bool
bytes_arrived(void)
{
	static char sink[65536];
	ssize_t n;

	while (wanted > 0 && (n = read(waited->server, sink, sizeof(sink))) > 0)
		wanted -= (size_t)n;
	return wanted == 0;
}

/* Send from the client, and wait for it at the server. */
static inline void
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

static inline void
connection_close(const struct connection *connection)
{
	close(connection->client);
	close(connection->server);
}

/* The number in the file of this name: its bytes as a string. */
static inline char *
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
static inline size_t
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

static inline struct index_entry
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

#endif
