#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/notice.h"
#include "net/thread.h"
#include "netmirror/reload.h"

struct reload {
	const char *path;
	int family;
	struct entrances *entrances;
	bool running;	    /* the thread is to be joined */
	bool again;	    /* asked for once more meanwhile */
	struct watch watch; /* the thread is done */
	pthread_t thread;
	/* the thread's while it runs */
	struct config config;
	int result;
	char error[CONFIG_ERROR_MAX];
};

static struct service *
reload_service(const struct reload *reload)
{
	return &reload->entrances->common->front->service;
}

static void *
reload_run(void *argument)
{
	struct reload *reload = argument;
	uint64_t one = 1;

	config_init(&reload->config);
	reload->result = config_load(&reload->config, reload->path, reload->error);
	if (reload->result == 0)
		reload->result = config_resolve(&reload->config, reload->family, reload->error);
	while (write(reload->watch.fd, &one, sizeof(one)) == -1 && errno == EINTR)
		;
	return NULL;
}

void
reload_start(void *context)
{
	struct reload *reload = context;

	if (reload->running) {
		reload->again = true;
		return;
	}
	reload->again = false;
	reload->running = thread_start(&reload->thread, reload_run, reload) == 0;
	if (!reload->running)
		notice(NOTICE_ERROR, "%s is not read: %s", reload->path, strerror(errno));
}

static void
reload_apply(struct reload *reload)
{
	const struct service *service = reload_service(reload);

	if (service->stopping)
		return;
	if (reload->result == 0)
		reload->result = entrances_apply(reload->entrances, &reload->config, NULL);
	else
		notice(NOTICE_ERROR, "%s", reload->error);
	if (reload->result == -1) {
		notice(NOTICE_ERROR, "the configuration stays as it was");
		return;
	}
	notice(NOTICE_INFO, "%s is read anew", reload->path);
	listener_start(service->listener);
}

static void
reload_ready(struct watch *watch, short events)
{
	struct reload *reload = CONTAINER_OF(watch, struct reload, watch);
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) == -1)
		return;
	pthread_join(reload->thread, NULL);
	reload->running = false;
	reload_apply(reload);
	config_release(&reload->config);
	if (reload->again)
		reload_start(reload);
}

struct reload *
reload_new(const char *path, int family, struct entrances *entrances)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload == NULL)
		return NULL;
	reload->path = path;
	reload->family = family;
	reload->entrances = entrances;
	watch_init(&reload->watch, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), reload_ready);
	if (reload->watch.fd != -1 &&
	    loop_watch(reload_service(reload)->loop, &reload->watch, POLLIN) == 0)
		return reload;
	reload_free(reload);
	return NULL;
}

void
reload_free(struct reload *reload)
{
	if (reload == NULL)
		return;
	if (reload->running) {
		pthread_join(reload->thread, NULL);
		config_release(&reload->config);
	}
	loop_unwatch(reload_service(reload)->loop, &reload->watch);
	if (reload->watch.fd != -1)
		close(reload->watch.fd);
	free(reload);
}
