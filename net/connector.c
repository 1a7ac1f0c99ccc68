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
	struct task task;   /* tells what has come out in `error`; once that is told, releases */
	int error;
	void (*done)(void *context, int fd, int error, const struct address *address);
	void *context;
};

/* Forget `done`; the memory goes after the round, since this may be the watch being told. */
static void
connector_end(struct connector *connector)
{
	loop_unwatch(connector->loop, &connector->watch);
	loop_timer_cancel(connector->loop, &connector->timer);
	connector->done = NULL;
	loop_later(connector->loop, &connector->task);
}

static void
connector_finish(struct connector *connector, int error)
{
	const struct address *address = &connector->targets->items[connector->current];
	void (*done)(void *, int, int, const struct address *) = connector->done;
	int fd = connector->watch.fd;

	connector_end(connector);
	if (error != 0 && fd != -1) {
		close(fd);
		fd = -1;
	}
	done(connector->context, fd, error, address);
}

static void
connector_task(struct task *task)
{
	struct connector *connector = CONTAINER_OF(task, struct connector, task);

	if (connector->done != NULL)
		connector_finish(connector, connector->error);
	else
		free(connector);
}

/*
 * It has come out at once. Who sends is told after the round: when many clients come together, all
 * their servers' connections are begun before the first byte is sent, and the server, woken once,
 * finds all of it rather than going back to sleep each time. Returns whether it goes on.
 */
static bool
connector_settle(struct connector *connector, int fd, int error)
{
	connector->watch.fd = fd;
	if (!connector->sends) {
		connector_finish(connector, error);
		return false;
	}
	connector->error = error;
	loop_timer_cancel(connector->loop, &connector->timer);
	loop_later(connector->loop, &connector->task);
	return true;
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

		if (fd != -1 && connected)
			return connector_settle(connector, fd, 0);
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
	return connector_settle(connector, -1, error);
}

static void
connector_ready(struct watch *watch, short events)
{
	struct connector *connector = CONTAINER_OF(watch, struct connector, watch);
	int error = socket_error(watch->fd);

	(void)events;
	if (error == 0 || connector->current + 1 == connector->targets->count) {
		connector_finish(connector, error);
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
		connector_finish(connector, ETIMEDOUT);
		return;
	}
	connector_limit(connector);
	connector_try(connector);
}

struct connector *
connector_start(struct loop *loop, const struct address_list *targets, int64_t timeout, bool sends,
    void (*done)(void *context, int fd, int error, const struct address *address), void *context)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (connector == NULL) {
		done(context, -1, ENOMEM, &targets->items[0]);
		return NULL;
	}
	connector->loop = loop;
	connector->targets = targets;
	connector->deadline = timeout > 0 ? loop_now(loop) + timeout : INT64_MAX;
	connector->sends = sends;
	connector->done = done;
	connector->context = context;
	connector->task.run = connector_task;
	watch_init(&connector->watch, -1, connector_ready);
	timer_init(&connector->timer, connector_timer);
	connector_limit(connector);
	return connector_try(connector) ? connector : NULL;
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
