/* Threads beside the loop's: started deaf to signals, waiting by the monotonic clock. */
#ifndef NET_THREAD_H
#define NET_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Start a thread with all signals blocked: they are the loop's. Returns 0, or -1 with errno. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* A condition whose timed waits go by CLOCK_MONOTONIC. Returns 0, or -1 with errno. */
int thread_condition_init(pthread_cond_t *condition);

/* Wait until signalled, or until the clock shows `due` nanoseconds; false when that time has come.
 */
bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t due);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t thread_clock(void);

#endif
