#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/notice.h"
#include "nettunnel/door.h"
#include "nettunnel/handshake.h"

#define TALKING_MAX 512
#define FAILED_MAX 64
#define FAILED_DELAY TUNNEL_SECOND

/* Somebody who wants to be a provider. */
struct visitor {
	TAILQ_ENTRY(visitor) next;
	struct door *door;
	struct handshake handshake;
	struct address address;
	bool failed;
	int64_t leaves; /* loop time, if it has failed */
	struct task task;
};

TAILQ_HEAD(visitor_list, visitor);

struct door {
	struct door_config config;
	struct listener *listener;
	struct visitor_list talking, failed; /* oldest first */
	size_t talking_count;
	struct timer timer; /* when the first of the failed leaves */
	struct notice_ration ration;
	struct timer summary; /* set while the ration has something to tell */
};

static void
visitor_release(struct task *task)
{
	free(CONTAINER_OF(task, struct visitor, task));
}

static void
visitor_leave(struct visitor *visitor)
{
	struct door *door = visitor->door;

	if (visitor->failed) {
		TAILQ_REMOVE(&door->failed, visitor, next);
	} else {
		TAILQ_REMOVE(&door->talking, visitor, next);
		door->talking_count--;
	}
	handshake_release(&visitor->handshake);
	listener_left(door->listener);
	loop_later(door->config.tunnel->loop, &visitor->task);
}

static void
door_tell(struct door *door, const struct address *address, const char *reason)
{
	struct loop *loop = door->config.tunnel->loop;
	char text[ADDRESS_TEXT_MAX];

	metrics_add(door->config.tunnel->metrics, COUNTER_UNAUTHENTICATED, 1);
	if (notice_ration_take(&door->ration, loop_now(loop)))
		notice(NOTICE_WARNING, "refused as a provider: %s %s",
		    address_format(address, text), reason);
	else if (door->summary.due == 0)
		loop_timer_set(loop, &door->summary, loop_now(loop) + TUNNEL_SECOND);
}

static void
door_summary(struct timer *timer)
{
	struct door *door = CONTAINER_OF(timer, struct door, summary);
	int64_t now = loop_now(door->config.tunnel->loop);
	uint64_t rest = notice_ration_rest(&door->ration, now);

	if (rest > 0)
		notice(
		    NOTICE_WARNING, "refused as a provider: %llu more", (unsigned long long)rest);
	else if (door->ration.withheld > 0)
		loop_timer_set(door->config.tunnel->loop, timer, now + TUNNEL_SECOND);
}

/* Close those whose delay is over. */
static void
door_timer(struct timer *timer)
{
	struct door *door = CONTAINER_OF(timer, struct door, timer);
	struct loop *loop = door->config.tunnel->loop;
	struct visitor *visitor;

	while ((visitor = TAILQ_FIRST(&door->failed)) != NULL && visitor->leaves <= loop_now(loop))
		visitor_leave(visitor);
	if (visitor != NULL)
		loop_timer_set(loop, timer, visitor->leaves);
}

static void
visitor_failed(struct handshake *handshake, const char *reason)
{
	struct visitor *visitor = CONTAINER_OF(handshake, struct visitor, handshake);
	struct door *door = visitor->door;
	struct loop *loop = door->config.tunnel->loop;

	door_tell(door, &visitor->address, reason);
	TAILQ_REMOVE(&door->talking, visitor, next);
	door->talking_count--;
	visitor->failed = true;
	visitor->leaves = loop_now(loop) + FAILED_DELAY;
	TAILQ_INSERT_TAIL(&door->failed, visitor, next);
	if (door->timer.due == 0)
		loop_timer_set(loop, &door->timer, visitor->leaves);
}

static struct auth_grant
visitor_claimed(struct handshake *handshake, const struct auth_claim *claim)
{
	struct door *door = CONTAINER_OF(handshake, struct visitor, handshake)->door;

	return door->config.claimed(door->config.context, claim);
}

static void
visitor_done(struct handshake *handshake, int fd, const struct auth_claim *claim,
    const struct auth_grant *grant)
{
	struct visitor *visitor = CONTAINER_OF(handshake, struct visitor, handshake);
	struct door *door = visitor->door;

	door->config.entered(door->config.context, fd, claim, grant, &visitor->address);
	visitor_leave(visitor);
}

static const struct handshake_ops visitor_ops = {
    .claimed = visitor_claimed,
    .done = visitor_done,
    .failed = visitor_failed,
};

static void
door_accepted(void *context, int fd, const struct address *address)
{
	struct door *door = context;
	struct visitor *visitor = calloc(1, sizeof(*visitor));

	if (visitor == NULL) {
		notice(NOTICE_WARNING, "provider dropped: %s", strerror(errno));
		close(fd);
		listener_left(door->listener);
		return;
	}
	if (door->talking_count == TALKING_MAX) {
		struct visitor *oldest = TAILQ_FIRST(&door->talking);

		door_tell(door, &oldest->address, "made room for others");
		visitor_leave(oldest);
	}
	visitor->door = door;
	visitor->address = *address;
	visitor->task.run = visitor_release;
	visitor->handshake.ops = &visitor_ops;
	visitor->handshake.loop = door->config.tunnel->loop;
	visitor->handshake.role = AUTH_SERVER;
	visitor->handshake.auth.key = door->config.key;
	TAILQ_INSERT_TAIL(&door->talking, visitor, next);
	door->talking_count++;
	handshake_start(&visitor->handshake, fd, NULL);
}

struct door *
door_new(const struct door_config *config)
{
	struct door *door = calloc(1, sizeof(*door));
	struct listener_config listener = {.loop = config->tunnel->loop,
	    .metrics = config->tunnel->metrics,
	    .accepted = door_accepted,
	    .purpose = "for providers",
	    .max = TALKING_MAX + FAILED_MAX};

	if (door == NULL)
		return NULL;
	door->config = *config;
	TAILQ_INIT(&door->talking);
	TAILQ_INIT(&door->failed);
	timer_init(&door->timer, door_timer);
	timer_init(&door->summary, door_summary);
	door->listener = listener_new(&listener);
	if (door->listener == NULL) {
		free(door);
		return NULL;
	}
	return door;
}

struct listener *
door_listener(struct door *door)
{
	return door->listener;
}

void
door_open(struct door *door)
{
	listener_start(door->listener);
}

void
door_free(struct door *door)
{
	struct visitor *visitor;

	if (door == NULL)
		return;
	while ((visitor = TAILQ_FIRST(&door->talking)) != NULL ||
	       (visitor = TAILQ_FIRST(&door->failed)) != NULL)
		visitor_leave(visitor);
	loop_timer_cancel(door->config.tunnel->loop, &door->timer);
	loop_timer_cancel(door->config.tunnel->loop, &door->summary);
	listener_free(door->listener);
	free(door);
}
