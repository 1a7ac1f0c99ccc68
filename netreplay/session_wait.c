#include "netreplay/session_private.h"

#define EXCESS (1024 * 1024) /* so much more than recorded is no answer that will end */
#define SETTLE_SAME_SIZE (INT64_C(5) * 1000 * 1000)

bool
leg_reached(struct leg *leg, uint64_t cause)
{
	uint64_t place = leg_place(leg, cause);
	uint64_t reached = align_reached(leg->align, place);

	if (reached >= place)
		leg->deficit = 0;
	return reached + leg->deficit >= place;
}

/* Do not wait for what is missing up to there any more. */
static void
leg_give_up(struct leg *leg, uint64_t cause)
{
	uint64_t place = leg_place(leg, cause);

	leg->deficit = place - align_reached(leg->align, place);
}

/* How long may the leg stay silent before the step is done nevertheless? */
static int64_t
leg_patience(const struct session *session, struct leg *leg, bool nothing_came)
{
	const struct settings *settings = session->play->settings;
	const struct step *step = &session->step;
	int64_t twice = times_add(step->response, step->response), patience;

	if (nothing_came || leg_reached(leg, step->cause)) {
		/* An answer has not begun, or only the server's end is missing. */
		int64_t recorded =
		    times_subtract(session_clock(session, step->time), session->previous_time);

		return times_add(settings->timeout, recorded > 0 ? recorded : 0);
	}
	/* As many bytes as were recorded have come, but others: most likely that was all. */
	if (leg->received - leg->received_at_cause >= step->cause - session->previous_cause)
		return times_add(SETTLE_SAME_SIZE, twice);
	patience = times_add(settings->settle, twice);
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
	    leg->received == leg->received_at_cause && step->cause > session->previous_cause;

	if (leg->ended)
		return 0;
	if (leg_reached(leg, step->cause) && !step->server_ended)
		return 0;
	/* A server that never falls silent must not hold the session for ever. */
	if (leg->received - leg->received_at_cause >
	    2 * (step->cause - session->previous_cause) + EXCESS) {
		leg_give_up(leg, step->cause);
		return 0;
	}
	if (leg->last_sent > since)
		since = leg->last_sent;
	if (leg->last_received > since)
		since = leg->last_received;
	if (session->previous_done > since) /* such as our FIN, which is no byte */
		since = session->previous_done;
	until = times_add(since, leg_patience(session, leg, nothing_came));
	if (now < until)
		return until;
	if (nothing_came)
		session_fail(session, "no answer for %.3g s at byte %llu of the recorded ones",
		    (double)(now - since) / 1e9, (unsigned long long)session->previous_cause);
	leg_give_up(leg, step->cause);
	align_settle(leg->align);
	return 0;
}

static int64_t
session_due(struct session *session)
{
	const struct play *play = session->play;

	if (play->settings->fast || session->step.type == STEP_DONE)
		return 0;
	return play->due(play->context, session_clock(session, session->step.time));
}

bool
session_is_blocked(struct session *session)
{
	int64_t timeout = session->play->settings->timeout;

	for (size_t i = 0; i < session->leg_count; i++) {
		const struct leg *leg = &session->legs[i];

		if (leg_idle(leg))
			continue;
		if (session_now(session) >= leg->last_sent + timeout)
			session_fail(session, "the server takes no more bytes for %.3g s",
			    (double)timeout / 1e9);
		else
			loop_timer_set(
			    session->play->loop, &session->timer, leg->last_sent + timeout);
		return true;
	}
	return false;
}

bool
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
	if (look == 0 && !timed && !session_in_order(session)) {
		session->waited = false;
		return false;
	}
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
