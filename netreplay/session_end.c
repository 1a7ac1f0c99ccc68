#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netreplay/session_private.h"

void
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
	    .key = session,
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

void
session_over(struct session *session, enum report_result result, enum close_reason reason)
{
	if (session->state == SESSION_OVER)
		return;
	session->state = SESSION_OVER;
	session->result = result;
	session->play->held -= session->held;
	session->held = false;
	session_order_changed(session->play, session->table);
	loop_timer_cancel(session->play->loop, &session->timer);
	for (size_t i = 0; i < session->leg_count; i++)
		leg_close(&session->legs[i], false);
	tap_close(&session->tap, reason, session_tap_time(session));
	session_report(session);
	loop_later(session->play->loop, &session->task);
}

void
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

void
session_fail_script(struct session *session, const struct leg *leg)
{
	if (leg->normal.reason != NULL)
		session_fail(session, "%s", leg->normal.reason);
	else
		session_out_of_memory(session);
}

static const char *
leg_end(const struct leg *leg)
{
	return !leg->ended ? "still open" : leg->error != 0 ? "reset" : "ended";
}

/* Say how the server's end differs from the recorded one, if it does. */
static void
session_compare_end(struct session *session, const struct leg *leg)
{
	const char *recorded = leg->recorded_end == ANSWERS_HUP ? "ended" : "reset";
	const char *live = leg_end(leg);

	if (session->differences > 0 && session->reason[0] == '\0' && leg->ended &&
	    leg->received < session->step.cause) {
		session->play->cut_short++;
		snprintf(session->reason, sizeof(session->reason),
		    "the server %s its stream after %llu bytes, in the recording it sent %llu",
		    live, (unsigned long long)leg->received,
		    (unsigned long long)session->step.cause);
	}
	if (leg->recorded_end == ANSWERS_OPEN || strcmp(recorded, live) == 0)
		return;
	session->differences++;
	session->play->cut_short++;
	snprintf(session->reason, sizeof(session->reason),
	    "the server's stream is %s, in the recording it was %s", live, recorded);
}

/* --against: say how the two servers' ends differ, if they do. */
static void
session_compare_ends(struct session *session)
{
	const char *first = leg_end(&session->legs[0]), *second = leg_end(&session->legs[1]);

	if (session->legs[0].recorded_end == ANSWERS_OPEN || session->reason[0] != '\0' ||
	    strcmp(first, second) == 0)
		return;
	session->differences++;
	session->play->cut_short++;
	snprintf(session->reason, sizeof(session->reason),
	    "the second server's stream is %s, the first's is %s", second, first);
}

void
session_finish(struct session *session)
{
	enum compare_mode compare = session->play->settings->compare;

	for (size_t i = 0; i < session->leg_count; i++) {
		struct leg *leg = &session->legs[i];

		if (leg_feed_end(leg) == -1) {
			session_fail(session, "%s", leg_message(leg));
			return;
		}
		leg->recorded_end = answers_end(leg->answers);
	}
	if (compare != COMPARE_NONE && session->cross != NULL)
		session_compare_ends(session);
	else if (compare != COMPARE_NONE)
		session_compare_end(session, &session->legs[0]);
	session_over(
	    session, session->differences > 0 ? REPORT_DIFFERENT : REPORT_EQUAL, CLOSE_ENDED);
}
