/* Socket calls with the options that every socket of a relay has. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>

#include "net/address.h"

/*
 * A listening socket: non-blocking, SO_REUSEADDR, long backlog; TCP_NODELAY, which accepted
 * sockets inherit. An AF_INET6 address of all zeros takes IPv4 too unless `only6`. The
 * path of a unix socket that nobody listens on any more is replaced. Returns the descriptor, or -1
 * with errno.
 */
int socket_listen(const struct address *address, bool only6);

/* Make a listening socket that was passed in (sd_listen_fds(3)) like those of socket_listen().
 * Returns -1 with errno. */
int socket_adopt(int fd);

/*
 * Begin to connect. Returns a non-blocking descriptor, of which `*connected` tells whether it is
 * connected already (as on loopback), or -1 with errno. If the caller `sends` something as soon as
 * it is connected, the handshake's last segment carries that instead of going alone (RFC 9293,
 * 3.5): one packet less, and the server wakes up once. It then calls socket_sent().
 */
int socket_connect(const struct address *address, bool sends, bool *connected);

/*
 * What a socket from socket_connect(..., true, ...) was to send first is sent: from now on what
 * comes is acknowledged at once, as on any new connection. If it were not, a server that sends in
 * pieces and has not set TCP_NODELAY would wait for a delayed acknowledgement between them.
 */
void socket_sent(int fd);

/* The address that the socket is bound to. */
void socket_name(int fd, struct address *address);

/*
 * Options that depend on where the other end is. On loopback it is reached through no network whose
 * congestion could be controlled, and a control that paces (bbr) would set a timer for every 64
 * KiB: one that does not; nor can it vanish without a word. Elsewhere: SO_KEEPALIVE. Done by
 * socket_connect(), and by listening sockets on loopback, from which accepted ones have it.
 */
void socket_set_far(int fd, const struct address *far);

/* The pending error of the socket (SO_ERROR), 0 if there is none. */
int socket_error(int fd);

/* Make close(2) send a RST (SO_LINGER with time 0). */
void socket_set_reset(int fd);

#endif
