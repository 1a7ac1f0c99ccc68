#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/end.h"
#include "net/socket.h"

static ssize_t
end_socket_receive(struct end *end, void *buffer, size_t size)
{
	return recv(end->watch.fd, buffer, size, 0);
}

static ssize_t
end_socket_send(struct end *end, const void *data, size_t size)
{
	return send(end->watch.fd, data, size, MSG_NOSIGNAL);
}

static ssize_t
end_socket_send_pieces(struct end *end, struct iovec *pieces, size_t count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};

	return sendmsg(end->watch.fd, &message, MSG_NOSIGNAL);
}

static int
end_socket_shutdown(struct end *end)
{
	return shutdown(end->watch.fd, SHUT_WR);
}

static size_t
end_socket_unsent(struct end *end)
{
	int family = 0, unsent = 0;
	socklen_t length = sizeof(family);

	/* What a unix socket has sent is in its peer's hands, and there is no reset. */
	if (getsockopt(end->watch.fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == -1 ||
	    family == AF_UNIX || ioctl(end->watch.fd, SIOCOUTQ, &unsent) == -1)
		return 0;
	return (size_t)unsent;
}

static void
end_socket_close(struct end *end, bool reset)
{
	if (reset)
		socket_set_reset(end->watch.fd);
	close(end->watch.fd);
	end->watch.fd = -1;
}

const struct end_ops end_socket_ops = {
    .receive = end_socket_receive,
    .send = end_socket_send,
    .send_pieces = end_socket_send_pieces,
    .shutdown = end_socket_shutdown,
    .unsent = end_socket_unsent,
    .close = end_socket_close,
};
