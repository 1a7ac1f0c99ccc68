#include "net/relay_private.h"

bool
relay_filter_arrived(struct relay *relay, enum side side, const struct slice *slice)
{
	switch (relay->state) {
	case RELAY_ROUTING:
		relay->filter->ops->arrived(relay->filter, slice);
		return true;
	case RELAY_CONNECTING:
		if (flow_hold(&relay->flows[side], slice, &relay->set->held) == -1)
			relay_kill(relay);
		return true;
	case RELAY_DISMISSED:
		return true;
	default:
		return false;
	}
}

bool
relay_filter_ended(struct relay *relay, enum side side)
{
	const struct slice end = {0};

	switch (relay->state) {
	case RELAY_ROUTING:
		relay->flows[side].ended = true;
		tap_eof(&relay->tap, side, loop_now(relay->set->loop));
		relay->filter->ops->ended(relay->filter);
		return true;
	case RELAY_CONNECTING:
		relay->flows[side].ended = true; /* told once the bytes before it are */
		return true;
	case RELAY_OPEN:
		return relay->filter->rewrites[side] && !relay_pass(relay, side, &end);
	default:
		return false;
	}
}

void
relay_filter_connected(struct relay *relay)
{
	struct flow *flow = &relay->flows[SIDE_CLIENT];
	struct slice held = flow_take(flow, &relay->set->held);

	flow->ended = false; /* received again, behind these bytes */
	if (held.size > 0)
		relay_pass(relay, SIDE_CLIENT, &held);
	slice_drop(&held);
}

/* -- for filters -- */

void
relay_set_filter(struct relay *relay, struct relay_filter *filter, bool route)
{
	relay->filter = filter;
	relay->tap.info.scripted = true;
	if (route)
		relay->state = RELAY_ROUTING;
}

/* As if the server had sent it. */
static void
relay_say(struct relay *relay, const void *data, size_t size)
{
	struct slice words = slice_copy(data, size);

	if (words.chunk == NULL)
		relay_kill(relay);
	else if (size > 0)
		relay_send_on(relay, SIDE_SERVER, &words);
	slice_drop(&words);
}

void
relay_reply(struct relay *relay, const void *data, size_t size)
{
	relay_say(relay, data, size);
	relay_update(relay);
}

void
relay_routed(struct relay *relay, const void *data, size_t size)
{
	struct slice first = slice_copy(data, size);

	relay->state = RELAY_CONNECTING;
	if (first.chunk == NULL ||
	    (size > 0 && flow_hold(&relay->flows[SIDE_CLIENT], &first, &relay->set->held) == -1))
		relay_kill(relay);
	slice_drop(&first);
	relay_update(relay);
}

void
relay_dismiss(struct relay *relay, const void *data, size_t size)
{
	struct flow *flow = &relay->flows[SIDE_SERVER];

	relay->state = RELAY_DISMISSED;
	relay_say(relay, data, size);
	flow->ended = true;
	tap_eof(&relay->tap, SIDE_SERVER, loop_now(relay->set->loop));
	if (size == 0 || relay->flows[SIDE_CLIENT].ended)
		relay->flows[SIDE_CLIENT].forwarded = true; /* nothing more is waited for */
	loop_timer_set(relay->set->loop, &relay->timer, loop_now(relay->set->loop) + RELAY_LINGER);
	relay_forward_end(relay, SIDE_SERVER);
	relay_update(relay);
}

void
relay_fail_server(struct relay *relay, int error)
{
	relay_failed(relay, SIDE_SERVER, error);
	relay_update(relay);
}

bool
relay_server_heard(const struct relay *relay)
{
	return relay->heard;
}

bool
relay_client_ended(const struct relay *relay)
{
	struct pollfd client = {.fd = relay->ends[SIDE_CLIENT].end.watch.fd, .events = POLLRDHUP};

	/* The end may not have been received yet, behind bytes that nobody has taken so far. */
	return relay->flows[SIDE_CLIENT].ended || poll(&client, 1, 0) == 1;
}
