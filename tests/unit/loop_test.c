#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/poller.h"
#include "tests/unit/test.h"

#define MANY 400 /* far more than the hot set holds */

struct peer {
	struct watch watch;
	struct test_loop *test;
	int far; /* the other end */
	int got;
};

struct test_loop {
	struct loop *loop;
	struct peer peers[MANY];
	int told;
	int wanted;
};

static struct test_loop test;

static void
count_byte(struct watch *watch, short events)
{
	struct peer *peer = CONTAINER_OF(watch, struct peer, watch);
	char byte;

	EXPECT(events & POLLIN);
	EXPECT(read(watch->fd, &byte, 1) == 1);
	peer->got++;
	if (++test.told == test.wanted)
		loop_stop(test.loop);
}

static void
open_peers(enum loop_backend backend, void (*ready)(struct watch *, short))
{
	memset(&test, 0, sizeof(test));
	test.loop = loop_new(backend);
	EXPECT(test.loop != NULL);
	for (int i = 0; i < MANY; i++) {
		int pair[2];

		EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
		watch_init(&test.peers[i].watch, pair[0], ready);
		test.peers[i].far = pair[1];
		EXPECT(loop_watch(test.loop, &test.peers[i].watch, POLLIN) == 0);
	}
}

static void
close_peers(void)
{
	for (int i = 0; i < MANY; i++) {
		loop_unwatch(test.loop, &test.peers[i].watch);
		close(test.peers[i].watch.fd);
		if (test.peers[i].far != -1)
			close(test.peers[i].far);
	}
	loop_free(test.loop);
}

static void
send_bytes(int peer, int count)
{
	for (int i = 0; i < count; i++)
		EXPECT(write(test.peers[peer].far, "x", 1) == 1);
	test.wanted += count;
}

/* Every descriptor is served, wherever it sits, and moves between the places change nothing. */
static void
test_all_are_served(enum loop_backend backend)
{
	open_peers(backend, count_byte);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < MANY; i++)
			send_bytes(i, 1 + i % 3);
		EXPECT(loop_run(test.loop) == 0);
	}
	for (int i = 0; i < MANY; i++)
		EXPECT(test.peers[i].got == 5 * (1 + i % 3));
	close_peers();
}

static int
count_hot(void)
{
	int hot = 0;

	for (int i = 0; i < MANY; i++)
		hot += test.peers[i].watch.place >= 0;
	return hot;
}

/* Descriptors that are busy together end up in the hot set, and leave it if only one still is. */
static void
test_busy_ones_become_hot(void)
{
	int busy[8], found = 0;

	open_peers(LOOP_EPOLL, count_byte);
	EXPECT(count_hot() <= 256);
	for (int i = 0; i < MANY && found < 8; i++)
		if (test.peers[i].watch.place == PLACE_PARKED)
			busy[found++] = i;
	for (int i = 0; i < 8; i++)
		send_bytes(busy[i], 100);
	EXPECT(loop_run(test.loop) == 0);
	for (int i = 0; i < 8; i++)
		EXPECT(test.peers[busy[i]].watch.place >= 0);
	send_bytes(busy[0], 200);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(count_hot() == 0);
	close_peers();
}

static void
unwatch_all_others(struct watch *watch, short events)
{
	(void)events;
	test.told++;
	for (int i = 0; i < MANY; i++)
		if (&test.peers[i].watch != watch)
			loop_unwatch(test.loop, &test.peers[i].watch);
	loop_stop(test.loop);
}

/* What a callback has unwatched is not told any more, though the kernel has already reported it. */
static void
test_unwatched_in_the_same_round(enum loop_backend backend)
{
	open_peers(backend, unwatch_all_others);
	for (int i = 0; i < MANY; i++)
		send_bytes(i, 1);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(test.told == 1);
	close_peers();
}

static void
note_events(struct watch *watch, short events)
{
	EXPECT(events & (POLLERR | POLLHUP));
	test.told++;
	loop_watch(test.loop, watch, 0); /* once is enough: it would be told for ever */
	loop_stop(test.loop);
}

static void
test_hang_up_without_other_interest(enum loop_backend backend)
{
	open_peers(backend, note_events);
	for (int i = 0; i < MANY; i++)
		loop_watch(test.loop, &test.peers[i].watch, i == 3 ? POLLERR : 0);
	close(test.peers[3].far);
	close(test.peers[4].far);
	test.peers[3].far = test.peers[4].far = -1;
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(test.told == 1);
	close_peers();
}

/* -- turns -- */

static char taken[8];
static struct turn turns[3];

static void
turn_taken(struct turn *turn)
{
	taken[strlen(taken)] = (char)('a' + (turn - turns));
	if (strlen(taken) == 1)
		loop_turn(test.loop, turn); /* again, behind the others */
	if (strlen(taken) == sizeof(taken) - 1)
		loop_stop(test.loop);
}

static void
note_byte(struct watch *watch, short events)
{
	char byte;

	EXPECT(events & POLLIN);
	EXPECT(read(watch->fd, &byte, 1) == 1);
	taken[strlen(taken)] = byte;
	if (strlen(taken) == sizeof(taken) - 1)
		loop_stop(test.loop);
}

/* Turns are taken in order, one a round, and between them all that is ready is served. */
static void
test_turns_let_others_pass(enum loop_backend backend)
{
	open_peers(backend, note_byte);
	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < 3; i++) {
		turns[i] = (struct turn){.take = turn_taken};
		loop_turn(test.loop, &turns[i]);
	}
	loop_turn(test.loop, &turns[2]); /* it waits already */
	send_bytes(0, 4);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(strcmp(taken, "xaxbxcx") == 0);
	loop_turn_cancel(test.loop, &turns[0]);
	loop_turn_cancel(test.loop, &turns[0]);
	taken[6] = '\0';
	send_bytes(0, 1);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(strcmp(taken, "xaxbxcx") == 0);
	close_peers();
}

/* -- timers -- */

static char order[8];
static struct timer timers[3];

static void
timer_fired(struct timer *timer)
{
	size_t length = strlen(order);

	order[length] = (char)('a' + (timer - timers));
	if (length == 2)
		loop_stop(test.loop);
	else if (length == 0)
		loop_timer_set(test.loop, timer, loop_now(test.loop)); /* again, later */
}

static void
test_timers_fire_in_order(void)
{
	int64_t now;

	test.loop = loop_new(LOOP_EPOLL);
	now = loop_now(test.loop);
	for (int i = 0; i < 3; i++)
		timer_init(&timers[i], timer_fired);
	loop_timer_set(test.loop, &timers[0], now + 500000000);
	loop_timer_set(test.loop, &timers[1], now + 1000000);
	loop_timer_set(test.loop, &timers[2], now + 2000000);
	loop_timer_cancel(test.loop, &timers[2]);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(strcmp(order, "bba") == 0);
	EXPECT(loop_now(test.loop) >= now + 500000000);
	loop_free(test.loop);
}

static void
signalled(void *context, int number)
{
	*(int *)context = number;
	loop_stop(test.loop);
}

static void
woken(void *context)
{
	++*(int *)context;
	loop_stop(test.loop);
}

static void
test_signals_and_wakes(void)
{
	int number = 0, wakes = 0;

	test.loop = loop_new(LOOP_EPOLL);
	EXPECT(loop_signal(test.loop, SIGUSR1, signalled, &number) == 0);
	EXPECT(loop_signal(test.loop, SIGUSR2, signalled, &number) == 0);
	raise(SIGUSR2);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(number == SIGUSR2);
	loop_on_wake(test.loop, woken, &wakes);
	loop_wake(test.loop);
	loop_wake(test.loop);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(wakes == 1);
	loop_wake(test.loop);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(wakes == 2);
	loop_free(test.loop);
}

/* -- tasks -- */

static void
task_stops(struct task *task)
{
	(void)task;
	test.told++;
	loop_stop(test.loop);
}

/* Nothing else wakes this loop. */
static void
test_task_from_before_the_first_round(enum loop_backend backend)
{
	struct task task = {.run = task_stops};

	test.told = 0;
	test.loop = loop_new(backend);
	EXPECT(test.loop != NULL);
	loop_later(test.loop, &task);
	EXPECT(loop_run(test.loop) == 0);
	EXPECT(test.told == 1);
	loop_free(test.loop);
}

int
main(void)
{
	static const enum loop_backend backends[] = {LOOP_EPOLL, LOOP_POLL};

	for (int i = 0; i < 2; i++) {
		test_all_are_served(backends[i]);
		test_unwatched_in_the_same_round(backends[i]);
		test_hang_up_without_other_interest(backends[i]);
		test_turns_let_others_pass(backends[i]);
		test_task_from_before_the_first_round(backends[i]);
	}
	test_busy_ones_become_hot();
	test_timers_fire_in_order();
	test_signals_and_wakes();
	puts("ok loop_test");
	return 0;
}
