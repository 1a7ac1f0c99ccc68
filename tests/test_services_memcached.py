"""memcached through netrecord: text and binary-safe values over known bytes."""
import pytest

from harness import logs
from harness.peers import connect, pattern, recv_exactly
from harness.services import Memcached


@pytest.fixture
def memcached(folder):
    with Memcached(folder / "memcached") as server:
        yield server


def steps():
    value = pattern(11, 0, 900_000)
    yield b"set big 7 0 %d\r\n%s\r\n" % (len(value), value), b"STORED\r\n"
    yield b"get big\r\n", b"VALUE big 7 %d\r\n%s\r\nEND\r\n" % (len(value), value)
    yield b"set n 0 0 2\r\n41\r\nincr n 1\r\n", b"STORED\r\n42\r\n"
    yield b"get missing\r\n", b"END\r\n"
    yield b"nonsense\r\n", b"ERROR\r\n"
    yield b"".join(b"set k%d 0 0 3\r\nabc\r\n" % i for i in range(500)), b"STORED\r\n" * 500
    yield b"delete big\r\n", b"DELETED\r\n"


def session(address):
    sent, answered = [], []
    with connect(address) as sock:
        for request, answer in steps():
            sock.sendall(request)
            assert recv_exactly(sock, len(answer)) == answer
            sent.append(request)
            answered.append(answer)
        sock.sendall(b"quit\r\n")
        assert sock.recv(1) == b""
    return b"".join(sent) + b"quit\r\n", b"".join(answered)


def test_known_session_as_without(memcached, netrecord, logroot):
    session(memcached.address)
    nr = netrecord(memcached.address)
    sent, answered = session(nr.address)
    nr.stop()
    (log,) = logs.load_all(logroot).values()
    assert log.bytes("c") == sent
    assert log.bytes("s") == answered
