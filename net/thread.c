#include "net/thread.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define REST_AFTER (SECOND / 20) /* so long after it was hurried */

int
thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		errno = error;
		return -1;
	}
	return 0;
}

static int
compare(const void *one, const void *other)
{
	const int *a = one, *b = other;

	return (*a > *b) - (*a < *b);
}

/* ThreadSanitizer takes descriptors with one number for one, though they are of two tables. */
#if defined(__SANITIZE_THREAD__)
#define ONE_TABLE true
#elif defined(__has_feature)
#define ONE_TABLE __has_feature(thread_sanitizer)
#else
#define ONE_TABLE false
#endif

bool
thread_own_descriptors(int *keep, size_t count)
{
	int last = STDERR_FILENO;

	if (ONE_TABLE)
		return false;
	qsort(keep, count, sizeof(*keep), compare);
	if (count > 0 && keep[count - 1] > last)
		last = keep[count - 1];
	if (close_range((unsigned)last + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0)
		return false;
	last = STDERR_FILENO;
	for (size_t i = 0; i < count; i++) {
		if (keep[i] <= last)
			continue;
		if (keep[i] > last + 1)
			close_range((unsigned)last + 1, (unsigned)keep[i] - 1, 0);
		last = keep[i];
	}
	return true;
}

int
thread_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (error == 0) {
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
		error = pthread_cond_init(condition, &attributes);
		pthread_condattr_destroy(&attributes);
	}
	if (error != 0) {
		errno = error;
		return -1;
	}
	return 0;
}

bool
thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t due)
{
	struct timespec until = {.tv_sec = due / SECOND, .tv_nsec = due % SECOND};

	return pthread_cond_timedwait(condition, mutex, &until) != ETIMEDOUT;
}

static int64_t
clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

int64_t
thread_clock(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

int64_t
thread_wall_offset(void)
{
	return clock_read(CLOCK_REALTIME) - thread_clock();
}

/* -- pace -- */

static bool
thread_set_policy(pthread_t thread, int policy)
{
	return pthread_setschedparam(thread, policy, &(struct sched_param){0}) == 0;
}

/* Whether a thread can leave SCHED_IDLE again depends on too much to be computed: one tries. */
static void *
pace_try(void *argument)
{
	bool *may_rest = argument;

	*may_rest = thread_set_policy(pthread_self(), SCHED_IDLE) &&
		    thread_set_policy(pthread_self(), SCHED_BATCH);
	return NULL;
}

void
thread_pace_init(struct thread_pace *pace)
{
	pthread_t thread;

	*pace = (struct thread_pace){0};
	if (thread_start(&thread, pace_try, &pace->may_rest) == 0)
		pthread_join(thread, NULL);
}

void
thread_pace_begin(struct thread_pace *pace)
{
	pace->thread = pthread_self();
	/* Woken, it must not take the processor from who woke it. */
	thread_set_policy(pace->thread, SCHED_BATCH);
}

void
thread_pace_rest(struct thread_pace *pace, int64_t now)
{
	if (!pace->may_rest || atomic_load_explicit(&pace->rests, memory_order_relaxed) ||
	    now - atomic_load_explicit(&pace->hurried, memory_order_relaxed) < REST_AFTER)
		return;
	/* In this order: who hurries it in between does so again, for it is still waited for. */
	if (thread_set_policy(pace->thread, SCHED_IDLE))
		atomic_store(&pace->rests, true);
}

void
thread_pace_hurry(struct thread_pace *pace, int64_t now)
{
	atomic_store_explicit(&pace->hurried, now, memory_order_relaxed);
	if (atomic_exchange(&pace->rests, false))
		thread_set_policy(pace->thread, SCHED_BATCH);
}

void
thread_pace_lock(struct thread_pace *pace, pthread_mutex_t *mutex)
{
	if (pthread_mutex_trylock(mutex) == 0)
		return;
	thread_pace_hurry(pace, thread_clock());
	pthread_mutex_lock(mutex);
}
