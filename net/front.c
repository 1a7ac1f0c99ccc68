#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/logname.h"
#include "net/front.h"
#include "net/notice.h"
#include "net/tracer.h"

static int
front_failed(const char *what)
{
	notice(NOTICE_ERROR, "%s: %s", what, strerror(errno));
	return -1;
}

static void
front_reload(void *context)
{
	struct front *front = context;

	script_reload(front->script);
}

/* Is what another option writes to free for that? A finished log is never overwritten. */
static bool
front_may_write(const struct front_settings *settings, const char *option, const char *path)
{
	if (path == NULL || settings->recorder.root == NULL ||
	    !logname_reserved(path, settings->recorder.root))
		return true;
	notice(NOTICE_ERROR, "%s %s: that is the name of a log or of the index", option, path);
	return false;
}

int
front_init(struct front *front, const struct front_settings *settings, size_t legs, size_t kept,
    void (*accepted)(void *context, int fd, const struct address *client))
{
	struct service *service = &front->service;
	size_t room = service_max_relays(service_raise_descriptors() - kept, legs);
	struct listener_config listener = {.accepted = accepted,
	    .max = settings->max_connections < room ? settings->max_connections : room,
	    .metrics = &front->metrics};

	if (!front_may_write(settings, "--pcap", settings->capture.path) ||
	    !front_may_write(settings, "--metrics", settings->metrics_path))
		return -1;
	if (settings->script_path != NULL) {
		front->script = script_load(settings->script_path, settings->must_route);
		if (front->script == NULL)
			return -1;
		front->metrics.sections |= METRICS_SCRIPT;
	}
	if (settings->recorder.root != NULL)
		front->metrics.sections |= METRICS_LOGS;
	front->trace = settings->verbose > 0;
	if (service_init(service, &front->metrics) == -1)
		return front_failed("event loop");
	if (front->script != NULL) {
		service->reload = front_reload;
		service->context = front;
	}
	service->grace = settings->grace;
	service->relays.idle_timeout = settings->idle_timeout;
	service->relays.half_close_timeout = settings->half_close_timeout;
	listener.loop = service->loop;
	service->listener = listener_new(&listener);
	return service->listener != NULL ? 0 : front_failed("listener");
}

static void
front_bytes_lost(void *context)
{
	struct front *front = context;

	metrics_file_touch(front->metrics_file);
}

static int
front_capture(struct front *front, const struct front_settings *settings)
{
	struct livecapture_config config = settings->capture;

	config.metrics = &front->metrics;
	front->capture = livecapture_new(front->service.loop, &config);
	return front->capture != NULL ? 0 : -1;
}

static int
front_record(struct front *front, const struct front_settings *settings)
{
	struct recorder_config config = settings->recorder;

	if (front->metrics_file != NULL)
		config.lost = front_bytes_lost;
	config.lost_context = front;
	config.metrics = &front->metrics;
	config.exec_grace = settings->grace;
	front->recorder = recorder_new(front->service.loop, &config);
	return front->recorder != NULL ? 0 : -1;
}

int
front_start(struct front *front, const struct front_settings *settings)
{
	const char *reason;

	if (settings->user != NULL) {
		reason = service_drop_privileges(settings->user);
		if (reason != NULL) {
			notice(NOTICE_ERROR, "--user %s: %s", settings->user, reason);
			return -1;
		}
	}
	if (settings->metrics_path != NULL) {
		front->metrics_file =
		    metrics_file_start(settings->metrics_path, getprogname(), &front->metrics);
		if (front->metrics_file == NULL) {
			notice(NOTICE_ERROR, "--metrics %s: %s", settings->metrics_path,
			    strerror(errno));
			return -1;
		}
	}
	if (settings->capture.path != NULL && front_capture(front, settings) == -1)
		return -1;
	return settings->recorder.root != NULL ? front_record(front, settings) : 0;
}

void
front_observe(struct front *front, struct tap *tap)
{
	if (front->recorder != NULL && recorder_attach(front->recorder, tap) == -1)
		notice(NOTICE_WARNING, "a connection is not recorded: %s", strerror(errno));
	if (front->capture != NULL && livecapture_attach(front->capture, tap) == -1)
		notice(NOTICE_WARNING, "a connection is not captured: %s", strerror(errno));
	if (front->trace)
		tracer_attach(tap);
}

int
front_finish(struct front *front)
{
	int result = 0;

	if (front->recorder != NULL && recorder_finish(front->recorder) == -1)
		result = front_failed("logs are not complete");
	if (front->capture != NULL)
		livecapture_finish(front->capture);
	metrics_file_stop(front->metrics_file);
	if (result == -1)
		return -1;
	if (front->recorder != NULL && !recorder_complete(front->recorder))
		result = 1;
	livecapture_free(front->capture);
	recorder_free(front->recorder);
	service_release(&front->service);
	script_free(front->script);
	return result;
}
