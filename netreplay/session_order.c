#include "netreplay/session_private.h"

/* When the session's step was recorded, on the shared clock. */
static int64_t
session_step_time(const struct session *session)
{
	return session_clock(session, session->step.time);
}

/* Is there still something to be done or to come on this connection that was recorded before `time`
 * (on the shared clock)? */
static bool
session_is_behind(struct session *session, int64_t time)
{
	const struct step *step = &session->step;

	if (session->state == SESSION_OVER)
		return false;
	if (step->type != STEP_DONE && session_step_time(session) < time)
		return true;
	if (step->answered == INT64_MIN || session_clock(session, step->answered) >= time)
		return false;
	for (size_t i = 0; i < session->leg_count; i++)
		if (!session->legs[i].ended && !leg_reached(&session->legs[i], step->cause))
			return true;
	return false;
}

/* What waits is recorded later than what it waits for, so that no two wait for each other; and who
 * waits for a server gives up in the end. */
static bool
others_are_behind(const struct session *session)
{
	const struct play *play = session->play;
	int64_t time = session_step_time(session);
	struct session *other;

	if (play->upcoming(play->context) < time)
		return true;
	LIST_FOREACH (other, &play->sessions, all)
		if (other != session && other->table == session->table &&
		    session_is_behind(other, time))
			return true;
	return false;
}

bool
session_in_order(struct session *session)
{
	bool hold =
	    session->table != NULL && session->step.type == STEP_SEND && others_are_behind(session);

	if (hold != session->held)
		session->play->held += hold ? 1 : (size_t)-1;
	session->held = hold;
	return !hold;
}

void
session_order_changed(struct play *play, const struct carry_table *table)
{
	struct session *session, *first = NULL;

	if (play->held == 0)
		return;
	/* the others that are held wait for this one too */
	LIST_FOREACH (session, &play->sessions, all)
		if (session->held && session->table == table &&
		    (first == NULL || session_step_time(session) < session_step_time(first)))
			first = session;
	if (first != NULL)
		loop_timer_set(play->loop, &first->timer, session_now(first));
}
