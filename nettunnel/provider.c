#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/notice.h"
#include "net/options.h"
#include "nettunnel/provider_private.h"

#define RETRY_FIRST (TUNNEL_SECOND / 10)
#define RETRY_MOST (5 * TUNNEL_SECOND)
#define LINK_TIMEOUT (10 * TUNNEL_SECOND)

/* -- the link -- */

/* Try again after a while: with jitter, so that not all providers of a server come at once. */
static void
provider_retry(struct provider *provider)
{
	int64_t delay = provider->delay / 2 +
			(int64_t)arc4random_uniform((uint32_t)(provider->delay / 2000)) * 1000;

	provider->delay = provider->delay < RETRY_MOST / 2 ? provider->delay * 2 : RETRY_MOST;
	loop_timer_set(
	    provider->tunnel.loop, &provider->retry, loop_now(provider->tunnel.loop) + delay);
}

/* Tell what keeps it from the server once, not at every try. */
static void
provider_trouble(struct provider *provider, const struct address *server, const char *reason)
{
	bool known = provider->trouble != NULL && strcmp(provider->trouble, reason) == 0;
	char text[ADDRESS_TEXT_MAX];

	notice(known ? NOTICE_VERBOSE : NOTICE_WARNING, "server %s: %s; trying again",
	    address_format(server, text), reason);
	provider->trouble = reason;
}

static void
tie_lost(struct session *session, const char *reason)
{
	struct provider *provider = CONTAINER_OF(session, struct tie, session)->provider;

	notice(NOTICE_WARNING, "link to the server lost: %s; %zu targets are kept", reason,
	    session->count);
	provider->delay = RETRY_FIRST;
	provider_retry(provider);
}

static void
tie_release(struct task *task)
{
	struct tie *tie = CONTAINER_OF(task, struct tie, task);

	session_release(&tie->session);
	free(tie);
}

static void
tie_over(struct session *session, const char *reason)
{
	struct tie *tie = CONTAINER_OF(session, struct tie, session);
	struct provider *provider = tie->provider;
	struct stream *stream;

	notice(NOTICE_WARNING, "session with the server is over: %s; %zu targets are reset", reason,
	    session->count);
	while ((stream = session_first(session)) != NULL)
		stream_fail(stream);
	provider->tie = NULL;
	loop_later(provider->tunnel.loop, &tie->task);
	/* If its connection was lost, the next one is being tried already. */
	if (provider->connector == NULL && !provider->is_shaking && provider->retry.due == 0)
		provider_retry(provider);
}

static const struct session_ops tie_ops = {
    .open = tie_open,
    .lost = tie_lost,
    .over = tie_over,
};

static struct tie *
tie_new(struct provider *provider, const struct auth_claim *claim)
{
	struct tie *tie = calloc(1, sizeof(*tie));

	if (tie == NULL)
		return NULL;
	tie->provider = provider;
	tie->task.run = tie_release;
	session_init(&tie->session, &provider->tunnel, &tie_ops);
	memcpy(tie->session.id, claim->session, AUTH_SESSION_SIZE);
	return tie;
}

/* Both know the key: begin the session, or go on with it. */
static void
provider_linked(struct provider *provider, int fd, const struct auth_claim *claim,
    const struct auth_grant *grant)
{
	bool resumed = claim->want == AUTH_RESUME;

	if (!resumed && provider->tie == NULL)
		provider->tie = tie_new(provider, claim);
	if (provider->tie == NULL ||
	    session_attach(&provider->tie->session, fd, grant->received) == -1) {
		close(fd);
		provider_retry(provider);
		return;
	}
	if (resumed)
		metrics_add(provider->tunnel.metrics, COUNTER_LINKS_RESUMED, 1);
	notice(NOTICE_INFO, "%s the server as %s", resumed ? "linked again to" : "linked to",
	    provider->name);
	if (provider->draining && !resumed)
		link_put(&provider->tie->session.link, FRAME_DRAIN, 0, NULL, 0);
}

static void
provider_granted(struct handshake *handshake, int fd, const struct auth_claim *claim,
    const struct auth_grant *grant)
{
	struct provider *provider = CONTAINER_OF(handshake, struct provider, handshake);

	provider->is_shaking = false;
	provider->delay = RETRY_FIRST;
	provider->trouble = NULL;
	if (grant->status == AUTH_GRANTED) {
		provider_linked(provider, fd, claim, grant);
		return;
	}
	close(fd);
	if (provider->tie != NULL)
		link_end(&provider->tie->session.link, "the server does not know it any more");
	if (provider->retry.due == 0)
		provider_retry(provider);
}

static void
provider_failed(struct handshake *handshake, const char *reason)
{
	struct provider *provider = CONTAINER_OF(handshake, struct provider, handshake);

	provider->is_shaking = false;
	handshake_release(handshake);
	provider_trouble(provider, &provider->servers.items[0], reason);
	provider_retry(provider);
}

static const struct handshake_ops provider_handshake_ops = {
    .done = provider_granted,
    .failed = provider_failed,
};

static void
provider_connected(void *context, int fd, int error, const struct address *address)
{
	struct provider *provider = context;
	struct auth_claim claim = {.want = AUTH_NEW};

	provider->connector = NULL;
	if (fd == -1) {
		provider_trouble(provider, address, strerror(error));
		provider_retry(provider);
		return;
	}
	if (provider->tie != NULL) {
		claim.want = AUTH_RESUME;
		claim.received = provider->tie->session.link.received;
		memcpy(claim.session, provider->tie->session.id, AUTH_SESSION_SIZE);
	} else {
		arc4random_buf(claim.session, AUTH_SESSION_SIZE);
	}
	strlcpy(claim.name, provider->name, sizeof(claim.name));
	memset(&provider->handshake, 0, sizeof(provider->handshake));
	provider->handshake.ops = &provider_handshake_ops;
	provider->handshake.loop = provider->tunnel.loop;
	provider->handshake.role = AUTH_PROVIDER;
	provider->handshake.auth.key = &provider->key;
	provider->is_shaking = true;
	handshake_start(&provider->handshake, fd, &claim);
}

static void
provider_connect(struct timer *timer)
{
	struct provider *provider = CONTAINER_OF(timer, struct provider, retry);
	struct connector *connector = connector_start(provider->tunnel.loop, &provider->servers,
	    LINK_TIMEOUT, false, provider_connected, provider);

	if (connector != NULL)
		provider->connector = connector;
}

/* -- the service's -- */

static size_t
provider_count(void *context)
{
	return ((struct provider *)context)->count;
}

static void
provider_drain(void *context)
{
	struct provider *provider = context;

	provider->draining = true;
	if (provider->tie != NULL)
		link_put(&provider->tie->session.link, FRAME_DRAIN, 0, NULL, 0);
}

static void
provider_stop(void *context)
{
	struct provider *provider = context;
	struct target *target;
	bool abrupt = provider->count > 0;

	if (provider->stopped)
		return;
	provider->stopped = true;
	LIST_FOREACH (target, &provider->all, next) {
		stream_kill(&target->stream, FRAME_KILLED);
	}
	if (provider->tie != NULL)
		link_bye(&provider->tie->session.link, abrupt);
}

static void
provider_reload(void *context)
{
	struct provider *provider = context;

	if (auth_key_read(&provider->key, provider->settings->key_path) == 0)
		notice(NOTICE_INFO, "the key was read again");
}

static const struct service_ops provider_ops = {
    .count = provider_count,
    .drain = provider_drain,
    .stop = provider_stop,
};

/* -- life -- */

/* What makes this provider the same when it is started again: host and target; what is too long, by
 * its hash. */
static void
provider_set_name(struct provider *provider)
{
	const struct settings *settings = provider->settings;
	const char *port = settings->target[1];
	char host[256] = "", text[1024];

	gethostname(host, sizeof(host) - 1);
	if (settings->name != NULL)
		strlcpy(text, settings->name, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s/%s%s%s", host, settings->target[0],
		    port != NULL ? ":" : "", port != NULL ? port : "");
	if (strlen(text) > AUTH_NAME_SIZE)
		SHA256Data((const unsigned char *)text, strlen(text), provider->name);
	else
		strlcpy(provider->name, text, sizeof(provider->name));
}

static int
provider_prepare(struct provider *provider)
{
	const struct settings *settings = provider->settings;

	if (auth_key_read(&provider->key, settings->key_path) == -1)
		return -1;
	if (options_server(settings->server[0], settings->server[1], settings->family,
		&provider->servers) == -1)
		return -1;
	return options_server(
	    settings->target[0], settings->target[1], settings->family, &provider->targets);
}

struct provider *
provider_new(const struct settings *settings, struct service *service)
{
	struct provider *provider = calloc(1, sizeof(*provider));

	if (provider == NULL)
		return NULL;
	provider->settings = settings;
	provider->service = service;
	service->ops = &provider_ops;
	service->reload = provider_reload;
	service->context = provider;
	provider->tunnel = (struct tunnel){.loop = service->loop,
	    .pool = service->relays.pool,
	    .metrics = service->metrics,
	    .hold = settings->hold,
	    .ping = settings->ping,
	    .spare_window = TUNNEL_SPARE_WINDOW};
	provider->delay = RETRY_FIRST;
	LIST_INIT(&provider->all);
	timer_init(&provider->retry, provider_connect);
	if (provider_prepare(provider) == -1) {
		provider_free(provider);
		return NULL;
	}
	service_raise_descriptors();
	provider_set_name(provider);
	return provider;
}

void
provider_open(struct provider *provider)
{
	provider_connect(&provider->retry);
}

void
provider_free(struct provider *provider)
{
	connector_cancel(provider->connector);
	if (provider->is_shaking)
		handshake_release(&provider->handshake);
	loop_timer_cancel(provider->tunnel.loop, &provider->retry);
	if (provider->tie != NULL) {
		session_release(&provider->tie->session);
		free(provider->tie);
	}
	address_list_release(&provider->servers);
	address_list_release(&provider->targets);
	auth_key_release(&provider->key);
	free(provider);
}
