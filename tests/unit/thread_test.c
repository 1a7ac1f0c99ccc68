/* The pace of a thread whose work can wait: as whom one runs decides whether it does. */
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/thread.h"
#include "tests/unit/test.h"

#define SECOND INT64_C(1000000000)
#define NOBODY 65534

struct worker {
	struct thread_pace pace;
	pthread_t thread;
	pthread_mutex_t mutex; /* the worker's, from when `tid` is set until it ends */
	_Atomic pid_t tid;
	atomic_bool enough;
};

static void *
worker_run(void *argument)
{
	struct worker *worker = argument;

	thread_pace_begin(&worker->pace);
	EXPECT(sched_getscheduler(0) == SCHED_BATCH);
	thread_pace_rest(&worker->pace, thread_clock());
	pthread_mutex_lock(&worker->mutex);
	atomic_store(&worker->tid, gettid());
	while (!atomic_load(&worker->enough))
		usleep(1000);
	thread_pace_rest(&worker->pace, thread_clock());
	EXPECT(sched_getscheduler(0) == SCHED_BATCH); /* it was hurried just now */
	thread_pace_rest(&worker->pace, thread_clock() + SECOND);
	EXPECT(sched_getscheduler(0) == (worker->pace.may_rest ? SCHED_IDLE : SCHED_BATCH));
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

static void
worker_begin(struct worker *worker)
{
	*worker = (struct worker){.mutex = PTHREAD_MUTEX_INITIALIZER};
	thread_pace_init(&worker->pace);
	EXPECT(thread_start(&worker->thread, worker_run, worker) == 0);
	while (atomic_load(&worker->tid) == 0)
		usleep(1000);
	EXPECT(
	    sched_getscheduler(worker->tid) == (worker->pace.may_rest ? SCHED_IDLE : SCHED_BATCH));
}

static void
worker_end(struct worker *worker)
{
	atomic_store(&worker->enough, true);
	pthread_join(worker->thread, NULL);
}

static void
test_hurried(void)
{
	struct worker worker;

	worker_begin(&worker);
	thread_pace_hurry(&worker.pace, thread_clock());
	EXPECT(sched_getscheduler(worker.tid) == SCHED_BATCH);
	worker_end(&worker);
}

static void *
lock_and_let_go(void *argument)
{
	struct worker *worker = argument;

	thread_pace_lock(&worker->pace, &worker->mutex);
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

/* Who waits for a mutex of a thread that rests hurries it. */
static void
test_lock_hurries(void)
{
	struct worker worker;
	pthread_t waiting;

	worker_begin(&worker);
	EXPECT(thread_start(&waiting, lock_and_let_go, &worker) == 0);
	while (
	    sched_getscheduler(worker.tid) != SCHED_BATCH || atomic_load(&worker.pace.hurried) == 0)
		usleep(1000);
	worker_end(&worker);
	pthread_join(waiting, NULL);
}

/* Without the right to leave SCHED_IDLE a thread must not get there. */
static void
test_without_privilege(void)
{
	struct rlimit none = {0};
	struct worker worker;
	int status;
	pid_t child = fork();

	if (child == 0) {
		EXPECT(setrlimit(RLIMIT_NICE, &none) == 0);
		EXPECT(geteuid() != 0 || setuid(NOBODY) == 0);
		worker_begin(&worker);
		EXPECT(!worker.pace.may_rest);
		thread_pace_hurry(&worker.pace, thread_clock());
		worker_end(&worker);
		_exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

int
main(void)
{
	test_hurried();
	test_lock_hurries();
	test_without_privilege();
	return 0;
}
