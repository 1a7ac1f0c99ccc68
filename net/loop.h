/*
 * One thread's event loop: descriptors, timers, signals, work handed over by other threads.
 *
 * New and busy descriptors sit in a small hot set given to ppoll(2); the rest is parked in one
 * epoll(7) set, whose own descriptor is polled with the hot ones. Where a descriptor sits is the
 * loop's own business.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <poll.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

struct loop;

/* The structure of type `type` whose member `member` is at `pointer`: how a callback finds the
 * owner of what was embedded. */
#define CONTAINER_OF(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* A descriptor being watched; embedded in its owner. */
struct watch {
	int fd;
	int place;	/* private: index into the hot set, or one of enum watch_place */
	short interest; /* POLLIN, POLLOUT, POLLERR (errors and hang-up only); 0: nothing at all */
	uint16_t times; /* private: in how many rounds it was ready since the round `since` */
	uint32_t since;
	uint32_t last; /* private: the round in which it was last ready */
	/* `events` as poll(2) returns them. It may unwatch anything; what it frees it frees by
	 * loop_later(). */
	void (*ready)(struct watch *watch, short events);
};

/* A point in time; embedded in its owner. */
struct timer {
	RB_ENTRY(timer) node;
	int64_t due; /* absolute loop time in nanoseconds; 0: not set */
	void (*fire)(struct timer *timer);
};

/* Work to be done after the current round of dispatching, such as freeing what is being dispatched.
 */
struct task {
	STAILQ_ENTRY(task) next;
	bool queued;
	void (*run)(struct task *task);
};

/* A long piece of work, such as passing on much at once; embedded in its owner. */
struct turn {
	TAILQ_ENTRY(turn) next;
	bool queued;
	void (*take)(struct turn *turn);
};

enum loop_backend { LOOP_EPOLL, LOOP_POLL };

/* The one that NETRECORD_BACKEND asks for. */
enum loop_backend loop_backend_wanted(void);

/* `backend` LOOP_POLL is the portable one: all descriptors in one poll(2). Returns NULL with errno.
 */
struct loop *loop_new(enum loop_backend backend);
void loop_free(struct loop *loop);

/* CLOCK_MONOTONIC in nanoseconds, read once per readiness. */
int64_t loop_now(const struct loop *loop);

/* Read the clock anew (after something slow). */
int64_t loop_refresh(struct loop *loop);

void watch_init(struct watch *watch, int fd, void (*ready)(struct watch *, short));

/* Set what is waited for. Returns 0, or -1 with errno ENOMEM or ENOSPC. */
int loop_watch(struct loop *loop, struct watch *watch, short interest);

/* Forget the descriptor; must precede close(2). */
void loop_unwatch(struct loop *loop, struct watch *watch);

void timer_init(struct timer *timer, void (*fire)(struct timer *));

/* Set or move the timer. A due time that has passed fires in the next round. */
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t due);
void loop_timer_cancel(struct loop *loop, struct timer *timer);

/* Run `task` once after the current round, or before the first; a task that is queued already stays
 * so. */
void loop_later(struct loop *loop, struct task *task);

/* Have `turn` taken once, behind those that wait already; one that waits stays where it is. One is
 * taken a round, so that nothing else that is ready waits for more than one. */
void loop_turn(struct loop *loop, struct turn *turn);
void loop_turn_cancel(struct loop *loop, struct turn *turn);

/* Call `handler` from the loop when the signal arrives. Blocks it for the rest of the process:
 * start threads after this. Returns -1 with errno. */
int loop_signal(
    struct loop *loop, int signal, void (*handler)(void *context, int signal), void *context);

/* Wake the loop from another thread (or a signal handler) and have `handler`, set once before, run
 * in it. */
void loop_on_wake(struct loop *loop, void (*handler)(void *context), void *context);
void loop_wake(struct loop *loop);

/* The descriptor that this writes to, for thread_own_descriptors(). */
int loop_wake_descriptor(const struct loop *loop);

/* Wait and dispatch until loop_stop(). Returns 0, or -1 with errno if waiting itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
