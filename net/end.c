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

static int
end_socket_shutdown(struct end *end)
{
	return shutdown(end->watch.fd, SHUT_WR);
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
    .shutdown = end_socket_shutdown,
    .close = end_socket_close,
};
