"""A recording proxy of the harness itself: what passes in front of netrecord, and behind it."""
import socket
import struct
import threading

from .proc import PATIENCE, wait_until


class TapConnection:
    def __init__(self, client):
        self.client, self.server = client, None
        self.sent = {"c": bytearray(), "s": bytearray()}
        self.reset = None  # the side that reset
        self.ended = set()
        self.local = None  # address by which the tap reached its target


class Tap:
    """Forwards to `target` and keeps all bytes of both directions, per connection, in order of arrival."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.listener.getsockname()
        self.connections = []
        self.closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closing:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            connection = TapConnection(sock)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.server = socket.create_connection(self.target, PATIENCE)
        except OSError:
            connection.client.close()
            connection.ended |= {"c", "s"}
            return
        connection.local = connection.server.getsockname()
        ends = {"c": connection.client, "s": connection.server}
        for sock in ends.values():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(None)
        pumps = [
            threading.Thread(target=self._pump, args=(connection, side, ends[side], ends[other]), daemon=True)
            for side, other in (("c", "s"), ("s", "c"))
        ]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        for sock in ends.values():
            if connection.reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        connection.ended |= {"c", "s"}

    @staticmethod
    def _pump(connection, side, source, sink):
        try:
            while True:
                piece = source.recv(1 << 18)
                if not piece:
                    break
                connection.sent[side] += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            connection.reset = connection.reset or side
            for sock in (source, sink):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def wait_idle(self):
        """Wait until every connection has ended on both sides; returns them."""
        wait_until(lambda: all(c.ended == {"c", "s"} for c in self.connections), "connections through the tap end")
        return self.connections

    def close(self):
        self.closing = True
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
