#include "net/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/thread.h"

#define THREADS_MAX 8
#define LOOKUPS_MAX 1024 /* names that wait */

/* One name being looked up, for all that ask for it meanwhile. The loop's, but for what a thread
 * writes before it is in `done`. */
struct lookup {
	TAILQ_ENTRY(lookup) all;
	STAILQ_ENTRY(lookup) next; /* in `wanted` or `done` */
	LIST_HEAD(, query) queries;
	struct address_name name;
	int family;
	struct address_list list;
	const char *reason;
};

struct query {
	LIST_ENTRY(query) next;
	void (*done)(void *context, struct address_list *list, const char *reason);
	void *context;
};

STAILQ_HEAD(lookup_list, lookup);

/* What the threads know; the last user frees it, since a thread may be stuck in a lookup for long
 * after the resolver is gone. */
struct resolver_queue {
	pthread_mutex_t mutex; /* over all below */
	struct lookup_list wanted;
	struct lookup_list done;
	unsigned users; /* the resolver and its threads */
	bool closed;	/* nobody wants to know any more */
	int wake;	/* eventfd, the resolver's; -1 once closed */
};

struct resolver {
	struct loop *loop;
	struct watch watch;
	struct resolver_queue *queue;
	TAILQ_HEAD(, lookup) lookups;
	size_t count; /* of these */
};

static void
lookup_free(struct lookup *lookup)
{
	address_list_release(&lookup->list);
	free(lookup);
}

/* One user less; unlocks the queue. */
static void
queue_leave(struct resolver_queue *queue)
{
	bool last = --queue->users == 0;

	pthread_mutex_unlock(&queue->mutex);
	if (!last)
		return;
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
}

/* -- a thread -- */

/* The next lookup to do; NULL: none, and the thread is no user any more. */
static struct lookup *
queue_take(struct resolver_queue *queue)
{
	struct lookup *lookup;

	pthread_mutex_lock(&queue->mutex);
	lookup = STAILQ_FIRST(&queue->wanted);
	if (lookup == NULL) {
		queue_leave(queue);
		return NULL;
	}
	STAILQ_REMOVE_HEAD(&queue->wanted, next);
	pthread_mutex_unlock(&queue->mutex);
	return lookup;
}

static void
queue_give(struct resolver_queue *queue, struct lookup *lookup)
{
	const uint64_t one = 1;
	bool closed;

	pthread_mutex_lock(&queue->mutex);
	closed = queue->closed;
	if (!closed) {
		STAILQ_INSERT_TAIL(&queue->done, lookup, next);
		/* Cannot fail: the counter is far from its end. */
		if (write(queue->wake, &one, sizeof(one)) == -1)
			errno = 0;
	}
	pthread_mutex_unlock(&queue->mutex);
	if (closed)
		lookup_free(lookup);
}

/* Ends when nothing is wanted: names are resolved too seldom to keep threads waiting. */
static void *
resolver_thread(void *argument)
{
	struct resolver_queue *queue = argument;
	struct lookup *lookup;

	while ((lookup = queue_take(queue)) != NULL) {
		lookup->reason =
		    address_resolve(&lookup->name, lookup->family, false, &lookup->list);
		queue_give(queue, lookup);
	}
	return NULL;
}

/* -- the loop -- */

/* Answer all who asked. They may ask again, or cancel others' queries, meanwhile. */
static void
resolver_answer(struct resolver *resolver, struct lookup *lookup)
{
	struct query *query;

	TAILQ_REMOVE(&resolver->lookups, lookup, all);
	resolver->count--;
	while ((query = LIST_FIRST(&lookup->queries)) != NULL) {
		struct address_list list = {0};
		const char *reason = lookup->reason;

		LIST_REMOVE(query, next);
		if (reason == NULL && lookup->list.count == 0)
			reason = "no address";
		if (reason == NULL && address_list_copy(&list, &lookup->list) == -1)
			reason = "out of memory";
		query->done(query->context, &list, reason);
		free(query);
	}
	lookup_free(lookup);
}

static void
resolver_ready(struct watch *watch, short events)
{
	struct resolver *resolver = CONTAINER_OF(watch, struct resolver, watch);
	struct lookup_list done = STAILQ_HEAD_INITIALIZER(done);
	struct lookup *lookup;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) == -1)
		return;
	pthread_mutex_lock(&resolver->queue->mutex);
	STAILQ_CONCAT(&done, &resolver->queue->done);
	pthread_mutex_unlock(&resolver->queue->mutex);
	while ((lookup = STAILQ_FIRST(&done)) != NULL) {
		STAILQ_REMOVE_HEAD(&done, next);
		resolver_answer(resolver, lookup);
	}
}

static bool
name_equal(const struct address_name *a, const struct address_name *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/* Have a thread take it. Returns -1 with errno if there is none and none can be started. */
static int
resolver_want(struct resolver *resolver, struct lookup *lookup)
{
	struct resolver_queue *queue = resolver->queue;
	int result = 0;

	pthread_mutex_lock(&queue->mutex);
	if (queue->users <= THREADS_MAX) {
		pthread_t thread;

		queue->users++;
		if (thread_start(&thread, resolver_thread, queue) == 0)
			pthread_detach(thread);
		else if (--queue->users == 1)
			result = -1;
	}
	if (result == 0)
		STAILQ_INSERT_TAIL(&queue->wanted, lookup, next);
	pthread_mutex_unlock(&queue->mutex);
	return result;
}

static struct lookup *
resolver_lookup(struct resolver *resolver, const struct address_name *name, int family)
{
	struct lookup *lookup;

	TAILQ_FOREACH (lookup, &resolver->lookups, all) {
		if (lookup->family == family && name_equal(&lookup->name, name))
			return lookup;
	}
	if (resolver->count == LOOKUPS_MAX) {
		errno = EAGAIN;
		return NULL;
	}
	lookup = calloc(1, sizeof(*lookup));
	if (lookup == NULL)
		return NULL;
	lookup->name = *name;
	lookup->family = family;
	LIST_INIT(&lookup->queries);
	if (resolver_want(resolver, lookup) == -1) {
		free(lookup);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&resolver->lookups, lookup, all);
	resolver->count++;
	return lookup;
}

struct query *
resolver_ask(struct resolver *resolver, const struct address_name *name, int family,
    void (*done)(void *context, struct address_list *list, const char *reason), void *context)
{
	struct query *query = calloc(1, sizeof(*query));
	struct lookup *lookup;

	if (query == NULL)
		return NULL;
	lookup = resolver_lookup(resolver, name, family);
	if (lookup == NULL) {
		free(query);
		return NULL;
	}
	query->done = done;
	query->context = context;
	LIST_INSERT_HEAD(&lookup->queries, query, next);
	return query;
}

void
resolver_cancel(struct query *query)
{
	if (query == NULL)
		return;
	LIST_REMOVE(query, next);
	free(query);
}

/* -- life -- */

static struct resolver_queue *
queue_new(int wake)
{
	struct resolver_queue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return NULL;
	pthread_mutex_init(&queue->mutex, NULL);
	STAILQ_INIT(&queue->wanted);
	STAILQ_INIT(&queue->done);
	queue->users = 1;
	queue->wake = wake;
	return queue;
}

struct resolver *
resolver_new(struct loop *loop)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (resolver == NULL || wake == -1)
		goto fail;
	resolver->loop = loop;
	TAILQ_INIT(&resolver->lookups);
	watch_init(&resolver->watch, wake, resolver_ready);
	resolver->queue = queue_new(wake);
	if (resolver->queue == NULL)
		goto fail;
	if (loop_watch(loop, &resolver->watch, POLLIN) == 0)
		return resolver;
	pthread_mutex_lock(&resolver->queue->mutex);
	queue_leave(resolver->queue);
fail:
	if (wake != -1)
		close(wake);
	free(resolver);
	return NULL;
}

/* What is being looked up at this moment is its thread's to free. */
static void
queue_close(struct resolver_queue *queue)
{
	struct lookup *lookup;

	pthread_mutex_lock(&queue->mutex);
	STAILQ_CONCAT(&queue->done, &queue->wanted);
	while ((lookup = STAILQ_FIRST(&queue->done)) != NULL) {
		STAILQ_REMOVE_HEAD(&queue->done, next);
		lookup_free(lookup);
	}
	queue->closed = true;
	queue_leave(queue);
}

void
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	queue_close(resolver->queue);
	loop_unwatch(resolver->loop, &resolver->watch);
	close(resolver->watch.fd);
	free(resolver);
}
