#include "net/thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

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

int64_t
thread_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}
