#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/connector.h"
#include "net/socket.h"

#define RETRY (INT64_C(10) * 1000 * 1000) /* a unix socket whose backlog is full says EAGAIN */

struct connector {
	struct loop *loop;
	const struct address_list *targets;
	bool sends;
	size_t current;	  /* the target that is being tried */
	int64_t deadline; /* INT64_MAX: none */
	struct watch watch;
	struct timer timer; /* the deadline, or a retry before it */
	struct task release;
	void (*done)(void *context, int fd, int error, const struct address *address);
	void *context;
};

static void
connector_release(struct task *task)
{
	free(CONTAINER_OF(task, struct connector, release));
}

/* Stop watching; the memory goes after the round, since this may be the watch being told. */
static void
connector_end(struct connector *connector)
{
	loop_unwatch(connector->loop, &connector->watch);
	loop_timer_cancel(connector->loop, &connector->timer);
	loop_later(connector->loop, &connector->release);
}

static void
connector_finish(struct connector *connector, int fd, int error)
{
	const struct address *address = &connector->targets->items[connector->current];

	connector_end(connector);
	if (fd == -1 && connector->watch.fd != -1)
		close(connector->watch.fd);
	connector->done(connector->context, fd, error, address);
}

/* Try targets from the current one on. Returns false when it has finished. */
static bool
connector_try(struct connector *connector)
{
	int error = EADDRNOTAVAIL;

	for (; connector->current < connector->targets->count; connector->current++) {
		bool connected;
		int fd = socket_connect(
		    &connector->targets->items[connector->current], connector->sends, &connected);

		if (fd != -1 && connected) {
			connector_finish(connector, fd, 0);
			return false;
		}
		if (fd != -1) {
			connector->watch.fd = fd;
			if (loop_watch(connector->loop, &connector->watch, POLLOUT) == 0)
				return true;
			error = errno;
			close(fd);
			connector->watch.fd = -1;
			continue;
		}
		error = errno;
		if (error == EAGAIN) {
			loop_timer_set(
			    connector->loop, &connector->timer, loop_now(connector->loop) + RETRY);
			return true;
		}
	}
	if (connector->current > 0)
		connector->current--;
	connector_finish(connector, -1, error);
	return false;
}

static void
connector_ready(struct watch *watch, short events)
{
	struct connector *connector = CONTAINER_OF(watch, struct connector, watch);
	int error = socket_error(watch->fd);

	(void)events;
	if (error == 0) {
		connector_finish(connector, watch->fd, 0);
		return;
	}
	if (connector->current + 1 == connector->targets->count) {
		connector_finish(connector, -1, error);
		return;
	}
	loop_unwatch(connector->loop, watch);
	close(watch->fd);
	watch->fd = -1;
	connector->current++;
	connector_try(connector);
}

static void
connector_limit(struct connector *connector)
{
	if (connector->deadline != INT64_MAX)
		loop_timer_set(connector->loop, &connector->timer, connector->deadline);
}

static void
connector_timer(struct timer *timer)
{
	struct connector *connector = CONTAINER_OF(timer, struct connector, timer);

	if (loop_now(connector->loop) >= connector->deadline) {
		connector_finish(connector, -1, ETIMEDOUT);
		return;
	}
	connector_limit(connector);
	connector_try(connector);
}

/* `model` says what is wanted; the rest is set here. */
static struct connector *
connector_begin(const struct connector *model, int64_t timeout)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (connector == NULL) {
		model->done(model->context, -1, ENOMEM, &model->targets->items[0]);
		return NULL;
	}
	*connector = *model;
	connector->deadline = timeout > 0 ? loop_now(model->loop) + timeout : INT64_MAX;
	connector->release.run = connector_release;
	watch_init(&connector->watch, -1, connector_ready);
	timer_init(&connector->timer, connector_timer);
	connector_limit(connector);
	return connector_try(connector) ? connector : NULL;
}

struct connector *
connector_start(struct loop *loop, const struct address_list *targets, int64_t timeout,
    void (*done)(void *context, int fd, int error, const struct address *address), void *context)
{
	return connector_begin(
	    &(struct connector){.loop = loop, .targets = targets, .done = done, .context = context},
	    timeout);
}

struct connector *
connector_start_sending(struct loop *loop, const struct address_list *targets, int64_t timeout,
    void (*done)(void *context, int fd, int error, const struct address *address), void *context)
{
	return connector_begin(
	    &(struct connector){
		.loop = loop, .targets = targets, .sends = true, .done = done, .context = context},
	    timeout);
}

void
connector_cancel(struct connector *connector)
{
	if (connector == NULL)
		return;
	connector_end(connector);
	if (connector->watch.fd != -1)
		close(connector->watch.fd);
}

int
connector_descriptor(const struct connector *connector)
{
	return connector->watch.fd;
}
