#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettunnel/handshake.h"

/* Stop watching; the descriptor stays open. */
static void
handshake_rest(struct handshake *handshake)
{
	loop_unwatch(handshake->loop, &handshake->watch);
	loop_timer_cancel(handshake->loop, &handshake->timer);
}

static void
handshake_fail(struct handshake *handshake, const char *reason)
{
	handshake_rest(handshake);
	handshake->ops->failed(handshake, reason);
}

/* Messages are so small that a connection which has carried next to nothing takes them at once. */
static int
handshake_send(struct handshake *handshake, const unsigned char *message, size_t size)
{
	if (send(handshake->watch.fd, message, size, MSG_NOSIGNAL) == (ssize_t)size)
		return 0;
	handshake_fail(handshake, "cannot be answered");
	return -1;
}

static void
handshake_done(struct handshake *handshake, const struct auth_grant *grant)
{
	int fd = handshake->watch.fd;

	handshake_rest(handshake);
	handshake->watch.fd = -1;
	handshake->ops->done(handshake, fd, &handshake->claim, grant);
}

static void
server_greeted(struct handshake *handshake)
{
	unsigned char hello[AUTH_HELLO_SIZE];

	auth_hello(&handshake->auth, AUTH_SERVER, hello);
	handshake_send(handshake, hello, sizeof(hello));
}

static void
provider_greeted(struct handshake *handshake)
{
	unsigned char claim[AUTH_CLAIM_SIZE];

	auth_write_claim(&handshake->auth, &handshake->claim, claim);
	handshake_send(handshake, claim, sizeof(claim));
}

static void
server_claimed(struct handshake *handshake)
{
	unsigned char message[AUTH_GRANT_SIZE];
	struct auth_grant grant;
	const char *reason = auth_read_claim(&handshake->auth, handshake->in, &handshake->claim);

	if (reason != NULL) {
		handshake_fail(handshake, reason);
		return;
	}
	grant = handshake->ops->claimed(handshake, &handshake->claim);
	auth_write_grant(&handshake->auth, &grant, message);
	if (handshake_send(handshake, message, sizeof(message)) == 0)
		handshake_done(handshake, &grant);
}

static void
provider_granted(struct handshake *handshake)
{
	struct auth_grant grant;
	const char *reason = auth_read_grant(&handshake->auth, handshake->in, &grant);

	if (reason != NULL)
		handshake_fail(handshake, reason);
	else
		handshake_done(handshake, &grant);
}

/* A whole message has come. */
static void
handshake_message(struct handshake *handshake)
{
	enum auth_role other = handshake->role == AUTH_SERVER ? AUTH_PROVIDER : AUTH_SERVER;
	const char *reason;

	handshake->got = 0;
	if (!handshake->greeted) {
		handshake->greeted = true;
		reason = auth_read_hello(&handshake->auth, other, handshake->in);
		if (reason != NULL)
			handshake_fail(handshake, reason);
		else if (handshake->role == AUTH_SERVER)
			server_greeted(handshake);
		else
			provider_greeted(handshake);
	} else if (handshake->role == AUTH_SERVER) {
		server_claimed(handshake);
	} else {
		provider_granted(handshake);
	}
}

/* What it means that the other end has closed the connection. */
static const char *
handshake_closed(const struct handshake *handshake)
{
	if (handshake->role == AUTH_PROVIDER && handshake->greeted)
		return "closed it, as it does when it has another key";
	return "closed it before it was known";
}

static size_t
handshake_awaited(const struct handshake *handshake)
{
	if (!handshake->greeted)
		return AUTH_HELLO_SIZE;
	return handshake->role == AUTH_SERVER ? AUTH_CLAIM_SIZE : AUTH_GRANT_SIZE;
}

static void
handshake_ready(struct watch *watch, short events)
{
	struct handshake *handshake = CONTAINER_OF(watch, struct handshake, watch);
	size_t size = handshake_awaited(handshake);
	size_t magic;
	ssize_t got;

	(void)events;
	/* Not a byte more: what follows the last message is the link's. */
	got = recv(watch->fd, handshake->in + handshake->got, size - handshake->got, 0);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		handshake_fail(
		    handshake, got == -1 ? strerror(errno) : handshake_closed(handshake));
		return;
	}
	handshake->got += (size_t)got;
	magic = handshake->got < AUTH_MAGIC_SIZE - 1 ? handshake->got : AUTH_MAGIC_SIZE - 1;
	if (!handshake->greeted && memcmp(handshake->in, AUTH_MAGIC, magic) != 0)
		handshake_fail(handshake, "does not speak the tunnel protocol");
	else if (handshake->got == size)
		handshake_message(handshake);
}

static void
handshake_late(struct timer *timer)
{
	handshake_fail(CONTAINER_OF(timer, struct handshake, timer), "took too long");
}

void
handshake_start(struct handshake *handshake, int fd, const struct auth_claim *claim)
{
	unsigned char hello[AUTH_HELLO_SIZE];

	watch_init(&handshake->watch, fd, handshake_ready);
	timer_init(&handshake->timer, handshake_late);
	loop_timer_set(
	    handshake->loop, &handshake->timer, loop_now(handshake->loop) + HANDSHAKE_TIMEOUT);
	if (claim != NULL) {
		handshake->claim = *claim;
		auth_hello(&handshake->auth, AUTH_PROVIDER, hello);
		if (handshake_send(handshake, hello, sizeof(hello)) == -1)
			return;
	}
	if (loop_watch(handshake->loop, &handshake->watch, POLLIN) == -1)
		handshake_fail(handshake, strerror(errno));
}

void
handshake_release(struct handshake *handshake)
{
	handshake_rest(handshake);
	if (handshake->watch.fd != -1)
		close(handshake->watch.fd);
	handshake->watch.fd = -1;
}
