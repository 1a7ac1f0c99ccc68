#include "netreplay/serve.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/colour.h"
#include "format/report.h"
#include "net/notice.h"
#include "net/options.h"
#include "net/service.h"
#include "netreplay/guest.h"

#define STALL (INT64_C(5) * 1000 * 1000 * 1000) /* of --record's disk */

struct serve {
	const struct settings *settings;
	struct service service;
	struct metrics metrics;
	struct host host;
	int64_t began;
};

/* -- the report -- */

static struct report *
serve_report(const struct settings *settings)
{
	struct report_config config = {.format = settings->output,
	    .stream = stdout,
	    .colour = colour_wanted(),
	    .title = "netreplay --serve",
	    .names = {"recorded", "live"}};

	return report_new(&config);
}

/* A log that is not played. */
static void
serve_tell(
    struct serve *serve, const struct deck_log *log, enum report_result result, const char *reason)
{
	struct report_connection connection = {
	    .name = log->item->name, .result = result, .reason = reason};

	serve->host.connections[result]++;
	if (report_connection(serve->host.report, &connection) == -1)
		err(2, "report");
}

static void
serve_unplayable(void *context, const struct deck_log *log, const char *reason)
{
	serve_tell(context, log, log->tls ? REPORT_SKIPPED : REPORT_FAILED, reason);
}

static void
serve_tell_unplayed(struct serve *serve)
{
	const struct deck *deck = &serve->host.deck;

	for (size_t i = 0; deck->rounds > 0 && i < deck->count; i++)
		if (deck_is_free(deck, &deck->logs[i]))
			serve_tell(serve, &deck->logs[i], REPORT_SKIPPED, "no client asked for it");
}

/* Complete the report; returns the exit status. */
static int
serve_conclude(struct serve *serve)
{
	const struct host *host = &serve->host;
	struct report_summary summary = {.compared = host->compared,
	    .differences = host->differences,
	    .masks = &host->masks,
	    .duration = loop_refresh(serve->service.loop) - serve->began};

	serve_tell_unplayed(serve);
	memcpy(summary.connections, host->connections, sizeof(summary.connections));
	if (report_end(host->report, &summary) == -1) {
		notice(NOTICE_ERROR, "report: %s", strerror(errno));
		return 2;
	}
	if (host->deck.taken == 0)
		return 2;
	if (host->connections[REPORT_DIFFERENT] > 0 || host->connections[REPORT_FAILED] > 0)
		return 1;
	/* A server that stands in for ever is ended by a signal, whatever it is doing. */
	return host->connections[REPORT_SKIPPED] > 0 && host->deck.rounds > 0 ? 1 : 0;
}

/* -- clients come and go -- */

static void
serve_left(struct serve *serve)
{
	struct relay_set *relays = &serve->service.relays;

	relays->count--;
	relays->gone(relays->context);
}

static void
serve_accepted(void *context, int fd, const struct address *client)
{
	struct serve *serve = context;

	serve->service.relays.count++; /* what a service waits for when a signal has come */
	if (guest_new(&serve->host, fd, client) == 0)
		return;
	notice(NOTICE_WARNING, "client dropped: %s", strerror(errno));
	close(fd);
	serve_left(serve);
}

static void
serve_gone(void *context)
{
	struct serve *serve = context;

	serve_left(serve);
	if (serve->host.playing == 0 && deck_left(&serve->host.deck) == 0) {
		listener_stop(serve->service.listener);
		loop_stop(serve->service.loop);
	}
}

/* -- running -- */

static int
serve_prepare(struct serve *serve, const struct logset *set)
{
	const struct settings *settings = serve->settings;
	struct host *host = &serve->host;

	if (service_init(&serve->service, &serve->metrics) == -1)
		err(2, "event loop");
	serve->service.grace = settings->grace;
	serve->began = loop_now(serve->service.loop);
	host->settings = settings;
	host->masks = settings->masks;
	host->loop = serve->service.loop;
	host->pool = serve->service.relays.pool;
	host->metrics = &serve->metrics;
	host->gone = serve_gone;
	host->context = serve;
	LIST_INIT(&host->guests);
	host->report = serve_report(settings);
	if (host->report == NULL ||
	    deck_init(&host->deck, set, settings->loop, serve_unplayable, serve) == -1)
		err(2, NULL);
	return host->deck.usable > 0 ? 0 : -1;
}

static void
serve_listen(struct serve *serve)
{
	const struct settings *settings = serve->settings;
	struct listener_config config = {.loop = serve->service.loop,
	    .metrics = &serve->metrics,
	    .accepted = serve_accepted,
	    /* a socket and two readings of a log each */
	    .max = service_max_relays(service_raise_descriptors(), 2)};

	serve->service.listener = listener_new(&config);
	if (serve->service.listener == NULL)
		err(2, NULL);
	if (options_listen(serve->service.listener, settings->binds, settings->bind_count,
		settings->port, settings->family, serve) == -1)
		exit(2);
}

static void
serve_record(struct serve *serve)
{
	struct recorder_config config = {
	    .root = serve->settings->record, .stall = STALL, .metrics = &serve->metrics};

	if (config.root == NULL)
		return;
	serve->host.recorder = recorder_new(serve->service.loop, &config);
	if (serve->host.recorder == NULL)
		exit(2); /* it has said why */
}

static void
serve_release(struct serve *serve)
{
	service_release(&serve->service);
	deck_release(&serve->host.deck);
	report_free(serve->host.report);
}

int
serve_run(const struct settings *settings, const struct logset *set)
{
	struct serve serve = {.settings = settings};
	int status;

	if (serve_prepare(&serve, set) == 0) {
		serve_listen(&serve);
		serve_record(&serve);
		if (service_run(&serve.service) == -1)
			err(2, "poll");
		guest_stop_all(&serve.host);
	}
	status = serve_conclude(&serve);
	if (serve.host.recorder != NULL && recorder_finish(serve.host.recorder) == -1) {
		notice(NOTICE_ERROR, "logs are not complete: %s", strerror(errno));
		_exit(status > 0 ? status : 1); /* the writer may hang in the kernel */
	}
	if (status == 0 && serve.host.recorder != NULL && !recorder_complete(serve.host.recorder))
		status = 1;
	recorder_free(serve.host.recorder);
	serve_release(&serve);
	return status;
}
