#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/socket.h"

#define BACKLOG 4096 /* storms wait here; the kernel cuts it to net.core.somaxconn */

static void
set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

static void
set_common(int fd, int family)
{
	if (family != AF_UNIX)
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void
socket_set_far(int fd, const struct address *far)
{
	static const char control[] = "reno"; /* which every kernel has, for every user */

	if (far->family == AF_UNIX)
		return;
	if (address_is_loopback(far))
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, sizeof(control) - 1);
	else
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* Close without disturbing errno; returns -1. */
static int
close_failed(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

/* Remove the file of a unix socket that refuses connections: its process has died. */
static void
remove_stale(const struct address *address)
{
	struct stat status;
	bool connected;
	int fd;

	if (lstat(address->u.path, &status) == -1 || !S_ISSOCK(status.st_mode))
		return;
	fd = socket_connect(address, false, &connected);
	if (fd == -1 && errno == ECONNREFUSED)
		unlink(address->u.path);
	if (fd != -1)
		close(fd);
}

int
socket_listen(const struct address *address, bool only6)
{
	struct sockaddr_storage storage;
	socklen_t length;
	int fd;

	if (address->family == AF_UNIX)
		remove_stale(address);
	fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (address->family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, only6);
	set_common(fd, address->family);
	if (address_is_loopback(address))
		socket_set_far(fd, address);
	address_to_sockaddr(address, &storage, &length);
	if (bind(fd, (struct sockaddr *)&storage, length) == -1 || listen(fd, BACKLOG) == -1)
		return close_failed(fd);
	return fd;
}

int
socket_adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL), listening = 0;
	socklen_t length = sizeof(listening);
	struct address address;

	if (flags == -1 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == -1)
		return -1;
	if (!listening) {
		errno = EINVAL;
		return -1;
	}
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	socket_name(fd, &address);
	set_common(fd, address.family);
	if (address_is_loopback(&address))
		socket_set_far(fd, &address);
	return 0;
}

int
socket_connect(const struct address *address, bool sends, bool *connected)
{
	struct sockaddr_storage storage;
	socklen_t length;
	int fd;

	fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	set_common(fd, address->family);
	socket_set_far(fd, address);
	address_to_sockaddr(address, &storage, &length);
	if (sends && address->family != AF_UNIX)
		set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	*connected = connect(fd, (struct sockaddr *)&storage, length) == 0;
	/* On loopback the handshake is over before connect(2) returns, though it says EINPROGRESS:
	 * asking once more saves a round through the loop. */
	if (!*connected && errno == EINPROGRESS && address_is_loopback(address))
		*connected = connect(fd, (struct sockaddr *)&storage, length) == 0;
	if (!*connected && errno != EINPROGRESS && errno != EALREADY)
		return close_failed(fd);
	return fd;
}

void
socket_sent(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

void
socket_name(int fd, struct address *address)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);

	if (getsockname(fd, (struct sockaddr *)&storage, &length) == -1)
		length = 0;
	address_from_sockaddr(address, (struct sockaddr *)&storage, length);
}

int
socket_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
		return errno;
	return error;
}

void
socket_set_reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}
