/* netreplay: play recorded connections against a server, or as one. See netreplay(1). */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/colour.h"
#include "format/spool.h"
#include "net/notice.h"
#include "net/script.h"
#include "net/service.h"
#include "netreplay/learn.h"
#include "netreplay/progress.h"
#include "netreplay/schedule.h"
#include "netreplay/serve.h"
#include "netreplay/server.h"

#define SECOND (INT64_C(1000) * 1000 * 1000)
#define SERVER_PATIENCE (30 * SECOND)
#define LEARN_RUNS 3
#define LEARN_RUNS_MORE 5 /* at most so many further ones, until nothing new is seen */
#define LEARN_SPREAD                                                                               \
	1100000 /* microseconds between two runs: dates stay the same within a second */

struct netreplay {
	struct settings settings;
	struct logset set;
	struct play play;
	struct metrics metrics;
	struct schedule *schedule;
	struct server *server;
	bool down; /* the server did not come up */
	struct progress *progress;
};

static void
interrupted(void *context, int signal)
{
	struct netreplay *netreplay = context;

	/* a terminal that closes may tell so twice */
	if (netreplay->play.interrupted && signal != SIGHUP) {
		server_kill(netreplay->server);
		_exit(2);
	}
	schedule_interrupt(netreplay->schedule);
}

/* Give up on a signal. HUP means that the terminal is closed, unless it is ignored (nohup). */
static int
catch_signals(struct netreplay *netreplay)
{
	struct loop *loop = netreplay->play.loop;
	struct sigaction hangup;

	if (sigaction(SIGHUP, NULL, &hangup) == -1 ||
	    (hangup.sa_handler != SIG_IGN &&
		loop_signal(loop, SIGHUP, interrupted, netreplay) == -1))
		return -1;
	return loop_signal(loop, SIGINT, interrupted, netreplay) == -1 ||
		       loop_signal(loop, SIGTERM, interrupted, netreplay) == -1 ||
		       loop_signal(loop, SIGQUIT, interrupted, netreplay) == -1
		   ? -1
		   : 0;
}

static void
prepare(struct netreplay *netreplay)
{
	struct play *play = &netreplay->play;

	play->settings = &netreplay->settings;
	play->masks = &netreplay->settings.masks;
	LIST_INIT(&play->sessions);
	play->loop = loop_new(loop_backend_wanted());
	play->pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	if (netreplay->settings.script != NULL) {
		play->script = script_load(netreplay->settings.script, false);
		if (play->script == NULL)
			exit(2);
	}
	play->recorded = histogram_new();
	play->live = histogram_new();
	play->lag = histogram_new();
	if (play->loop == NULL || play->pool == NULL || play->recorded == NULL ||
	    play->live == NULL || play->lag == NULL)
		err(2, NULL);
	if (catch_signals(netreplay) == -1)
		err(2, "signals");
	signal(SIGPIPE, SIG_IGN);
	/* Deadlines are met to the nanosecond, not to the 50 us that timers may be late by default.
	 */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	netreplay->schedule = schedule_new(play, &netreplay->set);
	if (netreplay->schedule == NULL)
		err(2, "logs");
}

/* Are logs that are played those of `root`? What --update writes would be one recording with them.
 */
static bool
is_played(const struct logset *set, const char *root)
{
	static const char *const endings[] = {"", ".gz"};
	struct stat played, written;

	for (size_t i = 0; i < 2 * set->count; i++) {
		const struct logset_item *item = &set->items[i / 2];
		char *path;
		bool same;

		if (asprintf(&path, "%s_%llu%s", root, (unsigned long long)item->n,
			endings[i % 2]) == -1)
			err(2, NULL);
		same = stat(path, &written) == 0 && stat(item->name, &played) == 0 &&
		       written.st_dev == played.st_dev && written.st_ino == played.st_ino;
		free(path);
		if (same)
			return true;
	}
	return false;
}

static void
start_recorder(struct netreplay *netreplay)
{
	const struct settings *settings = &netreplay->settings;
	struct recorder_config config = {
	    .root = settings->record != NULL ? settings->record : settings->update,
	    .stall = 5 * SECOND,
	    .metrics = &netreplay->metrics};

	if (config.root == NULL)
		return;
	netreplay->play.recorder = recorder_new(netreplay->play.loop, &config);
	if (netreplay->play.recorder == NULL)
		exit(2);
}

static void
start_report(struct netreplay *netreplay)
{
	const struct settings *settings = &netreplay->settings;
	struct report_config config = {.format = settings->output,
	    .stream = stdout,
	    .colour = colour_wanted(),
	    .title = "netreplay",
	    .names = {settings->against.count > 0 ? "first" : "recorded",
		settings->against.count > 0 ? "second" : "live"}};

	netreplay->play.report = report_new(&config);
	if (netreplay->play.report == NULL)
		err(2, NULL);
}

/* Returns false if it does not come up, which has been told. */
static bool
start_server(struct netreplay *netreplay)
{
	const struct settings *settings = &netreplay->settings;

	if (settings->server == NULL || netreplay->play.interrupted)
		return true;
	netreplay->server = server_start(settings->server, &settings->targets, SERVER_PATIENCE);
	return netreplay->server != NULL;
}

static void
stop_server(struct netreplay *netreplay)
{
	server_stop(netreplay->server);
	netreplay->server = NULL;
}

/* Play each log with a server of its own. One that does not come up is not tried again: what is
 * left has failed. */
static void
run_fresh(struct netreplay *netreplay)
{
	size_t logs = schedule_logs(netreplay->schedule);

	for (size_t i = 0; i < logs && !netreplay->play.interrupted; i++) {
		if (!netreplay->down)
			netreplay->down = !start_server(netreplay);
		if (netreplay->down)
			schedule_fail(netreplay->schedule, i, "the server did not start");
		else if (schedule_run(netreplay->schedule, i, 1) == -1)
			err(2, "replay");
		stop_server(netreplay);
	}
}

/* Play the recording once, the server being there already unless it is wanted fresh for each log.
 */
static void
run_once(struct netreplay *netreplay)
{
	if (netreplay->settings.fresh)
		run_fresh(netreplay);
	else if (schedule_run(netreplay->schedule, 0, schedule_logs(netreplay->schedule)) == -1)
		err(2, "replay");
}

/* -- learning -- */

static void
write_learned(struct netreplay *netreplay)
{
	const char *path = netreplay->settings.learn;
	FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");

	if (file == NULL)
		notice_exit("--learn %s: %s", path, strerror(errno));
	if (learn_write(netreplay->play.learn, file) == -1 || fflush(file) != 0 ||
	    (file != stdout && fclose(file) != 0))
		notice_exit("--learn %s: %s", path, strerror(errno));
}

/* Forget what a run has counted, so that the last one is what is told. */
static void
forget_counts(struct play *play)
{
	memset(play->connections, 0, sizeof(play->connections));
	play->differences = play->compared = 0;
}

static int
learn_run(struct netreplay *netreplay)
{
	struct settings *settings = &netreplay->settings;
	struct play *play = &netreplay->play;
	long long runs = settings->loop_given ? settings->loop : LEARN_RUNS, done = 0;
	char error[512];
	int added = 1;

	play->learn = learn_new();
	if (play->learn == NULL)
		err(2, NULL);
	while (done < runs || (added > 0 && done < runs + LEARN_RUNS_MORE)) {
		if (done > 0)
			usleep(LEARN_SPREAD);
		forget_counts(play);
		if (!settings->fresh && !start_server(netreplay))
			exit(2);
		run_once(netreplay);
		stop_server(netreplay);
		done++;
		if (play->interrupted || play->connections[REPORT_FAILED] > 0)
			notice_exit("--learn: %s", play->interrupted
						       ? "interrupted"
						       : "not every connection could be played");
		added = learn_apply(play->learn, &settings->masks, error, sizeof(error));
	}
	if (play->compared == 0)
		notice_exit("--learn: nothing was compared");
	write_learned(netreplay);
	if (added > 0)
		learn_unsettled(play->learn, error, sizeof(error));
	if (added != 0)
		notice(NOTICE_ERROR, "--learn: %s", error);
	notice(NOTICE_INFO, "%lld runs, %llu differences left, patterns are in %s: review them",
	    done, (unsigned long long)play->differences, settings->learn);
	learn_free(play->learn);
	return play->differences > 0 ? 1 : 0;
}

/* -- replaying -- */

static int
finish_report(struct netreplay *netreplay, int64_t began)
{
	struct settings *settings = &netreplay->settings;
	struct play *play = &netreplay->play;
	bool slow = settings->fail_if.text != NULL &&
		    fail_if_holds(&settings->fail_if, play->recorded, play->live);
	struct report_summary summary = {.compared = play->compared,
	    .differences = play->differences,
	    .recorded = play->recorded,
	    .live = play->live,
	    .lag = settings->fast ? NULL : play->lag,
	    .masks = &settings->masks,
	    .fail_if = slow ? settings->fail_if.text : NULL,
	    .duration = loop_refresh(play->loop) - began};

	memcpy(summary.connections, play->connections, sizeof(summary.connections));
	if (report_end(play->report, &summary) == -1)
		err(2, "report");
	if (play->tls) {
		notice(NOTICE_ERROR,
		    "the recording is TLS, which cannot be replayed: record inside of it");
		if (play->connections[REPORT_EQUAL] + play->connections[REPORT_DIFFERENT] == 0)
			return 2;
	}
	if (play->begun == 0) {
		notice(NOTICE_ERROR, "nothing was replayed");
		return 2;
	}
	if (settings->compare != COMPARE_NONE && play->compared == 0 && play->differences == 0) {
		notice(NOTICE_ERROR, "nothing was compared");
		return 2;
	}
	/* With --update what differs is what is wanted. */
	return (play->differences > 0 && (settings->update == NULL || play->cut_short > 0)) ||
		       play->connections[REPORT_FAILED] > 0 ||
		       play->connections[REPORT_SKIPPED] > 0 || slow || play->interrupted
		   ? 1
		   : 0;
}

static int
replay_run(struct netreplay *netreplay)
{
	const struct settings *settings = &netreplay->settings;
	int64_t began = loop_refresh(netreplay->play.loop);
	int status;

	start_recorder(netreplay);
	start_report(netreplay);
	if (!settings->fresh && !start_server(netreplay))
		exit(2);
	netreplay->progress = progress_start(&netreplay->play,
	    schedule_total(netreplay->schedule) * (uint64_t)settings->loop, settings->verbose >= 0);
	for (long long i = 0; i < settings->loop && !netreplay->play.interrupted; i++)
		run_once(netreplay);
	progress_stop(netreplay->progress);
	stop_server(netreplay);
	if (netreplay->play.recorder != NULL && recorder_finish(netreplay->play.recorder) == -1)
		err(2, "logs are not complete");
	status = finish_report(netreplay, began);
	if (status == 0 && netreplay->play.recorder != NULL &&
	    !recorder_complete(netreplay->play.recorder))
		status = 1;
	return status;
}

static void
release(struct netreplay *netreplay)
{
	struct play *play = &netreplay->play;

	report_free(play->report);
	recorder_free(play->recorder);
	schedule_free(netreplay->schedule);
	chunk_pool_free(play->pool);
	loop_free(play->loop);
	histogram_free(play->recorded);
	histogram_free(play->live);
	histogram_free(play->lag);
	script_free(play->script);
}

int
main(int argc, char **argv)
{
	static struct netreplay netreplay;
	struct settings *settings = &netreplay.settings;
	int first, status;

	settings_parse(settings, argc, argv, &first);
	notice_set_verbose(settings->verbose);
	service_raise_descriptors();
	if (logset_collect(
		&netreplay.set, argv + first, (size_t)(argc - first), settings->recording) == -1 ||
	    spool_streams(&netreplay.set) == -1)
		notice_exit("%s", netreplay.set.error);
	if (netreplay.set.count == 0)
		notice_exit("no logs");
	if (settings->update != NULL && is_played(&netreplay.set, settings->update))
		notice_exit("--update: %s is the recording that is played", settings->update);
	if (settings->serve) {
		status = serve_run(settings, &netreplay.set);
	} else {
		prepare(&netreplay);
		status = settings->learn != NULL ? learn_run(&netreplay) : replay_run(&netreplay);
		release(&netreplay);
	}
	logset_release(&netreplay.set);
	settings_release(settings);
	return status;
}
