/* netmirror: proxy a TCP port and copy what clients send to observers. See netmirror(1). */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/colour.h"
#include "net/notice.h"
#include "netmirror/capture.h"
#include "netmirror/entrances.h"
#include "netmirror/reload.h"
#include "netmirror/settings.h"

#define LEFT_MAX 1024 /* legs whose client's connection has ended */

/* Everything that runs. */
struct netmirror {
	struct settings settings;
	struct front front;
	struct site_common common;
	struct entrances entrances;
	struct reload *reload;
	struct site *captured; /* --capture; NULL: clients are proxied */
	struct mirror_capture *capture;
	size_t max_connections; /* that there are descriptors for */
	struct report *report;	/* --compare; NULL: observers' answers are dropped */
	struct answers_set answers;
};

/* -- what a service asks of whom it serves -- */

static size_t
netmirror_count(void *context)
{
	const struct netmirror *netmirror = context;

	size_t count = netmirror->front.service.relays.count + netmirror->common.legs.held;

	return netmirror->capture != NULL ? count + mirror_capture_count(netmirror->capture)
					  : count;
}

static void
netmirror_drain(void *context)
{
	struct netmirror *netmirror = context;

	if (netmirror->capture != NULL)
		mirror_capture_drain(netmirror->capture);
	leg_set_drain(&netmirror->common.legs);
}

static void
netmirror_stop(void *context)
{
	struct netmirror *netmirror = context;

	if (netmirror->capture != NULL)
		mirror_capture_stop(netmirror->capture);
	relay_set_stop(&netmirror->front.service.relays);
	leg_set_stop(&netmirror->common.legs);
}

static void
netmirror_reload(void *context)
{
	struct netmirror *netmirror = context;

	if (netmirror->front.script != NULL)
		script_reload(netmirror->front.script);
	if (netmirror->reload != NULL)
		reload_start(netmirror->reload);
}

static void
netmirror_measure(void *context)
{
	struct netmirror *netmirror = context;

	if (netmirror->capture != NULL)
		mirror_capture_measure(netmirror->capture);
	leg_set_measure(&netmirror->common.legs);
}

static const struct service_ops service_ops = {
    .count = netmirror_count,
    .drain = netmirror_drain,
    .stop = netmirror_stop,
    .measure = netmirror_measure,
};

/* -- running -- */

static void
prepare(struct netmirror *netmirror)
{
	const struct settings *settings = &netmirror->settings;
	struct site_common *common = &netmirror->common;
	struct service *service = &netmirror->front.service;
	size_t descriptors = service_raise_descriptors();
	size_t left = descriptors / 8 < LEFT_MAX ? descriptors / 8 : LEFT_MAX;
	size_t legs = 1 + config_observers_max(&settings->config);

	if (front_init(&netmirror->front, &settings->front, legs, left, entrance_accept) == -1)
		exit(2);
	netmirror->max_connections = service_max_relays(descriptors - left, legs);
	service->ops = &service_ops;
	service->context = netmirror;
	common->front = &netmirror->front;
	common->settings = &settings->front;
	common->sample = settings->sample;
	common->tallies.metrics = &netmirror->front.metrics;
	leg_set_init(&common->legs, service, &common->tallies);
	leg_set_limit(&common->legs, settings->queue, left);
	common->legs.connect_timeout = settings->front.connect_timeout;
	entrances_init(&netmirror->entrances, common);
}

static void
prepare_comparison(struct netmirror *netmirror)
{
	struct settings *settings = &netmirror->settings;
	struct report_config config = {.format = settings->output,
	    .stream = stdout,
	    .colour = colour_wanted(),
	    .title = "netmirror",
	    .names = {"server", "observer"}};

	if (settings->compare == COMPARE_NONE)
		return;
	netmirror->report = report_new(&config);
	if (netmirror->report == NULL ||
	    answers_set_init(&netmirror->answers, netmirror->front.service.loop, netmirror->report,
		&settings->masks, settings->queue) == -1)
		err(2, NULL);
	netmirror->answers.script = netmirror->front.script;
	netmirror->answers.sizes_only = settings->compare == COMPARE_SIZE;
	netmirror->common.answers = &netmirror->answers;
}

static void
capture_finished(void *context)
{
	struct netmirror *netmirror = context;

	service_quit(&netmirror->front.service);
}

static void
start_capture(struct netmirror *netmirror)
{
	struct settings *settings = &netmirror->settings;
	struct capture_config config = {.common = &netmirror->common,
	    .port = settings->port,
	    .interfaces = settings->interfaces,
	    .interface_count = settings->interface_count,
	    .filter = settings->filter,
	    .file = settings->read,
	    .buffer = settings->buffer,
	    .answers = settings->compare != COMPARE_NONE || settings->front.recorder.root != NULL,
	    .connections = netmirror->max_connections,
	    .idle_timeout = settings->front.idle_timeout,
	    .finished = capture_finished,
	    .context = netmirror};

	netmirror->captured = site_new(&netmirror->common, &settings->config.proxies[0]);
	if (netmirror->captured == NULL)
		err(2, NULL);
	config.site = netmirror->captured;
	netmirror->front.metrics.sections |= METRICS_SNIFFER;
	netmirror->capture = mirror_capture_new(&config);
	if (netmirror->capture == NULL)
		exit(2);
}

static void
start(struct netmirror *netmirror)
{
	struct settings *settings = &netmirror->settings;

	if (settings->capture)
		start_capture(netmirror);
	else if (entrances_apply(&netmirror->entrances, &settings->config,
		     settings->file == NULL ? &settings->front : NULL) == -1)
		exit(2);
	if (settings->file != NULL) {
		netmirror->reload =
		    reload_new(settings->file, settings->front.family, &netmirror->entrances);
		if (netmirror->reload == NULL)
			err(2, "event loop");
	}
	if (netmirror->reload != NULL || netmirror->front.script != NULL)
		netmirror->front.service.reload = netmirror_reload;
	if (front_start(&netmirror->front, &settings->front) == -1)
		exit(2);
}

static int
finish(struct netmirror *netmirror)
{
	int status = netmirror->capture != NULL && mirror_capture_damaged(netmirror->capture);
	int compared = 0, logs;

	/* Legs may be left that a further signal did not wait for. */
	netmirror_stop(netmirror);
	mirror_capture_free(netmirror->capture);
	site_leave(netmirror->captured);
	reload_free(netmirror->reload);
	entrances_release(&netmirror->entrances);
	tally_set_tell(&netmirror->common.tallies);
	if (netmirror->report != NULL)
		compared = answers_set_conclude(&netmirror->answers);
	status = compared > status ? compared : status;
	logs = front_finish(&netmirror->front);
	if (logs == -1)
		_exit(status > 0 ? status : 1);
	report_free(netmirror->report);
	answers_set_release(&netmirror->answers);
	tally_set_release(&netmirror->common.tallies);
	settings_release(&netmirror->settings);
	return status > 0 ? status : logs;
}

int
main(int argc, char **argv)
{
	static struct netmirror netmirror;
	struct settings *settings = &netmirror.settings;
	char error[CONFIG_ERROR_MAX];

	settings_parse(settings, argc, argv);
	notice_set_verbose(settings->front.verbose);
	if (config_resolve(&settings->config, settings->front.family, error) == -1)
		notice_exit("%s", error);
	prepare(&netmirror);
	prepare_comparison(&netmirror);
	start(&netmirror);
	if (service_run(&netmirror.front.service) == -1)
		err(2, "poll");
	return finish(&netmirror);
}
