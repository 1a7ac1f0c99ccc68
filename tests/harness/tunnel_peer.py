"""The tunnel's protocol in Python, written from docs/tunnel-protocol.md: to speak it well, and to break it."""
import hashlib
import hmac
import os
import socket
import struct

from .peers import connect, recv_exactly

MAGIC = b"nettunl\x01"
PROVIDER, SERVER = b"tunnel provider\n", b"tunnel server\n\n\n"
NEW, RESUME = 1, 2
GRANTED, UNKNOWN = 1, 2
OPEN, DATA, WINDOW, END, RESET, DRAIN, BYE, ACK, PING, PONG = range(1, 11)


def frame(kind, stream=0, payload=b""):
    return bytes([kind]) + len(payload).to_bytes(3, "big") + struct.pack(">Q", stream) + payload


class Peer:
    """A provider at the server's door."""

    def __init__(self, door, key):
        self.sock = connect(door)
        self.key = key
        self.nonce = os.urandom(32)
        self.session = os.urandom(16)
        self.received = 0

    def code(self, role, *parts):
        text = role + MAGIC + self.nonce + self.theirs + self.claim + b"".join(parts)
        return hmac.new(self.key, text, hashlib.sha256).digest()

    def greet(self):
        self.sock.sendall(MAGIC + self.nonce)
        hello = recv_exactly(self.sock, 40)
        assert hello[:8] == MAGIC
        self.theirs = hello[8:]

    def claims(self, want=NEW, name=b"python", session=None):
        """The claim, with its code."""
        self.session = session or self.session
        self.claim = self.session + bytes([want]) + struct.pack(">Q", self.received) + name.ljust(64, b"\0")
        return self.claim + self.code(PROVIDER)

    def link(self, want=NEW, **options):
        """The whole handshake; returns the status and how many frames the server has."""
        self.greet()
        self.sock.sendall(self.claims(want, **options))
        grant = recv_exactly(self.sock, 9 + 32)
        assert hmac.compare_digest(grant[9:], self.code(SERVER, grant[:9])), "the server does not know the key"
        return grant[0], struct.unpack(">Q", grant[1:9])[0]

    def send(self, kind, stream=0, payload=b""):
        self.sock.sendall(frame(kind, stream, payload))

    def read(self):
        """The next frame that is no ping, as (type, stream, payload)."""
        while True:
            head = recv_exactly(self.sock, 12)
            payload = recv_exactly(self.sock, int.from_bytes(head[1:4], "big"))
            kind, stream = head[0], struct.unpack(">Q", head[4:])[0]
            if kind < ACK:
                self.received += 1
                return kind, stream, payload

    def closed(self):
        """Wait until the server has closed the connection; returns what it still said."""
        out = b""
        try:
            while piece := self.sock.recv(65536):
                out += piece
        except ConnectionResetError:
            pass
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Listener:
    """A server for providers: accepts one connection after the other."""

    def __init__(self, key):
        self.key = key
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(30)
        self.address = self.sock.getsockname()

    def accept(self):
        sock, _ = self.sock.accept()
        sock.settimeout(30)
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
