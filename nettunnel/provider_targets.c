#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/notice.h"
#include "nettunnel/provider_private.h"

static void
target_gone(struct stream *stream)
{
	struct target *target = CONTAINER_OF(stream, struct target, stream);
	struct provider *provider = target->provider;

	connector_cancel(target->connector);
	LIST_REMOVE(target, next);
	free(target);
	provider->count--;
	metrics_add(provider->tunnel.metrics, COUNTER_OPEN, -1);
	service_left(provider->service);
}

static void
target_connected(void *context, int fd, int error, const struct address *address)
{
	struct target *target = context;
	char text[ADDRESS_TEXT_MAX];

	target->connector = NULL;
	if (fd != -1 && target->stream.state == STREAM_OPENING) {
		stream_opened(&target->stream, fd);
		return;
	}
	if (fd != -1) { /* its client has gone meanwhile */
		close(fd);
		return;
	}
	notice(NOTICE_VERBOSE, "cannot connect client %s to %s: %s", target->client,
	    address_format(address, text), strerror(error));
	metrics_add(target->provider->tunnel.metrics, COUNTER_REFUSED, 1);
	stream_kill(&target->stream, FRAME_REFUSED);
}

void
tie_open(struct session *session, uint64_t id, const char *text)
{
	struct provider *provider = CONTAINER_OF(session, struct tie, session)->provider;
	struct target *target = calloc(1, sizeof(*target));
	unsigned char reason = FRAME_KILLED;
	struct connector *connector;

	if (target == NULL) {
		notice(NOTICE_WARNING, "client dropped: %s", strerror(errno));
		link_put(&session->link, FRAME_RESET, id, &reason, 1);
		return;
	}
	target->provider = provider;
	strlcpy(target->client, text, sizeof(target->client));
	stream_init(&target->stream, &provider->tunnel, SIDE_SERVER, target_gone);
	LIST_INSERT_HEAD(&provider->all, target, next);
	provider->count++;
	metrics_add(provider->tunnel.metrics, COUNTER_ACCEPTED, 1);
	metrics_add(provider->tunnel.metrics, COUNTER_OPEN, 1);
	stream_join(&target->stream, session, id, true);
	notice(NOTICE_VERBOSE, "client %s", target->client);
	connector = connector_start(provider->tunnel.loop, &provider->targets,
	    provider->settings->connect_timeout, false, target_connected, target);
	if (connector != NULL)
		target->connector = connector;
}
