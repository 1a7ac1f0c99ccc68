#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/notice.h"
#include "net/socket.h"

#define BATCH 64			   /* accepts a round, so that data is not starved */
#define PAUSE (INT64_C(100) * 1000 * 1000) /* until the next try after EMFILE and its kin */
#define FIRST_INHERITED 3		   /* SD_LISTEN_FDS_START */
#define SAME_PORT_TRIES 16

struct listening {
	struct watch watch;
	struct listener *listener;
	void *context;
	bool announced;
	bool on_loopback;
	TAILQ_ENTRY(listening) next;
	char *path; /* of a unix socket that we made: removed at the end */
	struct task release;
};

struct listener {
	struct listener_config config;
	TAILQ_HEAD(listening_list, listening) sockets; /* in the order in which they were given */
	size_t count;				       /* clients now */
	bool started;
	bool full;	    /* `max` is reached */
	struct timer pause; /* set while descriptors are short */
};

static void
listener_update(struct listener *listener)
{
	bool accept = listener->started && !listener->full && listener->pause.due == 0;
	struct listening *each;

	TAILQ_FOREACH (each, &listener->sockets, next) {
		loop_watch(listener->config.loop, &each->watch, accept ? POLLIN : 0);
	}
}

static void
listener_resume(struct timer *timer)
{
	listener_update(CONTAINER_OF(timer, struct listener, pause));
}

/* No descriptor or memory for a client: it waits in the backlog, and we do not ask again at once.
 */
static void
listener_pause(struct listener *listener)
{
	metrics_add(listener->config.metrics, COUNTER_PAUSED_ACCEPTS, 1);
	notice(NOTICE_VERBOSE, "accepting pauses: %s", strerror(errno));
	loop_timer_set(
	    listener->config.loop, &listener->pause, loop_now(listener->config.loop) + PAUSE);
	listener_update(listener);
}

/* Accept one client; returns whether another try makes sense in this round. */
static bool
listener_accept(struct listener *listener, const struct listening *listening)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);
	struct address client;
	int fd;

	fd = accept4(listening->watch.fd, (struct sockaddr *)&storage, &length,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			listener_pause(listener);
		return errno == ECONNABORTED || errno == EINTR;
	}
	address_from_sockaddr(&client, (struct sockaddr *)&storage, length);
	if (!listening->on_loopback)
		socket_set_far(fd, &client);
	if (++listener->count >= listener->config.max) {
		listener->full = true;
		listener_update(listener);
	}
	listener->config.accepted(listening->context, fd, &client);
	return listener->pause.due == 0 && !listener->full;
}

static void
listener_ready(struct watch *watch, short events)
{
	struct listening *listening = CONTAINER_OF(watch, struct listening, watch);

	(void)events;
	for (int i = 0; i < BATCH && listener_accept(listening->listener, listening); i++)
		;
}

struct listener *
listener_new(const struct listener_config *config)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL)
		return NULL;
	listener->config = *config;
	TAILQ_INIT(&listener->sockets);
	timer_init(&listener->pause, listener_resume);
	return listener;
}

static void
listening_release(struct task *task)
{
	struct listening *listening = CONTAINER_OF(task, struct listening, release);

	free(listening->path);
	free(listening);
}

int
listener_add(struct listener *listener, int fd, void *context)
{
	struct listening *listening = calloc(1, sizeof(*listening));
	struct address own;

	if (listening == NULL) {
		close(fd);
		return -1;
	}
	listening->listener = listener;
	listening->context = context;
	socket_name(fd, &own);
	listening->on_loopback = address_is_loopback(&own);
	listening->release.run = listening_release;
	watch_init(&listening->watch, fd, listener_ready);
	TAILQ_INSERT_TAIL(&listener->sockets, listening, next);
	return 0;
}

/* Listen on one address; `*port` is the port to use, and becomes the one in use. */
static int
bind_one(
    struct listener *listener, struct address *address, bool only6, uint16_t *port, void *context)
{
	int fd;

	if (address->family != AF_UNIX)
		address->port = *port;
	fd = socket_listen(address, only6);
	if (fd == -1)
		return -1;
	if (address->family != AF_UNIX) {
		struct address bound;

		socket_name(fd, &bound);
		*port = bound.port;
	}
	if (listener_add(listener, fd, context) == -1)
		return -1;
	if (address->family == AF_UNIX)
		TAILQ_LAST(&listener->sockets, listening_list)->path = strdup(address->u.path);
	return 0;
}

/* Its memory goes after the round, in which it may yet be told that clients have come. */
static void
close_socket(struct listener *listener, struct listening *each)
{
	TAILQ_REMOVE(&listener->sockets, each, next);
	loop_unwatch(listener->config.loop, &each->watch);
	close(each->watch.fd);
	if (each->path != NULL)
		unlink(each->path);
	loop_later(listener->config.loop, &each->release);
}

/* Close the sockets added since `until` was the last one; all of them if it is NULL. */
static void
close_sockets(struct listener *listener, struct listening *until)
{
	struct listening *each;

	while ((each = TAILQ_LAST(&listener->sockets, listening_list)) != until)
		close_socket(listener, each);
}

/* Listen on every address of the list with one port; returns -1 with errno and the address that
 * failed. */
static int
bind_all(
    struct listener *listener, struct address_list *list, struct address *failed, void *context)
{
	uint16_t port = list->items[0].port;

	for (size_t i = 0; i < list->count; i++) {
		if (bind_one(listener, &list->items[i], list->count > 1, &port, context) == -1) {
			*failed = list->items[i];
			return -1;
		}
	}
	return 0;
}

/* After a failure: does this machine not have addresses of that kind? */
static bool
lacks_family(void)
{
	return errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
}

/* All addresses: a socket for IPv6, and one for IPv4, whose clients would cost more through the
 * former. They are announced as one. */
static int
bind_any(struct listener *listener, struct address *any, uint16_t port, int family, void *context)
{
	bool beside = false;

	if (family != AF_INET) {
		*any = (struct address){.family = AF_INET6};
		beside = bind_one(listener, any, true, &port, context) == 0;
		if (family == AF_INET6 || (!beside && !lacks_family()))
			return beside ? 0 : -1;
	}
	*any = (struct address){.family = AF_INET};
	if (bind_one(listener, any, false, &port, context) == -1)
		return beside && lacks_family() ? 0 : -1;
	TAILQ_LAST(&listener->sockets, listening_list)->announced = beside;
	return 0;
}

int
listener_bind(struct listener *listener, const struct address_name *name, int family, void *context)
{
	struct address_list list;
	struct address failed;
	struct listening *before = TAILQ_LAST(&listener->sockets, listening_list);
	char text[ADDRESS_TEXT_MAX];
	const char *reason = address_resolve(name, family, true, &list);
	int result = -1;

	if (reason != NULL) {
		notice(NOTICE_ERROR, "cannot listen on %s:%s: %s", name->host, name->port, reason);
		return -1;
	}
	bool any = !name->is_unix && name->host[0] == '\0';
	/* With port 0 the second address may find taken what the first was given. */
	for (int i = 0; result == -1 && i < SAME_PORT_TRIES; i++) {
		close_sockets(listener, before);
		result = any ? bind_any(listener, &failed, list.items[0].port, family, context)
			     : bind_all(listener, &list, &failed, context);
		if (errno != EADDRINUSE || list.items[0].port != 0 || (!any && list.count == 1))
			break;
	}
	if (result == -1) {
		notice(NOTICE_ERROR, "cannot listen on %s: %s", address_format(&failed, text),
		    strerror(errno));
		close_sockets(listener, before);
	}
	address_list_release(&list);
	return result;
}

int
listener_inherit(struct listener *listener, void *context)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *error;
	int count;

	if (pid == NULL || fds == NULL || strtonum(pid, 1, INT32_MAX, &error) != getpid())
		return 0;
	count = (int)strtonum(fds, 0, 1024, &error);
	if (error != NULL) {
		notice(NOTICE_ERROR, "LISTEN_FDS is %s", error);
		return -1;
	}
	for (int fd = FIRST_INHERITED; fd < FIRST_INHERITED + count; fd++) {
		if (socket_adopt(fd) == -1 || listener_add(listener, fd, context) == -1) {
			notice(
			    NOTICE_ERROR, "descriptor %d of LISTEN_FDS: %s", fd, strerror(errno));
			return -1;
		}
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return count;
}

void
listener_leave(struct listener *listener, const void *context)
{
	struct listening *each, *next;

	TAILQ_FOREACH_SAFE (each, &listener->sockets, next, next) {
		if (each->context == context)
			close_socket(listener, each);
	}
}

void
listener_left(struct listener *listener)
{
	listener->count--;
	listener->full = listener->count >= listener->config.max;
	loop_timer_cancel(listener->config.loop, &listener->pause);
	listener_update(listener);
}

void
listener_start(struct listener *listener)
{
	char text[ADDRESS_TEXT_MAX];
	struct sockaddr_storage storage;
	const char *purpose = listener->config.purpose;
	struct listening *each;

	listener->started = true;
	listener_update(listener);
	TAILQ_FOREACH (each, &listener->sockets, next) {
		socklen_t length = sizeof(storage);
		struct address address;

		if (each->announced)
			continue;
		each->announced = true;
		socket_name(each->watch.fd, &address);
		if (address.family == AF_UNIX &&
		    getsockname(each->watch.fd, (struct sockaddr *)&storage, &length) == 0)
			address.u.path = ((struct sockaddr_un *)&storage)->sun_path;
		notice(NOTICE_ANNOUNCE, "listening on %s%s%s", address_format(&address, text),
		    purpose != NULL ? " " : "", purpose != NULL ? purpose : "");
	}
}

void
listener_stop(struct listener *listener)
{
	listener->started = false;
	loop_timer_cancel(listener->config.loop, &listener->pause);
	close_sockets(listener, NULL);
}

void
listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	listener_stop(listener);
	free(listener);
}
