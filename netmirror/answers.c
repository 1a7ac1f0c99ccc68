#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netmirror/answers.h"

#define AHEAD_MAX ((uint64_t)256 * 1024) /* bytes that an observer may be ahead of the server */
#define NAME_MAX_SIZE 512
#define REASON_MAX 256
#define LIMIT_QUEUES 16 /* queues of a leg that one comparison may hold */
#define TOTAL_QUEUES 64 /* and all of them */

/* Bytes of the server that the comparison has not asked for yet. */
struct expected {
	STAILQ_ENTRY(expected) next;
	struct slice slice;
	size_t held;
};

enum stream_end { STREAM_OPEN, STREAM_ENDED, STREAM_FAILED };

struct answers {
	struct answers_set *set;
	bool first;
	char name[NAME_MAX_SIZE];
	struct align *align;
	struct conn_info info;	     /* what the script is told of the connection */
	struct script_conn conns[2]; /* by enum align_stream; used only if it `normalises` */
	bool normalises;
	char failure[REASON_MAX];     /* of the script; "" if it has not failed */
	struct mask_counter *counter; /* NULL: another one counts, or there are no masks */
	STAILQ_HEAD(, expected) queue;
	size_t held;
	uint64_t bytes[2];	 /* of the server and the observer, by enum align_stream */
	uint64_t fed[2];	 /* of these, as the script makes them, those that align got */
	enum stream_end ends[2]; /* likewise */
	bool told_end;		 /* align knows that the server's bytes have ended */
	bool finishing;		 /* nothing more will come */
	bool unanswered;	 /* bytes of the server were given up, uncompared */
	int64_t asked[2];	 /* when the client last sent something, until it is answered; 0 */
	int failed;		 /* errno: the comparison could not go on */
	uint64_t differences;
	int64_t began;
};

/* -- differences -- */

/* Is it only what an observer would have answered that was cut off? */
static bool
is_behind_cut(const struct answers *answers, const struct align_difference *difference)
{
	return answers->finishing && answers->ends[ALIGN_LIVE] != STREAM_ENDED &&
	       difference->size[ALIGN_LIVE] == 0 &&
	       difference->offset[ALIGN_LIVE] == answers->fed[ALIGN_LIVE];
}

static void
answers_differ(void *context, const struct align_difference *difference)
{
	struct answers *answers = context;
	struct answers_set *set = answers->set;
	int64_t now = loop_now(set->loop);
	uint64_t withheld;

	if (is_behind_cut(answers, difference))
		return;
	withheld = notice_ration_rest(&set->ration, now);
	answers->differences++;
	report_difference(set->report, answers, answers->name, SIDE_SERVER, difference);
	if (withheld > 0)
		notice(NOTICE_WARNING, "%llu more differences", (unsigned long long)withheld);
	if (notice_ration_take(&set->ration, now))
		notice(NOTICE_WARNING,
		    "%s: difference at byte %llu: \"%.*s\" of the server, \"%.*s\" of the "
		    "observer",
		    answers->name, (unsigned long long)difference->offset[ALIGN_RECORDED],
		    (int)difference->shown[ALIGN_RECORDED],
		    (const char *)difference->bytes[ALIGN_RECORDED],
		    (int)difference->shown[ALIGN_LIVE],
		    (const char *)difference->bytes[ALIGN_LIVE]);
}

/* -- comparing -- */

static void
answers_fail(struct answers *answers, int error)
{
	if (answers->failed == 0)
		answers->failed = error;
}

/* Compare bytes of a stream as the script makes them; size 0: it has ended. */
static void
answers_compare(
    struct answers *answers, enum align_stream stream, const unsigned char *data, size_t size)
{
	bool end = size == 0;

	if (answers->normalises &&
	    script_rewrite(&answers->conns[stream], SCRIPT_NORMALISE, &data, &size) == -1) {
		snprintf(answers->failure, sizeof(answers->failure), "%s",
		    script_conn_error(&answers->conns[stream]));
		if (notice_ration_take(&answers->set->ration, loop_now(answers->set->loop)))
			notice(NOTICE_ERROR, "%s", answers->failure);
		answers_fail(answers, ECANCELED);
		return;
	}
	answers->fed[stream] += size;
	if (size > 0 && align_feed(answers->align, stream, data, size) == -1)
		answers_fail(answers, errno);
	if (end && answers->failed == 0 && align_end(answers->align, stream) == -1)
		answers_fail(answers, errno);
}

/* -- the server's bytes -- */

static void
expected_free(struct answers *answers, struct expected *expected)
{
	STAILQ_REMOVE_HEAD(&answers->queue, next);
	answers->held -= expected->held;
	answers->set->held -= expected->held;
	slice_drop(&expected->slice);
	free(expected);
}

/* Give the comparison as much of what the server sent as it can use now. */
static void
answers_feed(struct answers *answers)
{
	struct expected *expected;

	while (answers->failed == 0 && (expected = STAILQ_FIRST(&answers->queue)) != NULL &&
	       align_wanted(answers->align) > 0) {
		answers_compare(
		    answers, ALIGN_RECORDED, expected->slice.data, expected->slice.size);
		expected_free(answers, expected);
	}
	/* There is no more to compare with what an observer that failed did not answer. */
	while (answers->ends[ALIGN_LIVE] == STREAM_FAILED &&
	       (expected = STAILQ_FIRST(&answers->queue)) != NULL) {
		answers->unanswered = true;
		expected_free(answers, expected);
	}
	if (answers->failed == 0 && STAILQ_EMPTY(&answers->queue) && !answers->told_end &&
	    answers->ends[ALIGN_RECORDED] == STREAM_ENDED) {
		answers->told_end = true;
		answers_compare(answers, ALIGN_RECORDED, NULL, 0);
	}
}

/* -- response times -- */

void
answers_ask(struct answers *answers, int64_t time)
{
	answers->asked[ALIGN_RECORDED] = time;
	answers->asked[ALIGN_LIVE] = loop_now(answers->set->loop);
}

static void
answers_answered(struct answers *answers, enum align_stream stream, int64_t time)
{
	struct answers_set *set = answers->set;

	if (answers->asked[stream] != 0 && (stream == ALIGN_LIVE || answers->first))
		histogram_add(set->times[stream], time - answers->asked[stream]);
	answers->asked[stream] = 0;
}

/* -- the server's bytes come -- */

int
answers_expect(
    struct answers *answers, const struct slice *slice, struct slice *shared, int64_t time)
{
	struct expected *expected;

	answers->bytes[ALIGN_RECORDED] += slice->size;
	answers_answered(answers, ALIGN_RECORDED, time);
	if (answers->counter != NULL &&
	    mask_counter_feed(answers->counter, slice->data, slice->size) == -1)
		answers_fail(answers, errno);
	if (answers->failed != 0)
		return 0;
	expected = calloc(1, sizeof(*expected));
	if (shared->chunk == NULL)
		*shared = slice_keep(slice, CHUNK_WAIT_MAX);
	if (expected == NULL || shared->chunk == NULL) {
		free(expected);
		answers_fail(answers, ENOMEM);
		return 0;
	}
	expected->slice = slice_again(shared);
	expected->held = slice_held(shared) + sizeof(*expected);
	answers->held += expected->held;
	answers->set->held += expected->held;
	STAILQ_INSERT_TAIL(&answers->queue, expected, next);
	answers_feed(answers);
	return answers->held <= answers->set->limit && answers->set->held <= answers->set->total
		   ? 0
		   : -1;
}

static void
answers_end(struct answers *answers, enum align_stream stream, int error)
{
	if (answers->ends[stream] == STREAM_OPEN)
		answers->ends[stream] = error == 0 ? STREAM_ENDED : STREAM_FAILED;
}

void
answers_expect_end(struct answers *answers, int error)
{
	answers_end(answers, ALIGN_RECORDED, error);
	answers_feed(answers);
}

/* -- the observer's -- */

int
answers_take(struct answers *answers, const struct slice *slice)
{
	answers->bytes[ALIGN_LIVE] += slice->size;
	answers_answered(answers, ALIGN_LIVE, loop_now(answers->set->loop));
	if (answers->failed == 0)
		answers_compare(answers, ALIGN_LIVE, slice->data, slice->size);
	answers_feed(answers);
	return answers->failed == 0 ? 0 : -1;
}

const char *
answers_failure(const struct answers *answers)
{
	return answers->failure[0] != '\0' ? answers->failure : strerror(answers->failed);
}

void
answers_take_end(struct answers *answers, int error)
{
	if (answers->ends[ALIGN_LIVE] == STREAM_OPEN && answers->failed == 0 && error == 0)
		answers_compare(answers, ALIGN_LIVE, NULL, 0);
	answers_end(answers, ALIGN_LIVE, error);
	answers_feed(answers);
}

bool
answers_wanted(const struct answers *answers)
{
	return answers->ends[ALIGN_RECORDED] != STREAM_OPEN ||
	       answers->bytes[ALIGN_LIVE] <= answers->bytes[ALIGN_RECORDED] + AHEAD_MAX;
}

/* -- the end -- */

bool
answers_wait_for_server(const struct answers *answers)
{
	return answers->failed == 0 && answers->ends[ALIGN_RECORDED] == STREAM_OPEN &&
	       answers->ends[ALIGN_LIVE] != STREAM_OPEN;
}

/*
 * Have all decided that came from both. A stream that did not end of itself was cut off somewhere:
 * what the other one has behind that place is no difference.
 */
static void
answers_decide(struct answers *answers)
{
	struct align *align = answers->align;
	bool cut = answers->ends[ALIGN_LIVE] != STREAM_ENDED;

	answers_feed(answers);
	answers->finishing = true;
	if (answers->failed != 0 ||
	    (cut && align_compared(align, ALIGN_LIVE) == answers->fed[ALIGN_LIVE]))
		return;
	if (!answers->told_end) {
		align_open_end(align);
		if (align_end(align, ALIGN_RECORDED) == -1)
			answers_fail(answers, errno);
	}
	if (cut && align_end(align, ALIGN_LIVE) == -1)
		answers_fail(answers, errno);
}

/* Was all compared that the server sent? */
static bool
answers_complete(const struct answers *answers)
{
	return !answers->unanswered && STAILQ_EMPTY(&answers->queue) &&
	       align_compared(answers->align, ALIGN_RECORDED) == answers->fed[ALIGN_RECORDED];
}

/* The same where the server's stream did not end of itself. */
static enum report_result
answers_judge_cut(const struct answers *answers, char *text)
{
	snprintf(text, REASON_MAX, "the connection was cut off");
	if (answers->differences > 0)
		return REPORT_DIFFERENT;
	if (answers->bytes[ALIGN_RECORDED] == 0)
		return REPORT_SKIPPED;
	if (answers_complete(answers))
		return REPORT_EQUAL;
	snprintf(text, REASON_MAX, "the connection was cut off before the observer had answered");
	return REPORT_FAILED;
}

/* What became of it; `text` has room for REASON_MAX bytes and gets a reason, or stays empty. */
static enum report_result
answers_judge(struct answers *answers, const char *reason, char *text)
{
	static const char *const names[] = {"still open", "ended", "reset"};

	text[0] = '\0';
	/* That the observer has ended or reset its stream is an answer too. */
	if (answers->ends[ALIGN_LIVE] != STREAM_OPEN)
		reason = NULL;
	if (answers->failed != 0)
		reason = answers_failure(answers);
	if (reason != NULL) {
		snprintf(text, REASON_MAX, "%s", reason);
		return REPORT_FAILED;
	}
	if (answers->ends[ALIGN_RECORDED] != STREAM_ENDED)
		return answers_judge_cut(answers, text);
	if (answers->ends[ALIGN_LIVE] != STREAM_ENDED) {
		answers->differences++;
		snprintf(text, REASON_MAX, "the observer's stream is %s, the server's was ended",
		    names[answers->ends[ALIGN_LIVE]]);
	}
	return answers->differences > 0 ? REPORT_DIFFERENT : REPORT_EQUAL;
}

void
answers_finish(struct answers *answers, const char *reason)
{
	struct expected *expected;
	struct answers_set *set;
	char text[REASON_MAX];
	struct report_connection connection = {.key = answers, .reason = text};

	if (answers == NULL)
		return;
	set = answers->set;
	answers_decide(answers);
	if (answers->counter != NULL && mask_counter_end(answers->counter) == -1)
		answers_fail(answers, errno);
	connection.name = answers->name;
	connection.result = answers_judge(answers, reason, text);
	if (text[0] == '\0')
		connection.reason = NULL;
	connection.differences = answers->differences;
	connection.compared = align_compared(answers->align, ALIGN_RECORDED);
	connection.duration = loop_now(set->loop) - answers->began;
	set->summary.connections[connection.result]++;
	set->summary.compared += connection.compared;
	set->summary.differences += answers->differences;
	if (report_connection(set->report, &connection) == -1)
		notice(NOTICE_ERROR, "report: %s", strerror(errno));
	while ((expected = STAILQ_FIRST(&answers->queue)) != NULL)
		expected_free(answers, expected);
	for (size_t i = 0; answers->normalises && i < 2; i++)
		script_conn_release(&answers->conns[i]);
	align_free(answers->align);
	mask_counter_free(answers->counter);
	free(answers);
}

/* Have the script asked, if it has something to say. */
static void
answers_script(struct answers *answers, struct script *script, const struct conn_info *info)
{
	answers->info = *info; /* it may be gone before the observer has answered */
	for (size_t i = 0; i < 2; i++)
		script_conn_init(&answers->conns[i], script, &answers->info);
	answers->conns[ALIGN_RECORDED].stream = "server";
	answers->conns[ALIGN_LIVE].stream = "observer";
	answers->normalises = script_conn_has(&answers->conns[ALIGN_LIVE], SCRIPT_NORMALISE);
	for (size_t i = 0; !answers->normalises && i < 2; i++)
		script_conn_release(&answers->conns[i]);
}

struct answers *
answers_new(struct answers_set *set, const struct conn_info *info, const char *observer, bool first)
{
	struct answers *answers = calloc(1, sizeof(*answers));
	struct align_config config = {.masks = set->masks,
	    .differ = answers_differ,
	    .context = answers,
	    .sizes_only = set->sizes_only};

	if (answers == NULL)
		return NULL;
	answers->set = set;
	answers->first = first;
	answers->began = loop_now(set->loop);
	STAILQ_INIT(&answers->queue);
	snprintf(answers->name, sizeof(answers->name), "connection %llu, observer %s",
	    (unsigned long long)info->id, observer);
	answers->align = align_new(&config);
	if (answers->align == NULL)
		goto fail;
	if (first && set->masks->count > 0) {
		answers->counter = mask_counter_new(set->masks);
		if (answers->counter == NULL)
			goto fail;
	}
	if (set->script != NULL)
		answers_script(answers, set->script, info);
	return answers;
fail:
	align_free(answers->align);
	free(answers);
	return NULL;
}

/* -- all of them -- */

int
answers_set_init(struct answers_set *set, struct loop *loop, struct report *report,
    struct mask_set *masks, size_t queue)
{
	memset(set, 0, sizeof(*set));
	set->loop = loop;
	set->report = report;
	set->masks = masks;
	set->limit = queue < SIZE_MAX / TOTAL_QUEUES ? queue * LIMIT_QUEUES : SIZE_MAX;
	set->total = queue < SIZE_MAX / TOTAL_QUEUES ? queue * TOTAL_QUEUES : SIZE_MAX;
	set->summary.duration = -loop_now(loop);
	set->times[ALIGN_RECORDED] = histogram_new();
	set->times[ALIGN_LIVE] = histogram_new();
	return set->times[ALIGN_RECORDED] != NULL && set->times[ALIGN_LIVE] != NULL ? 0 : -1;
}

void
answers_set_release(struct answers_set *set)
{
	histogram_free(set->times[ALIGN_RECORDED]);
	histogram_free(set->times[ALIGN_LIVE]);
}

int
answers_set_conclude(struct answers_set *set)
{
	struct report_summary *summary = &set->summary;

	summary->recorded = set->times[ALIGN_RECORDED];
	summary->live = set->times[ALIGN_LIVE];
	summary->masks = set->masks;
	summary->duration += loop_refresh(set->loop);
	if (report_end(set->report, summary) == -1) {
		notice(NOTICE_ERROR, "report: %s", strerror(errno));
		return 2;
	}
	if (summary->compared == 0 && summary->differences == 0) {
		notice(NOTICE_ERROR, "nothing was compared");
		return 2;
	}
	return summary->differences > 0 || summary->connections[REPORT_FAILED] > 0 ? 1 : 0;
}
