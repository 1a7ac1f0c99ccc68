/* The pace of a thread whose work can wait: as whom one runs decides whether it does. A thread with
 * descriptors of its own. */
#include <fcntl.h>
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

struct owner {
	int kept[2], left[2]; /* pipes */
	bool owns;
	atomic_bool ready, enough;
};

static void *
owner_run(void *argument)
{
	struct owner *owner = argument;
	int keep[] = {owner->kept[1], -1};

	owner->owns = thread_own_descriptors(keep, 2);
	EXPECT(write(owner->kept[1], "x", 1) == 1);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		EXPECT(fcntl(fd, F_GETFD) != -1);
	EXPECT((fcntl(owner->kept[0], F_GETFD) == -1) == owner->owns);
	EXPECT((fcntl(owner->left[1], F_GETFD) == -1) == owner->owns);
	/* what is opened here is nothing to the others: they may have the same number */
	int own = open("/dev/null", O_RDONLY);
	EXPECT(own != -1 && (!owner->owns || own <= owner->kept[0]));
	close(own);
	atomic_store(&owner->ready, true);
	while (!atomic_load(&owner->enough))
		usleep(1000);
	return NULL;
}

/* What a thread does not keep ends when the others close it. */
static void
test_own_descriptors(void)
{
	struct owner owner = {.ready = false};
	pthread_t thread;
	char byte;

	EXPECT(pipe(owner.kept) == 0 && pipe(owner.left) == 0);
	EXPECT(thread_start(&thread, owner_run, &owner) == 0);
	while (!atomic_load(&owner.ready))
		usleep(1000);
	EXPECT(read(owner.kept[0], &byte, 1) == 1 && byte == 'x');
	close(owner.left[1]);
	EXPECT(read(owner.left[0], &byte, 1) == 0);
	atomic_store(&owner.enough, true);
	pthread_join(thread, NULL);
	EXPECT(fcntl(owner.kept[1], F_GETFD) != -1);
	close(owner.left[0]);
	close(owner.kept[0]);
	close(owner.kept[1]);
}

int
main(void)
{
	test_hurried();
	test_lock_hurries();
	test_without_privilege();
	test_own_descriptors();
	return 0;
}
