"""INT, TERM, QUIT, USR1, HUP, and what a second one does."""
import signal
import time

import pytest

from harness import logs
from harness.peers import Server, connect, echo, exchange, pattern, recv_exactly, recv_until_end
from harness.proc import settled, wait_until

pytestmark = pytest.mark.core
INT, TERM, QUIT = signal.SIGINT, signal.SIGTERM, signal.SIGQUIT


@pytest.fixture
def server():
    with Server(echo) as server:
        yield server
        server.errors.clear()  # echo may be ended by a reset here


def talk(sock, data):
    sock.sendall(data)
    assert recv_exactly(sock, len(data)) == data


def refused(nr):
    try:
        sock = connect(nr.address, patience=0.5)
    except OSError:
        return True
    sock.close()
    return False


@pytest.mark.parametrize("number", [INT, TERM, QUIT], ids=lambda n: n.name)
def test_without_connections_it_ends_at_once(netrecord, server, logroot, number):
    nr = netrecord(server.address, "--grace", "1h")
    assert exchange(nr.address, b"one") == b"one"
    nr.stop(number)
    assert logs.load(logroot, 1).bytes("s") == b"one"


def test_int_ends_at_once_with_all_logs_complete(netrecord, server, logroot):
    nr = netrecord(server.address, "--grace", "1h")
    socks = [connect(nr.address) for _ in range(20)]
    for number, sock in enumerate(socks):
        talk(sock, pattern(number, 0, 5000))
    nr.stop(INT)
    for sock in socks:
        assert recv_until_end(sock)[0] == b""
        sock.close()
    recorded, closes = logs.load_all(logroot), logs.closed(logroot)
    assert len(recorded) == len(closes) == 20
    for number, log in recorded.items():
        assert not log.cut
        assert log.bytes("c") == log.bytes("s") == pattern(number - 1, 0, 5000)
        assert closes[number]["end"] == "killed"
        assert (closes[number]["client_bytes"], closes[number]["lost"]) == (5000, 0)


def test_int_in_the_middle_of_a_transfer(netrecord, logroot):
    """What the client got is in the log, and the log ends at a whole record."""

    def serve(sock, _number):
        at = 0
        while True:
            sock.sendall(pattern(1, at, 50_000))
            at += 50_000

    server = Server(serve)
    nr = netrecord(server.address)
    with connect(nr.address) as sock:
        first = recv_exactly(sock, 1_000_000)
        nr.signal(INT)
        rest, _ = recv_until_end(sock)
    assert nr.wait() == 0
    server.close(quiet=True)
    log = logs.load(logroot, 1)
    assert not log.cut
    assert log.bytes("s").startswith(first + rest)
    assert pattern(1, 0, len(log.bytes("s"))) == log.bytes("s")
    assert logs.closed(logroot)[1]["lost"] == 0


def test_term_waits_for_open_connections(netrecord, server, logroot):
    nr = netrecord(server.address, "--grace", "1h")
    with connect(nr.address) as sock:
        talk(sock, b"before")
        nr.signal(TERM)
        wait_until(lambda: refused(nr), "no new connections are accepted")
        talk(sock, b"after")
        assert nr.alive
    assert nr.wait() == 0
    assert logs.load(logroot, 1).bytes("c") == b"beforeafter"
    assert logs.closed(logroot)[1]["end"] == "s hup"


def test_term_ends_when_the_grace_is_over(netrecord, server, logroot):
    nr = netrecord(server.address, "--grace", "300ms")
    with connect(nr.address) as sock:
        talk(sock, b"before")
        nr.signal(TERM)
        assert recv_until_end(sock)[0] == b""
        assert nr.wait() == 0
    assert logs.load(logroot, 1).bytes("s") == b"before"
    assert logs.closed(logroot)[1]["end"] == "killed"


def test_quit_waits_without_limit(netrecord, server, logroot):
    nr = netrecord(server.address, "--grace", "100ms")
    with connect(nr.address) as sock, connect(nr.address) as other:
        talk(sock, b"before")
        talk(other, b"too")
        nr.signal(QUIT)
        wait_until(lambda: refused(nr), "no new connections are accepted")
        time.sleep(0.4)
        other.close()
        talk(sock, b"after")
        assert nr.alive
    assert nr.wait() == 0
    assert [logs.load(logroot, n).bytes("c") for n in (1, 2)] == [b"beforeafter", b"too"]


@pytest.mark.parametrize("first", [TERM, QUIT], ids=lambda n: n.name)
@pytest.mark.parametrize("second", [INT, TERM, QUIT], ids=lambda n: n.name)
def test_second_signal_ends_at_once(netrecord, server, logroot, first, second):
    nr = netrecord(server.address, "--grace", "1h")
    with connect(nr.address) as sock:
        talk(sock, b"before")
        nr.signal(first)
        wait_until(lambda: refused(nr), "no new connections are accepted")
        nr.signal(second)
        assert recv_until_end(sock)[0] == b""
        assert nr.wait() == 0
    assert logs.load(logroot, 1).bytes("c") == b"before"
    assert logs.closed(logroot)[1]["end"] == "killed"


def test_usr1_prints_counters(netrecord, server, logroot):
    nr = netrecord(server.address)
    for _ in range(3):
        assert exchange(nr.address, pattern(1, 0, 1000)) == pattern(1, 0, 1000)
    with connect(nr.address) as sock:
        talk(sock, b"open")
        before = len(nr.lines)
        nr.signal(signal.SIGUSR1)
        wait_until(lambda: len(nr.lines) > before, "counters on stderr")
        settled(lambda: len(nr.lines))
        report = "\n".join(nr.lines[before:])
        assert all(line.startswith("netrecord: ") for line in nr.lines[before:])
        assert "3004" in report, "client bytes"
        assert " 4" in report or "4 " in report, "connections accepted"
        talk(sock, b"still")
    nr.stop()
    assert logs.load(logroot, 4).bytes("c") == b"openstill"


def test_hup_without_a_script_changes_nothing(netrecord, server, logroot):
    nr = netrecord(server.address)
    with connect(nr.address) as sock:
        talk(sock, b"before")
        for _ in range(5):
            nr.signal(signal.SIGHUP)
        talk(sock, b"after")
    assert exchange(nr.address, b"new") == b"new"
    nr.stop()
    assert logs.load(logroot, 1).bytes("c") == b"beforeafter"


def test_clients_that_vanish_do_not_kill_it(netrecord, logroot):
    """SIGPIPE: a server that goes on writing to a client that has gone."""

    def serve(sock, _number):
        try:
            while True:
                sock.sendall(b"x" * 10000)
        except OSError:
            return True

    with Server(serve) as server:
        nr = netrecord(server.address)
        for _ in range(20):
            with connect(nr.address) as sock:
                recv_exactly(sock, 1000)
        assert server.wait_results(20) == [True] * 20
        nr.stop()
