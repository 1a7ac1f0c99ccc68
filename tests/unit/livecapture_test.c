/* The live capture behind a small queue: a reader that stalls costs connections in it, and no more.
 */
#include "net/livecapture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/notice.h"

#include "tests/unit/test.h"

#define QUEUE (256 * 1024)
#define RECORD 10000

static const char ended[] = "the reader was too slow: not captured any further";

static struct loop *loop;
static struct metrics metrics;
static struct chunk_pool *pool;
static char path[64]; /* of a FIFO */
static int reader;
static unsigned char output[8 << 20];
static size_t got;

static void
tap_nothing(struct tap *tap)
{
	(void)tap;
}

static const struct tap_ops tap_ops = {.resume = tap_nothing, .kill = tap_nothing};

/* A connection of its own client port, observed. */
static void
connection_begin(struct livecapture *live, struct tap *tap, uint16_t port)
{
	tap_init(tap, &tap_ops);
	tap->info.id = port;
	tap->info.client =
	    (struct address){.family = AF_INET, .port = port, .u.bytes = {127, 0, 0, 1}};
	tap->info.server =
	    (struct address){.family = AF_INET, .port = 80, .u.bytes = {127, 0, 0, 1}};
	tap->info.opened = loop_refresh(loop);
	EXPECT(livecapture_attach(live, tap) == 0);
	tap_open(tap);
	tap_connected(tap, loop_refresh(loop));
}

static void
send_record(struct tap *tap, unsigned char fill)
{
	size_t size;
	unsigned char *space = chunk_pool_space(pool, &size);

	EXPECT(space != NULL && size >= RECORD);
	memset(space, fill, RECORD);
	struct slice slice = chunk_pool_slice(pool, RECORD);
	tap_data(tap, SIDE_CLIENT, &slice, loop_refresh(loop));
}

static void
stop_loop(struct timer *timer)
{
	(void)timer;
	loop_stop(loop);
}

/* One round, so that what was written is passed on. */
static void
round_run(void)
{
	static struct timer timer;

	timer_init(&timer, stop_loop);
	loop_timer_set(loop, &timer, loop_refresh(loop));
	EXPECT(loop_run(loop) == 0);
}

/* Read until the FIFO has been silent for a while, or ends. */
static void
read_all(void)
{
	struct pollfd readable = {.fd = reader, .events = POLLIN};

	while (poll(&readable, 1, 200) > 0) {
		ssize_t size = read(reader, output + got, sizeof(output) - got);
		EXPECT(size >= 0);
		if (size == 0)
			break;
		got += (size_t)size;
	}
}

static bool
has(const void *bytes, size_t size)
{
	return memmem(output, got, bytes, size) != NULL;
}

static uint64_t
dropped(void)
{
	return metrics_get(&metrics, COUNTER_CAPTURE_DROPPED);
}

static void
test_stall(void)
{
	struct livecapture_config config = {
	    .path = path, .comment = "root", .queue_size = QUEUE, .metrics = &metrics};
	struct livecapture *live = livecapture_new(loop, &config);
	struct tap first, second, third;
	unsigned sent = 0;

	EXPECT(live != NULL && (reader = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
	connection_begin(live, &first, 1001);
	for (; dropped() == 0; sent++) {
		send_record(&first, 'A');
		round_run();
		EXPECT(sent < 2 * (QUEUE + 65536) / RECORD);
	}
	EXPECT(sent > (QUEUE - 65536) / RECORD / 2);
	/* it is counted once, and one that comes now is not begun */
	send_record(&first, 'A');
	connection_begin(live, &second, 1002);
	send_record(&second, 'B');
	EXPECT(dropped() == 2);
	round_run();
	read_all();
	EXPECT(has("AAAA", 4) && !has("BBBB", 4) && has(ended, strlen(ended)));
	/* now that there is room again */
	connection_begin(live, &third, 1003);
	send_record(&third, 'C');
	send_record(&second, 'B');
	tap_eof(&first, SIDE_CLIENT, loop_refresh(loop));
	round_run();
	read_all();
	EXPECT(has("CCCC", 4) && !has("BBBB", 4) && dropped() == 2);
	tap_close(&first, CLOSE_ENDED, loop_refresh(loop));
	tap_close(&second, CLOSE_KILLED, loop_refresh(loop));
	tap_close(&third, CLOSE_KILLED, loop_refresh(loop));
	livecapture_finish(live);
	livecapture_free(live);
	close(reader);
}

/* A reader that goes: everything else goes on. */
static void
test_broken(void)
{
	struct livecapture_config config = {.path = path, .queue_size = QUEUE, .metrics = &metrics};
	struct livecapture *live = livecapture_new(loop, &config);
	struct tap tap;

	EXPECT(live != NULL && (reader = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
	connection_begin(live, &tap, 1001);
	close(reader);
	for (int i = 0; i < 100; i++) {
		send_record(&tap, 'A');
		round_run();
	}
	EXPECT(dropped() <= 3);
	tap_close(&tap, CLOSE_ENDED, loop_refresh(loop));
	livecapture_finish(live);
	livecapture_free(live);
}

int
main(void)
{
	char folder[] = "/tmp/livecapture_test.XXXXXX";

	signal(SIGPIPE, SIG_IGN);
	notice_set_level(NOTICE_ERROR);
	EXPECT(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/fifo", folder);
	EXPECT(mkfifo(path, 0600) == 0);
	loop = loop_new(LOOP_EPOLL);
	pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	EXPECT(loop != NULL && pool != NULL);
	test_stall();
	test_broken();
	chunk_pool_free(pool);
	loop_free(loop);
	unlink(path);
	rmdir(folder);
	puts("ok livecapture_test");
	return 0;
}
