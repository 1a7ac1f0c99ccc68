#include "netreplay/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket.h"
#include "netreplay/learn.h"
#include "netreplay/leg.h"
#include "netreplay/steps.h"

#define REASON_MAX 512

enum session_state {
	SESSION_CONNECTING, /* not every server has accepted yet */
	SESSION_PLAYING,    /* steps are waited for and done */
	SESSION_OVER	    /* released after the current round */
};

struct session {
	struct play *play;
	const struct logset_item *item;
	int64_t offset; /* from the log's times to the shared clock */
	struct carry_table *table;
	uint64_t copy;
	enum session_state state;
	struct steps *steps;
	struct step step; /* the one that comes next, or is under way */
	bool sending;	  /* its data is being sent */
	bool waited;	  /* it waits for its time only */
	uint64_t previous_cause;
	int64_t previous_time; /* of the step before, on the shared clock; `con` at first */
	int64_t previous_done; /* when that was done: loop time */
	struct leg legs[2];
	size_t leg_count, connected;
	struct align *cross; /* --against: one server's answers along the other's */
	struct carry_stream stream;
	struct tap tap;
	int64_t tap_time; /* of what was told last: --update must not go back */
	struct timer timer;
	struct task task;
	uint64_t differences;
	enum report_result result;
	char reason[REASON_MAX];
	LIST_ENTRY(session) all;
};

const struct play *
session_play(const struct session *session)
{
	return session->play;
}

static int64_t
session_now(const struct session *session)
{
	return loop_now(session->play->loop);
}

static void session_fail(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* -- what observers are told -- */

/*
 * The time under which something is recorded: now, or with --update the recorded time of the step
 * before, plus what has passed since.
 */
static int64_t
session_tap_time(struct session *session)
{
	int64_t time = session_now(session);

	if (session->play->settings->update != NULL)
		time = session->play->due(session->play->context, session->previous_time) +
		       (time - session->previous_done);
	if (time < session->tap_time)
		time = session->tap_time;
	session->tap_time = time;
	return time;
}

static void
session_tap_sent(struct session *session, const unsigned char *data, size_t size)
{
	struct chunk_pool *pool = session->play->pool;
	int64_t time;

	if (SLIST_EMPTY(&session->tap.observers))
		return;
	time = session_tap_time(session);
	while (size > 0) {
		size_t room, part;
		unsigned char *space = chunk_pool_space(pool, &room);
		struct slice slice;

		if (space == NULL) {
			session_out_of_memory(session);
			return;
		}
		part = size < room ? size : room;
		memcpy(space, data, part);
		slice = chunk_pool_slice(pool, part);
		tap_data(&session->tap, SIDE_CLIENT, &slice, time);
		data += part;
		size -= part;
	}
}

static void
session_resume(struct tap *tap)
{
	struct session *session = CONTAINER_OF(tap, struct session, tap);

	for (size_t i = 0; i < session->leg_count; i++) {
		session->legs[i].held_back = false;
		leg_update(&session->legs[i]);
	}
}

static void
session_tap_kill(struct tap *tap)
{
	session_fail(CONTAINER_OF(tap, struct session, tap), "its log cannot be written");
}

static const struct tap_ops session_tap_ops = {
    .resume = session_resume,
    .kill = session_tap_kill,
};

/* -- the end -- */

static void
session_release(struct task *task)
{
	struct session *session = CONTAINER_OF(task, struct session, task);
	struct play *play = session->play;
	uint64_t copy = session->copy;

	for (size_t i = 0; i < session->leg_count; i++)
		leg_release(&session->legs[i]);
	align_free(session->cross);
	steps_free(session->steps);
	carry_stream_release(&session->stream);
	LIST_REMOVE(session, all);
	free(session);
	play->done(play->context, copy);
}

static void
session_report(struct session *session)
{
	struct play *play = session->play;
	struct report_connection connection = {.name = session->item->name,
	    .result = session->result,
	    .reason = session->reason[0] != '\0' ? session->reason : NULL,
	    .differences = session->differences,
	    .duration = session_now(session) - session->tap.info.opened};
	const struct align *compared =
	    session->cross != NULL ? session->cross : session->legs[0].align;

	if (play->settings->compare != COMPARE_NONE && compared != NULL)
		connection.compared = align_compared(compared, ALIGN_RECORDED);
	play->connections[session->result]++;
	play->compared += connection.compared;
	play->differences += session->differences;
	if (play->report != NULL)
		report_connection(play->report, &connection);
}

static void
session_over(struct session *session, enum report_result result, enum close_reason reason)
{
	if (session->state == SESSION_OVER)
		return;
	session->state = SESSION_OVER;
	session->result = result;
	loop_timer_cancel(session->play->loop, &session->timer);
	for (size_t i = 0; i < session->leg_count; i++)
		leg_close(&session->legs[i], false);
	tap_close(&session->tap, reason, session_tap_time(session));
	session_report(session);
	loop_later(session->play->loop, &session->task);
}

/* The session cannot be played to its end. */
static void
session_fail(struct session *session, const char *format, ...)
{
	va_list arguments;

	if (session->state == SESSION_OVER)
		return;
	va_start(arguments, format);
	vsnprintf(session->reason, sizeof(session->reason), format, arguments);
	va_end(arguments);
	session_over(session, REPORT_FAILED, CLOSE_KILLED);
}

void
session_abort_all(struct play *play)
{
	struct session *session;

	LIST_FOREACH (session, &play->sessions, all)
		session_fail(session, "interrupted");
}

void
session_out_of_memory(struct session *session)
{
	session_fail(session, "%s", strerror(ENOMEM));
}

/* Say how the server's end differs from the recorded one, if it does. */
static void
session_compare_end(struct session *session, const struct leg *leg)
{
	const char *recorded = leg->recorded_end == ANSWERS_HUP ? "ended" : "reset";
	const char *live = !leg->ended ? "still open" : leg->error != 0 ? "reset" : "ended";

	if (leg->recorded_end == ANSWERS_OPEN || strcmp(recorded, live) == 0)
		return;
	session->differences++;
	snprintf(session->reason, sizeof(session->reason),
	    "the server's stream is %s, in the recording it was %s", live, recorded);
}

/* Nothing more is done: compare what is left of either stream. */
static void
session_finish(struct session *session)
{
	enum compare_mode compare = session->play->settings->compare;

	for (size_t i = 0; i < session->leg_count; i++) {
		struct leg *leg = &session->legs[i];

		if (align_end(leg->align, ALIGN_LIVE) == -1 || leg_feed(leg) == -1) {
			session_fail(session, "%s", answers_message(leg->answers));
			return;
		}
		leg->recorded_end = answers_end(leg->answers);
		if (session->cross != NULL)
			align_end(session->cross, (enum align_stream)i);
	}
	if (session->cross == NULL && compare != COMPARE_NONE)
		session_compare_end(session, &session->legs[0]);
	session_over(
	    session, session->differences > 0 ? REPORT_DIFFERENT : REPORT_EQUAL, CLOSE_ENDED);
}

/* -- comparing -- */

static void
session_differ(void *context, const struct align_difference *difference)
{
	struct session *session = context;
	struct play *play = session->play;

	session->differences++;
	if (play->learn != NULL &&
	    learn_difference(play->learn, session->item->name, difference) == -1)
		session_out_of_memory(session);
	if (play->report != NULL)
		report_difference(play->report, session->item->name, SIDE_SERVER, difference);
}

/* A mask was needed: if --carry made it, the live text is what is sent from now on. */
static void
session_masked(void *context, const struct align_masked *masked)
{
	struct session *session = context;
	size_t first = session->play->settings->carry_first;

	if (session->table == NULL || masked->mask < first)
		return;
	if (carry_table_learn(session->table, masked->mask - first, masked->bytes[ALIGN_RECORDED],
		masked->size[ALIGN_RECORDED], masked->bytes[ALIGN_LIVE],
		masked->size[ALIGN_LIVE]) == -1)
		session_out_of_memory(session);
}

/* -- waiting -- */

/* How long may the leg stay silent before the step is done nevertheless? */
static int64_t
leg_patience(const struct session *session, const struct leg *leg, bool nothing_came)
{
	const struct settings *settings = session->play->settings;
	const struct step *step = &session->step;
	int64_t patience;

	if (nothing_came || align_reached(leg->align, step->cause) >= step->cause) {
		/* An answer has not begun, or only the server's end is missing. */
		int64_t recorded = step->time + session->offset - session->previous_time;

		return settings->timeout + (recorded > 0 ? recorded : 0);
	}
	patience = settings->settle + 2 * step->response;
	/* A server that was silent for longer and went on may do so again. */
	return patience > 2 * leg->longest_silence ? patience : 2 * leg->longest_silence;
}

/*
 * When may the step be done, as far as this leg's answers go: 0 now, else loop time when to look
 * again if nothing comes. Gives up on answers that do not come; a session that fails by that is
 * over.
 */
static int64_t
leg_wait(struct session *session, struct leg *leg)
{
	const struct step *step = &session->step;
	int64_t now = session_now(session), since = leg->connected, until;
	bool nothing_came =
	    leg->received == leg->received_at_send && step->cause > session->previous_cause;

	if (leg->ended)
		return 0;
	if ((step->cause <= leg->excused ||
		align_reached(leg->align, step->cause) >= step->cause) &&
	    !step->server_ended)
		return 0;
	if (leg->last_sent > since)
		since = leg->last_sent;
	if (leg->last_received > since)
		since = leg->last_received;
	until = since + leg_patience(session, leg, nothing_came);
	if (now < until)
		return until;
	if (nothing_came)
		session_fail(session, "no answer for %.3g s at byte %llu of the recorded ones",
		    (double)(now - since) / 1e9, (unsigned long long)session->previous_cause);
	leg->excused = step->cause;
	return 0;
}

static int64_t
session_due(struct session *session)
{
	const struct play *play = session->play;

	if (play->settings->fast || session->step.type == STEP_DONE)
		return 0;
	return play->due(play->context, session->step.time + session->offset);
}

/* Returns true if the step is to be done now; else the timer is set, or the session is over. */
static bool
session_may_act(struct session *session)
{
	int64_t due = session_due(session), look = 0;
	bool timed = due > session_now(session);

	for (size_t i = 0; i < session->leg_count; i++) {
		int64_t wait = leg_wait(session, &session->legs[i]);

		if (wait > 0 && (look == 0 || wait < look))
			look = wait;
	}
	if (session->state == SESSION_OVER)
		return false;
	if (look == 0 && !timed) {
		if (session->waited && due > 0)
			histogram_add(session->play->lag, loop_refresh(session->play->loop) - due);
		session->waited = false;
		return true;
	}
	session->waited = look == 0;
	if (look == 0)
		look = due;
	loop_timer_set(session->play->loop, &session->timer, look);
	return false;
}

/* -- acting -- */

static void
session_next(struct session *session)
{
	session->previous_cause = session->step.cause;
	session->previous_time = session->step.time + session->offset;
	session->previous_done = session_now(session);
	if (steps_next(session->steps, &session->step) == -1)
		session_fail(session, "%s", steps_message(session->steps));
}

static void
session_send(struct session *session, const unsigned char *data, size_t size, bool last)
{
	if (session->table != NULL && carry_table_count(session->table) > 0 &&
	    carry_stream_rewrite(
		&session->stream, session->table, data, size, last, &data, &size) == -1) {
		session_out_of_memory(session);
		return;
	}
	if (size == 0)
		return;
	for (size_t i = 0; i < session->leg_count; i++)
		if (leg_send(&session->legs[i], data, size) == -1)
			session_out_of_memory(session);
	session_tap_sent(session, data, size);
}

/* Send the next piece of the step's data; the step is over when there is none. */
static void
session_send_piece(struct session *session)
{
	const unsigned char *piece;
	ssize_t size = steps_data(session->steps, &piece);

	if (size == -1) {
		session_fail(session, "%s", steps_message(session->steps));
	} else if (size == 0) {
		session->sending = false;
		session_next(session);
	} else if (steps_is_tls(piece, (size_t)size)) {
		session->play->tls = true;
		snprintf(session->reason, sizeof(session->reason),
		    "the client speaks TLS, which cannot be replayed: record inside of it");
		session_over(session, REPORT_SKIPPED, CLOSE_KILLED);
	} else {
		session_send(session, piece, (size_t)size, true);
	}
}

static bool
session_cannot_send(struct session *session)
{
	for (size_t i = 0; i < session->leg_count; i++) {
		const struct leg *leg = &session->legs[i];

		if (!leg->ended)
			continue;
		snprintf(session->reason, sizeof(session->reason),
		    "the server %s its stream before the client had sent all",
		    leg->error != 0 ? "reset" : "ended");
		return true;
	}
	return false;
}

static void
session_act(struct session *session)
{
	switch (session->step.type) {
	case STEP_SEND:
		if (session_cannot_send(session)) {
			session->differences++;
			session_finish(session);
			return;
		}
		session->sending = true;
		return;
	case STEP_END:
		for (size_t i = 0; i < session->leg_count; i++)
			leg_finish(&session->legs[i]);
		tap_eof(&session->tap, SIDE_CLIENT, session_tap_time(session));
		session_next(session);
		return;
	case STEP_RESET:
		tap_error(&session->tap, SIDE_CLIENT, ECONNRESET, session_tap_time(session));
		for (size_t i = 0; i < session->leg_count; i++)
			leg_close(&session->legs[i], true);
		session_finish(session);
		return;
	case STEP_DONE:
		session_finish(session);
	}
}

/* Do whatever can be done now. */
static void
session_advance(struct session *session)
{
	while (session->state == SESSION_PLAYING) {
		for (size_t i = 0; i < session->leg_count; i++)
			if (!leg_idle(&session->legs[i]))
				return;
		if (session->sending)
			session_send_piece(session);
		else if (session_may_act(session))
			session_act(session);
		else
			return;
	}
}

static void
session_timer(struct timer *timer)
{
	session_advance(CONTAINER_OF(timer, struct session, timer));
}

/* -- what the legs tell -- */

void
session_sent(struct session *session)
{
	session_advance(session);
}

void
session_received(struct session *session, struct leg *leg, const struct slice *slice)
{
	size_t which = (size_t)(leg - session->legs);

	if (leg_feed(leg) == -1) {
		session_fail(session, "%s", answers_message(leg->answers));
		return;
	}
	if (session->cross != NULL &&
	    align_feed(session->cross, (enum align_stream)which, slice->data, slice->size) == -1)
		session_out_of_memory(session);
	if (which == 0 && session->state == SESSION_PLAYING) {
		tap_data(&session->tap, SIDE_SERVER, slice, session_tap_time(session));
		leg->held_back = !tap_ready(&session->tap);
	}
	session_advance(session);
}

void
session_ended(struct session *session, struct leg *leg)
{
	if (leg == &session->legs[0] && session->state == SESSION_PLAYING) {
		if (leg->error != 0)
			tap_error(
			    &session->tap, SIDE_SERVER, leg->error, session_tap_time(session));
		else
			tap_eof(&session->tap, SIDE_SERVER, session_tap_time(session));
	}
	session_advance(session);
}

void
session_refused(struct session *session, int error, const struct address *server)
{
	char text[ADDRESS_TEXT_MAX];

	session_fail(
	    session, "cannot connect to %s: %s", address_format(server, text), strerror(error));
}

void
session_connected(struct session *session)
{
	struct conn_info *info = &session->tap.info;

	if (++session->connected < session->leg_count)
		return;
	session->state = SESSION_PLAYING;
	info->connected = session_tap_time(session);
	info->server = session->legs[0].server;
	socket_name(session->legs[0].end.watch.fd, &info->client);
	/* From the round's end on: this may be called from within session_start(). */
	loop_timer_set(session->play->loop, &session->timer, session_now(session));
}

/* -- the beginning -- */

static int
session_prepare(struct session *session, const struct logset_item *item)
{
	const struct settings *settings = session->play->settings;
	bool against = settings->against.count > 0;
	struct align_config config = {.masks = &settings->masks,
	    .masked = session_masked,
	    .context = session,
	    .sizes_only = settings->compare == COMPARE_SIZE};

	if (settings->compare != COMPARE_NONE && !against)
		config.differ = session_differ;
	session->steps = steps_open(item);
	if (session->steps == NULL)
		return -1;
	session->leg_count = 1;
	if (leg_init(&session->legs[0], session, item, &config) == -1)
		return -1;
	if (!against)
		return 0;
	config.masked = NULL;
	session->leg_count = 2;
	if (leg_init(&session->legs[1], session, item, &config) == -1)
		return -1;
	config.differ = settings->compare != COMPARE_NONE ? session_differ : NULL;
	session->cross = align_new(&config);
	return session->cross != NULL ? 0 : -1;
}

static void
count_response(void *context, int64_t response)
{
	histogram_add(context, response);
}

/* Read up to the first step. */
static bool
session_begin(struct session *session)
{
	int64_t time;

	steps_on_response(session->steps, count_response, session->play->recorded);
	if (steps_begin(session->steps, &time) == -1) {
		session_fail(session, "%s", steps_message(session->steps));
		return false;
	}
	session->previous_time = time + session->offset;
	session->previous_done = session_now(session);
	if (steps_next(session->steps, &session->step) == -1) {
		session_fail(session, "%s", steps_message(session->steps));
		return false;
	}
	for (size_t i = 0; i < session->leg_count; i++) {
		if (leg_feed(&session->legs[i]) == -1) {
			session_fail(session, "%s", answers_message(session->legs[i].answers));
			return false;
		}
	}
	return true;
}

struct session *
session_start(struct play *play, const struct logset_item *item, int64_t offset,
    struct carry_table *table, uint64_t copy)
{
	const struct settings *settings = play->settings;
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->play = play;
	session->item = item;
	session->offset = offset;
	session->table = table;
	session->copy = copy;
	LIST_INSERT_HEAD(&play->sessions, session, all);
	session->task.run = session_release;
	timer_init(&session->timer, session_timer);
	tap_init(&session->tap, &session_tap_ops);
	if (session_prepare(session, item) == -1) {
		session_fail(session, "%s: %s", item->name, strerror(errno));
		return session;
	}
	if (!session_begin(session))
		return session;
	session->tap.info.id = ++play->last_id;
	session->tap.info.server = settings->targets.items[0];
	session->tap.info.opened = session_tap_time(session);
	if (play->recorder != NULL)
		recorder_attach(play->recorder, &session->tap);
	tap_open(&session->tap);
	leg_connect(&session->legs[0], &settings->targets);
	if (session->leg_count > 1 && session->state != SESSION_OVER)
		leg_connect(&session->legs[1], &settings->against);
	return session;
}
