/* Threads beside the loop's: started deaf to signals, waiting by the monotonic clock. */
#ifndef NET_THREAD_H
#define NET_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start a thread with all signals blocked: they are the loop's. Returns 0, or -1 with errno. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/*
 * Give the calling thread a table of descriptors of its own, which holds 0 to 2 and those in `keep`
 * (sorted here; -1 is none): the others are closed in it, and stay open for the other threads. What
 * one opens from now on the others do not have, so that each must close what it has opened. While a
 * table belongs to one thread alone the kernel counts no references in each system call on a
 * descriptor, which is a twentieth of what short connections cost. Returns false, all being shared
 * as before, where the system does not have close_range(2).
 */
bool thread_own_descriptors(int *keep, size_t count);

/* A condition whose timed waits go by CLOCK_MONOTONIC. Returns 0, or -1 with errno. */
int thread_condition_init(pthread_cond_t *condition);

/* Wait until signalled, or until the clock shows `due` nanoseconds; false when that time has come.
 */
bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t due);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t thread_clock(void);

/* What to add to that, or to a loop time, for the wall clock as it is set now. */
int64_t thread_wall_offset(void);

/*
 * The pace of a thread whose work can wait a little: it runs while a processor has nothing better
 * to do (SCHED_IDLE, sched(7)) until another thread hurries it, and then like any other for a
 * while. Where it could not be hurried, for want of CAP_SYS_NICE or an RLIMIT_NICE, it is never
 * made to wait.
 */
struct thread_pace {
	pthread_t thread;
	bool may_rest;
	atomic_bool rests;
	_Atomic int64_t hurried; /* when it was last */
};

/* Find out, before the thread is started, whether it may rest. */
void thread_pace_init(struct thread_pace *pace);

/* The thread itself: begin, not resting. */
void thread_pace_begin(struct thread_pace *pace);

/* The thread itself, holding no lock: it is 'now' and nothing urgent is left to do. */
void thread_pace_rest(struct thread_pace *pace, int64_t now);

/* Any other thread: this one waits for it. Costs a system call only if it rested. */
void thread_pace_hurry(struct thread_pace *pace, int64_t now);

/* Lock a mutex that the thread may hold while it rests. */
void thread_pace_lock(struct thread_pace *pace, pthread_mutex_t *mutex);

#endif
