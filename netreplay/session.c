#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket.h"
#include "netreplay/learn.h"
#include "netreplay/session_private.h"

const struct play *
session_play(const struct session *session)
{
	return session->play;
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
		report_difference(
		    play->report, session, session->item->name, SIDE_SERVER, difference);
}

/* Look in what a mask took for what is to be carried. Returns -1 with errno. */
static int
session_carry_within(struct session *session, const struct align_masked *masked)
{
	const struct settings *settings = session->play->settings;
	struct mask *carried = session->play->masks->masks + settings->carry_first;

	for (size_t i = 0; i < carry_set_count(settings->carry); i++)
		if (carry_table_learn_within(session->table, i, masked->bytes[ALIGN_RECORDED],
			masked->size[ALIGN_RECORDED], masked->bytes[ALIGN_LIVE],
			masked->size[ALIGN_LIVE], &carried[i].matches) == -1)
			return -1;
	return 0;
}

/* A mask was needed: if --carry made it, the live text is what is sent from now on. */
static void
session_masked(void *context, const struct align_masked *masked)
{
	struct session *session = context;
	const struct settings *settings = session->play->settings;
	size_t index = masked->mask - settings->carry_first;
	int result;

	if (session->table == NULL)
		return;
	if (masked->mask >= settings->carry_first && index < carry_set_count(settings->carry))
		result = carry_table_learn(session->table, index, masked->bytes[ALIGN_RECORDED],
		    masked->size[ALIGN_RECORDED], masked->bytes[ALIGN_LIVE],
		    masked->size[ALIGN_LIVE]);
	else
		result = session_carry_within(session, masked);
	if (result == -1)
		session_out_of_memory(session);
}

/* -- acting -- */

static void
session_next(struct session *session)
{
	session->previous_cause = session->step.cause;
	session->previous_time = session_clock(session, session->step.time);
	session->previous_done = session_now(session);
	if (steps_next(session->steps, &session->step) == -1)
		session_fail(session, "%s", steps_message(session->steps));
	session_order_changed(session->play, session->table);
}

/* Have the script rewrite it (size 0: the client's stream ends), and send it. */
static void
session_send_scripted(struct session *session, const unsigned char *data, size_t size)
{
	if (normal_send(&session->legs[0].normal, &data, &size) == -1) {
		session_fail_script(session, &session->legs[0]);
		return;
	}
	if (size == 0)
		return;
	for (size_t i = 0; i < session->leg_count; i++)
		if (leg_send(&session->legs[i], data, size) == -1)
			session_out_of_memory(session);
	session_tap_sent(session, data, size);
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
	if (size > 0)
		session_send_scripted(session, data, size);
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
		uint64_t cause = session->step.cause;

		session->sending = false;
		session_next(session);
		/* A text to be replaced may go on in what is sent next, unless an answer comes
		 * first. */
		if (session->step.type != STEP_SEND || session->step.cause != cause)
			session_send(session, NULL, 0, true);
	} else if (steps_is_tls(piece, (size_t)size)) {
		session->play->tls = true;
		snprintf(session->reason, sizeof(session->reason),
		    "the client speaks TLS, which cannot be replayed: record inside of it");
		session_over(session, REPORT_SKIPPED, CLOSE_KILLED);
	} else {
		session_send(session, piece, (size_t)size, false);
	}
}

/* The server is gone while the client still has something to send. */
static void
session_cut_short(struct session *session, bool by_reset)
{
	session->differences++;
	session->play->cut_short++;
	snprintf(session->reason, sizeof(session->reason),
	    "the server %s its stream before the client had sent all",
	    by_reset ? "reset" : "ended");
}

/* A server that has ended its stream still receives, and if it had done so by then in the recording
 * too, the client goes on. */
static bool
session_cannot_send(struct session *session)
{
	for (size_t i = 0; i < session->leg_count; i++) {
		const struct leg *leg = &session->legs[i];

		if (!leg->ended || (session->step.server_ended && leg->error == 0))
			continue;
		session_cut_short(session, leg->error != 0);
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
			session_finish(session);
			return;
		}
		session->sending = true;
		return;
	case STEP_END:
		session_send_scripted(session, NULL, 0);
		for (size_t i = 0; i < session->leg_count; i++)
			leg_finish(
			    &session->legs[i], session->step.cause > session->previous_cause);
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

void
session_advance(struct session *session)
{
	while (session->state == SESSION_PLAYING) {
		if (session_is_blocked(session))
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
	if (leg_feed(leg) == -1) {
		session_fail(session, "%s", leg_message(leg));
		return;
	}
	if (leg == &session->legs[0] && session->state == SESSION_PLAYING) {
		tap_data(&session->tap, SIDE_SERVER, slice, session_tap_time(session));
		leg->held_back = !tap_ready(&session->tap);
	}
	session_order_changed(session->play, session->table);
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

	if (error == ECONNRESET) { /* it had accepted; one that does not is ECONNREFUSED */
		session->play->begun++;
		session_cut_short(session, true);
		session_over(session, REPORT_DIFFERENT, CLOSE_KILLED);
		return;
	}
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
	session->play->begun++;
	info->connected = session_tap_time(session);
	info->server = session->legs[0].server;
	socket_name(session->legs[0].end.watch.fd, &info->client);
	for (size_t i = 0; i < session->leg_count; i++)
		normal_refresh(&session->legs[i].normal);
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
	if (settings->masks.count > 0) {
		session->legs[0].counter = mask_counter_new(session->play->masks);
		if (session->legs[0].counter == NULL)
			return -1;
	}
	session->legs[0].responses = against ? session->play->recorded : session->play->live;
	normal_init(&session->legs[0].normal, session->play->script, &session->tap.info);
	if (!against)
		return 0;
	config.masked = NULL;
	session->leg_count = 2;
	if (leg_init(&session->legs[1], session, item, &config) == -1)
		return -1;
	session->legs[1].responses = session->play->live;
	config.differ = settings->compare != COMPARE_NONE ? session_differ : NULL;
	session->cross = align_new(&config);
	for (size_t i = 0; i < 2; i++) {
		session->legs[i].cross = session->cross;
		session->legs[i].cross_stream = (enum align_stream)i;
	}
	normal_init(&session->legs[1].normal, session->play->script, &session->tap.info);
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

	if (session->cross == NULL)
		steps_on_response(session->steps, count_response, session->play->recorded);
	if (steps_begin(session->steps, &time) == -1) {
		session_fail(session, "%s", steps_message(session->steps));
		return false;
	}
	session->previous_time = session_clock(session, time);
	session->previous_done = session_now(session);
	if (steps_next(session->steps, &session->step) == -1) {
		session_fail(session, "%s", steps_message(session->steps));
		return false;
	}
	for (size_t i = 0; i < session->leg_count; i++) {
		if (leg_feed(&session->legs[i]) == -1) {
			session_fail(session, "%s", leg_message(&session->legs[i]));
			return false;
		}
	}
	return true;
}

struct session *
session_start(
    struct play *play, const struct logset_item *item, struct carry_table *table, uint64_t copy)
{
	const struct settings *settings = play->settings;
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->play = play;
	session->item = item;
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
