#include <string.h>

#include "netreplay/session_private.h"

#define TIME_MOST (INT64_MAX / 2) /* of damaged logs: the recorder adds it to the wall clock */

int64_t
session_tap_time(struct session *session)
{
	int64_t time = session_now(session);

	if (session->play->settings->update != NULL)
		time = times_add(session->play->due(session->play->context, session->previous_time),
		    time - session->previous_done);
	if (time > TIME_MOST)
		time = TIME_MOST;
	if (time < session->tap_time)
		time = session->tap_time;
	session->tap_time = time;
	return time;
}

void
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

const struct tap_ops session_tap_ops = {
    .resume = session_resume,
    .kill = session_tap_kill,
};
