#include "netreplay/session_private.h"

/* Is there still something to be done or to come on this connection that was recorded before `time`
 * (on the shared clock)? */
static bool
session_is_behind(struct session *session, int64_t time)
{
	const struct step *step = &session->step;

	if (session->state == SESSION_OVER)
		return false;
	if (step->type != STEP_DONE && step->time + session->offset < time)
		return true;
	if (step->answered == INT64_MIN || step->answered + session->offset >= time)
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
	int64_t time = session->step.time + session->offset;
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
session_order_changed(struct play *play)
{
	struct session *session;

	if (play->held == 0)
		return;
	LIST_FOREACH (session, &play->sessions, all)
		if (session->held && session->state == SESSION_PLAYING)
			loop_timer_set(play->loop, &session->timer, session_now(session));
}
