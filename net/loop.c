#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/poller.h"

#define SIGNAL_MAX 8
#define NANOSECONDS INT64_C(1000000000)

RB_HEAD(timer_tree, timer);
STAILQ_HEAD(task_list, task);
TAILQ_HEAD(turn_list, turn);

struct signal_handler {
	int signal;
	void (*handler)(void *context, int signal);
	void *context;
};

struct loop {
	int64_t now;
	bool stopped;
	struct poller poller;

	struct timer_tree timers;
	struct task_list tasks;
	struct turn_list turns;

	sigset_t signals;
	struct watch signal_watch;
	struct signal_handler handlers[SIGNAL_MAX];
	int handler_count;

	struct watch wake_watch;
	atomic_bool wake_pending; /* saves writes while one is under way */
	void (*wake_handler)(void *context);
	void *wake_context;
};

static int
timer_compare(const struct timer *a, const struct timer *b)
{
	if (a->due != b->due)
		return a->due < b->due ? -1 : 1;
	return (a > b) - (a < b);
}

RB_GENERATE_INTERNAL(timer_tree, timer, node, timer_compare, __attribute__((unused)) static inline)

/* -- time and timers -- */

int64_t
loop_now(const struct loop *loop)
{
	return loop->now;
}

int64_t
loop_refresh(struct loop *loop)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	loop->now = (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
	return loop->now;
}

void
timer_init(struct timer *timer, void (*fire)(struct timer *))
{
	memset(timer, 0, sizeof(*timer));
	timer->fire = fire;
}

void
loop_timer_set(struct loop *loop, struct timer *timer, int64_t due)
{
	loop_timer_cancel(loop, timer);
	/* Later than now, so that a timer which sets itself cannot hold the loop. */
	timer->due = due > loop->now ? due : loop->now + 1;
	RB_INSERT(timer_tree, &loop->timers, timer);
}

void
loop_timer_cancel(struct loop *loop, struct timer *timer)
{
	if (timer->due == 0)
		return;
	RB_REMOVE(timer_tree, &loop->timers, timer);
	timer->due = 0;
}

/* Fire what is due by now; timers set meanwhile wait for the next round, so that none can starve
 * the rest. */
static void
fire_timers(struct loop *loop)
{
	int64_t now = loop_refresh(loop);
	struct timer *timer;

	while (!loop->stopped && (timer = RB_MIN(timer_tree, &loop->timers)) != NULL &&
	       timer->due <= now) {
		loop_timer_cancel(loop, timer);
		timer->fire(timer);
	}
}

/* -- tasks -- */

void
loop_later(struct loop *loop, struct task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	STAILQ_INSERT_TAIL(&loop->tasks, task, next);
}

static void
run_tasks(struct loop *loop)
{
	struct task *task;

	while ((task = STAILQ_FIRST(&loop->tasks)) != NULL) {
		STAILQ_REMOVE_HEAD(&loop->tasks, next);
		task->queued = false;
		task->run(task);
	}
}

/* -- turns -- */

void
loop_turn(struct loop *loop, struct turn *turn)
{
	if (turn->queued)
		return;
	turn->queued = true;
	TAILQ_INSERT_TAIL(&loop->turns, turn, next);
}

void
loop_turn_cancel(struct loop *loop, struct turn *turn)
{
	if (!turn->queued)
		return;
	turn->queued = false;
	TAILQ_REMOVE(&loop->turns, turn, next);
}

static void
take_turn(struct loop *loop)
{
	struct turn *turn = TAILQ_FIRST(&loop->turns);

	if (turn == NULL || loop->stopped)
		return;
	loop_turn_cancel(loop, turn);
	loop_refresh(loop);
	turn->take(turn);
}

/* -- descriptors -- */

void
watch_init(struct watch *watch, int fd, void (*ready)(struct watch *, short))
{
	memset(watch, 0, sizeof(*watch));
	watch->fd = fd;
	watch->place = PLACE_NOWHERE;
	watch->ready = ready;
}

int
loop_watch(struct loop *loop, struct watch *watch, short interest)
{
	return poller_watch(&loop->poller, watch, interest);
}

void
loop_unwatch(struct loop *loop, struct watch *watch)
{
	poller_unwatch(&loop->poller, watch);
}

/* The clock is read once per readiness, before the owner is told. */
static void
loop_tell(void *context, struct watch *watch, short events)
{
	loop_refresh(context);
	watch->ready(watch, events);
}

/* -- signals and other threads -- */

static void
signal_ready(struct watch *watch, short events)
{
	struct loop *loop = CONTAINER_OF(watch, struct loop, signal_watch);
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	for (int i = 0; i < loop->handler_count; i++)
		if (loop->handlers[i].signal == (int)info.ssi_signo)
			loop->handlers[i].handler(
			    loop->handlers[i].context, loop->handlers[i].signal);
}

int
loop_signal(
    struct loop *loop, int signal, void (*handler)(void *context, int signal), void *context)
{
	int fd;

	if (loop->handler_count == SIGNAL_MAX) {
		errno = ENOSPC;
		return -1;
	}
	sigaddset(&loop->signals, signal);
	errno = pthread_sigmask(SIG_BLOCK, &loop->signals, NULL);
	if (errno != 0)
		return -1;
	fd = signalfd(loop->signal_watch.fd, &loop->signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd == -1)
		return -1;
	loop->handlers[loop->handler_count++] = (struct signal_handler){signal, handler, context};
	if (loop->signal_watch.fd == -1) {
		loop->signal_watch.fd = fd;
		return loop_watch(loop, &loop->signal_watch, POLLIN);
	}
	return 0;
}

static void
wake_ready(struct watch *watch, short events)
{
	struct loop *loop = CONTAINER_OF(watch, struct loop, wake_watch);
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) == -1)
		return;
	atomic_store(&loop->wake_pending, false);
	if (loop->wake_handler != NULL)
		loop->wake_handler(loop->wake_context);
}

void
loop_on_wake(struct loop *loop, void (*handler)(void *context), void *context)
{
	loop->wake_handler = handler;
	loop->wake_context = context;
}

void
loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	if (atomic_exchange(&loop->wake_pending, true))
		return;
	while (write(loop->wake_watch.fd, &one, sizeof(one)) == -1 && errno == EINTR)
		;
}

int
loop_wake_descriptor(const struct loop *loop)
{
	return loop->wake_watch.fd;
}

/* -- life -- */

enum loop_backend
loop_backend_wanted(void)
{
	const char *name = getenv("NETRECORD_BACKEND");

	return name != NULL && strcmp(name, "poll") == 0 ? LOOP_POLL : LOOP_EPOLL;
}

struct loop *
loop_new(enum loop_backend backend)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	RB_INIT(&loop->timers);
	STAILQ_INIT(&loop->tasks);
	TAILQ_INIT(&loop->turns);
	sigemptyset(&loop->signals);
	watch_init(&loop->signal_watch, -1, signal_ready);
	watch_init(&loop->wake_watch, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), wake_ready);
	if (poller_init(&loop->poller, backend, loop_tell, loop) == -1 ||
	    loop->wake_watch.fd == -1 || loop_watch(loop, &loop->wake_watch, POLLIN) == -1)
		goto fail;
	loop_refresh(loop);
	return loop;
fail:
	loop_free(loop);
	return NULL;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	run_tasks(loop);
	if (loop->signal_watch.fd != -1)
		close(loop->signal_watch.fd);
	if (loop->wake_watch.fd != -1)
		close(loop->wake_watch.fd);
	poller_release(&loop->poller);
	free(loop);
}

/* Wait until a descriptor is ready or the first timer is due, not at all while somebody waits for
 * its turn, and serve what is ready. */
static int
serve_descriptors(struct loop *loop)
{
	struct timer *first = RB_MIN(timer_tree, &loop->timers);
	struct timespec timeout = {0}, *until = NULL;

	if (!TAILQ_EMPTY(&loop->turns)) {
		until = &timeout;
	} else if (first != NULL) {
		int64_t left = first->due - loop_refresh(loop);

		if (left < 0)
			left = 0;
		timeout.tv_sec = left / NANOSECONDS;
		timeout.tv_nsec = left % NANOSECONDS;
		until = &timeout;
	}
	return poller_wait(&loop->poller, until, &loop->stopped);
}

int
loop_run(struct loop *loop)
{
	loop->stopped = false;
	run_tasks(loop); /* those from before the first round: it may wait for long */
	while (!loop->stopped) {
		if (serve_descriptors(loop) == -1)
			return -1;
		run_tasks(loop);
		take_turn(loop);
		fire_timers(loop);
		run_tasks(loop);
	}
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
