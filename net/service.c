#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/notice.h"
#include "net/service.h"

#define RESERVED 16 /* descriptors for the loop, listeners, index, stdio */

static size_t
service_count(const struct service *service)
{
	return service->ops != NULL ? service->ops->count(service->context) : service->relays.count;
}

static void
stop_all(struct service *service)
{
	if (service->ops != NULL)
		service->ops->stop(service->context);
	else
		relay_set_stop(&service->relays);
	loop_stop(service->loop);
}

static void
service_grace_over(struct timer *timer)
{
	struct service *service = CONTAINER_OF(timer, struct service, timer);

	notice(NOTICE_WARNING, "grace time is over: %zu connections are ended",
	    service_count(service));
	stop_all(service);
}

static void
service_signal(void *context, int signal)
{
	struct service *service = context;

	if (service->listener != NULL)
		listener_stop(service->listener);
	if (signal == SIGINT || service->stopping || service_count(service) == 0) {
		stop_all(service);
		return;
	}
	service->stopping = true;
	if (service->ops != NULL && service->ops->drain != NULL)
		service->ops->drain(service->context);
	if (signal == SIGTERM)
		loop_timer_set(
		    service->loop, &service->timer, loop_now(service->loop) + service->grace);
	notice(NOTICE_INFO, "waiting for %zu connections to end", service_count(service));
}

void
service_quit(struct service *service)
{
	if (!service->stopping)
		service_signal(service, SIGQUIT);
}

static void
service_usr1(void *context, int signal)
{
	struct service *service = context;

	(void)signal;
	if (service->ops != NULL && service->ops->measure != NULL)
		service->ops->measure(service->context);
	metrics_tell(service->metrics);
}

static void
service_hup(void *context, int signal)
{
	struct service *service = context;

	(void)signal;
	if (service->reload != NULL)
		service->reload(service->context);
	else
		notice(NOTICE_INFO, "nothing to reload");
}

void
service_left(struct service *service)
{
	if (service->listener != NULL)
		listener_left(service->listener);
	service_check(service);
}

void
service_check(struct service *service)
{
	if (service->stopping && service_count(service) == 0)
		stop_all(service);
}

static void
service_gone(void *context)
{
	service_left(context);
}

int
service_init(struct service *service, struct metrics *metrics)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGQUIT};
	struct loop *loop;

	memset(service, 0, sizeof(*service));
	service->grace = SERVICE_GRACE;
	service->metrics = metrics;
	timer_init(&service->timer, service_grace_over);
	loop = loop_new(loop_backend_wanted());
	if (loop == NULL)
		return -1;
	service->loop = loop;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (loop_signal(loop, ends[i], service_signal, service) == -1)
			return -1;
	if (loop_signal(loop, SIGUSR1, service_usr1, service) == -1 ||
	    loop_signal(loop, SIGHUP, service_hup, service) == -1)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	service->relays.loop = loop;
	service->relays.metrics = metrics;
	service->relays.gone = service_gone;
	service->relays.context = service;
	LIST_INIT(&service->relays.relays);
	service->relays.pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	service->relays.bulk_pool = chunk_pool_new(CHUNK_BULK_SIZE);
	return service->relays.pool != NULL && service->relays.bulk_pool != NULL ? 0 : -1;
}

void
service_release(struct service *service)
{
	listener_free(service->listener);
	chunk_pool_free(service->relays.pool);
	chunk_pool_free(service->relays.bulk_pool);
	loop_free(service->loop);
}

int
service_run(struct service *service)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGQUIT};
	sigset_t set;
	int result;

	if (service->listener != NULL)
		listener_start(service->listener);
	result = loop_run(service->loop);
	/* What is left to do may take long: from here on a signal has its default effect. */
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		signal(ends[i], SIG_DFL); /* a shell may have had it ignored in the background */
		sigaddset(&set, ends[i]);
	}
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return result;
}

size_t
service_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
			limit.rlim_cur = before;
	}
	return limit.rlim_cur > INT32_MAX ? INT32_MAX : (size_t)limit.rlim_cur;
}

size_t
service_max_relays(size_t descriptors, size_t legs)
{
	size_t logs = descriptors / 4 < 128 ? descriptors / 4 : 128;

	if (descriptors < RESERVED + logs + 1 + legs)
		return 1;
	return (descriptors - RESERVED - logs) / (1 + legs);
}

const char *
service_drop_privileges(const char *user)
{
	struct passwd *entry = getpwnam(user);

	if (entry == NULL)
		return "no such user";
	if (geteuid() == entry->pw_uid && getuid() == entry->pw_uid)
		return NULL;
	if (initgroups(user, entry->pw_gid) == -1 || setgid(entry->pw_gid) == -1 ||
	    setuid(entry->pw_uid) == -1)
		return strerror(errno);
	if (entry->pw_uid != 0 && setuid(0) == 0)
		return "privileges could not be dropped for good";
	return NULL;
}
