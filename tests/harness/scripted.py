"""A server that answers a dialog request by request, well or badly, and sees that no request comes before its cause."""
import select
import socket
import time

from .peers import Server, dribble, leaving, recv_exactly, reset
from .serve import dialog as records


class Early(AssertionError):
    """The client sent what it could not have known to send yet."""


class Scripted(Server):
    """Reads each request of a dialog [(request, answer), ...] whole, and has `reply(sock, nth, answer)` send the answer.

    What reply() returns: None to go on, 'close' or 'reset' to end the connection. A client may leave at any time. Before an answer is complete
    nothing of the next request may come: `watch(sock)` proves it, and is called before and after each reply's pause.
    """

    def __init__(self, dialog, reply=None, on=None, **options):
        self.dialog, self.reply = dialog, reply or whole
        self.on = on  # the only connection that reply() is for
        self.requests = []  # (number of the connection, nth) in order of arrival
        super().__init__(leaving(self.session), **options)

    def session(self, sock, number):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for nth, (request, answer) in enumerate(self.dialog):
            got = recv_exactly(sock, len(request))
            assert got == request, (got[:100], request[:100])
            self.requests.append((number, nth))
            reply = self.reply if self.on in (None, number) else whole
            end = reply(sock, nth, answer)
            if end == "reset":
                reset(sock)
            if end:
                return end
        # the client ends first, as recorded
        try:
            while sock.recv(1000):
                pass
        except ConnectionResetError:
            pass
        return "done"


def watch(sock, nth, last):
    """Nothing may have come but, behind the last request, the client's end."""
    if not select.select([sock], [], [], 0)[0]:
        return
    early = sock.recv(100, socket.MSG_PEEK)
    if early or nth < last:
        raise Early(f"before answer {nth} was complete came {early!r}")


def whole(sock, _nth, answer):
    sock.sendall(answer)


def slow(pause, pieces=1, last=10**9):
    """Waits `pause` before each of so many pieces, and sees that nothing has come meanwhile."""

    def reply(sock, nth, answer):
        step = -(-len(answer) // pieces)
        for at in range(0, len(answer), step):
            time.sleep(pause)
            watch(sock, nth, last)
            sock.sendall(answer[at : at + step])

    return reply


def dribbling(sock, nth, answer):
    for at in range(len(answer)):
        watch(sock, nth, 0)
        dribble(sock, answer[at : at + 1], pause=0.001)


def changed(change, only=None):
    """Answers `change(answer)`; to request `only` alone if that is given."""

    def reply(sock, nth, answer):
        sock.sendall(change(answer) if only in (None, nth) else answer)

    return reply


def failing(nth_fails, part, end):
    """Sends `part` of the answer to one request, then ends as told: 'close', 'reset', or 'never' falls silent."""

    def reply(sock, nth, answer):
        if nth != nth_fails:
            sock.sendall(answer)
            return None
        sock.sendall(answer[:part])
        if end != "never":
            return end
        try:  # until the client gives up
            while sock.recv(1000):
                pass
        except ConnectionResetError:
            pass
        return "left"

    return reply


def recording(dialog, pause=0.01, start=0.0, **ends):
    """The records of such a dialog, netrecord's way."""
    return records(*(turn for c, s in dialog for turn in (("c", c), ("s", s))), start=start, pause=pause, **ends)
