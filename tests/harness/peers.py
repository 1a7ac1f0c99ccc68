"""Servers and clients of a test, inside its own process."""
import random
import selectors
import socket
import struct
import sys
import threading
import time

from .proc import PATIENCE, wait_until

MIB = 1 << 20
BLOB = random.Random(2010).randbytes(4 * MIB)


def pattern(key, start, size):
    """Bytes [start, start+size) of the endless stream named by `key`: differs from every other key's."""
    base = (key * 7919) % 65521
    out = bytearray()
    while size > 0:
        at = (base + start) % len(BLOB)
        piece = BLOB[at : at + size]
        out += piece
        start += len(piece)
        size -= len(piece)
    return bytes(out)


def reset(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def recv_exactly(sock, size):
    out = bytearray()
    while len(out) < size:
        piece = sock.recv(min(size - len(out), 1 << 18))
        if not piece:
            raise EOFError(f"stream ended after {len(out)} of {size} bytes")
        out += piece
    return bytes(out)


def recv_all(sock):
    """Everything up to the FIN; a reset raises ConnectionResetError."""
    out = bytearray()
    while True:
        piece = sock.recv(1 << 18)
        if not piece:
            return bytes(out)
        out += piece


def recv_until_end(sock):
    """Everything up to the end, and how it ended: 'fin' or 'reset'."""
    out = bytearray()
    try:
        while True:
            piece = sock.recv(1 << 18)
            if not piece:
                return bytes(out), "fin"
            out += piece
    except ConnectionResetError:
        return bytes(out), "reset"


def get_nothing(address):
    """Connect, and be closed or reset without a byte: as early as connect() itself may tell it."""
    try:
        with connect(address) as sock:
            assert recv_until_end(sock)[0] == b""
    except ConnectionResetError:
        pass


class Server:
    """Accepts on a loopback port; each connection runs `handler(sock, number)` in a thread of its own.

    What handlers return or raise is kept, in order of their ending; the first exception is raised by close(). What
    close() itself breaks, as it ends the connections that are still there, is no error of theirs.
    """

    def __init__(self, handler, host="127.0.0.1", family=socket.AF_INET, backlog=4096, path=None):
        self.handler = handler
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if path:
            self.listener.bind(str(path))
        else:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((host, 0))
            self.address = (host, self.listener.getsockname()[1])
        self.listener.listen(backlog)
        self.accepted = 0
        self.results = []
        self.errors = []
        self.socks = []
        self.closing = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self.closing:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self.accepted += 1
            self.socks.append(sock)
            threading.Thread(target=self._serve, args=(sock, self.accepted), daemon=True).start()

    def _serve(self, sock, number):
        try:
            self.results.append(self.handler(sock, number))
        except BaseException as error:  # kept for the test's thread
            if not (self.closing and isinstance(error, OSError)):
                self.errors.append(error)
        finally:
            sock.close()

    def wait_results(self, count):
        wait_until(lambda: self.errors or len(self.results) >= count, f"{count} served connections")
        if self.errors:
            raise self.errors[0]
        return self.results

    def close(self, quiet=False):
        self.closing = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for sock in self.socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(PATIENCE)
        if self.errors and not quiet:
            raise self.errors[0]
        for error in self.errors:  # what failed already may have failed for that
            print("server:", repr(error), file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(quiet=kind is not None)


def connect(address, rcvbuf=None, sndbuf=None, patience=PATIENCE):
    """A connected client socket; `address` is (host, port) or the path of a unix socket."""
    if isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    else:
        family = socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(patience)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if sndbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    sock.connect(address)
    return sock


def echo(sock, _number=0):
    """Give back what comes, until the FIN."""
    total = 0
    while True:
        piece = sock.recv(1 << 16)
        if not piece:
            return total
        sock.sendall(piece)
        total += len(piece)


class EchoServer:
    """As Server(echo), but one thread for thousands of connections at once: none is kept waiting, so no queue overflows."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.accepted = 0
        self.errors = []
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with selectors.DefaultSelector() as ready:
            ready.register(self.listener, selectors.EVENT_READ)
            while not self.closing:
                for key, _ in ready.select(0.1):
                    if key.fileobj is self.listener:
                        self._accept(ready)
                    elif not self._answer(key.fileobj):
                        ready.unregister(key.fileobj)
                        key.fileobj.close()

    def _accept(self, ready):
        try:
            while True:
                sock, _ = self.listener.accept()
                sock.settimeout(PATIENCE)
                self.accepted += 1
                ready.register(sock, selectors.EVENT_READ)
        except BlockingIOError:
            pass

    def _answer(self, sock):
        try:
            piece = sock.recv(1 << 16)
            sock.sendall(piece)
            return piece
        except OSError as error:
            self.errors.append(error)
            return b""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.closing = True
        self.thread.join(PATIENCE)
        self.listener.close()
        if kind is None and self.errors:
            raise self.errors[0]


def leaving(handler):
    """The same for clients that may leave in the middle: 'left' then, however they do it."""

    def session(sock, number=0):
        try:
            return handler(sock, number)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return "left"

    return session


def sink(sock, _number=0):
    """Read until the FIN; returns what was read."""
    return recv_all(sock)


def hold(sock, _number=0):
    """Keep the connection open and silent until the other side ends it; returns how it ended."""
    return recv_until_end(sock)


def exchange(address, payload):
    """Send, half-close, read to the end: the answer."""
    with connect(address) as sock:
        sock.sendall(payload)
        sock.shutdown(socket.SHUT_WR)
        return recv_all(sock)


def dribble(sock, data, pause=0.0):
    """Send byte by byte, each in a packet of its own."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(data)):
        sock.sendall(data[at : at + 1])
        if pause:
            time.sleep(pause)


class Many:
    """Run `work(number)` for numbers 0..count-1 on some threads; the first exception is raised."""

    def __init__(self, work, count, threads=8):
        self.work, self.errors = work, []
        self.numbers = iter(range(count))
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def _run(self):
        while not self.errors:
            with self.lock:
                number = next(self.numbers, None)
            if number is None:
                return
            try:
                self.work(number)
            except BaseException as error:  # kept for the test's thread
                self.errors.append(error)

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
