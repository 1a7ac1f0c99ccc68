"""How connections end: a FIN arrives as a FIN, a reset as a reset, what was sent before it arrives first."""
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from harness import logs
from harness.dump import Dump
from harness.packets import read_pcap, tcp_of
from harness.peers import (
    MIB,
    Server,
    connect,
    echo,
    get_nothing,
    hold,
    pattern,
    recv_all,
    recv_exactly,
    recv_until_end,
    reset,
    sink,
)
from harness.proc import BIN, PATIENCE, wait_until
from harness.services import free_port

pytestmark = pytest.mark.core


def only_log(nr, logroot):
    """Wait for the end of the only connection; its log and close event."""
    event = wait_until(lambda: logs.closed(logroot).get(1), "the connection is closed in the index")
    nr.stop()
    log = logs.load(logroot, 1)
    assert not log.cut
    assert event["client_bytes"] == len(log.bytes("c"))
    assert event["server_bytes"] == len(log.bytes("s"))
    return log, event


def handshake(path, port):
    """Payload of the third packet of the connection to `port`, the one that ends the handshake."""
    packets = [packets_of for packets_of in map(tcp_of, read_pcap(path)) if packets_of[1][1] == port]
    return packets[1][4]


@pytest.mark.parametrize("speaks", [True, False])
def test_what_a_client_says_at_once_ends_the_handshake(netrecord, logroot, folder, speaks):
    """One packet less for the server; a server that speaks first gets its handshake as ever."""
    with Server(lambda sock, _: (sock.sendall(b"hello"), echo(sock))) as server:
        nr = netrecord(server.address)
        with Dump(folder / "dump", server.address[1]) as dump:
            nr.signal(signal.SIGSTOP)
            with connect(nr.address) as client:
                if speaks:
                    client.sendall(b"at once")
                nr.signal(signal.SIGCONT)
                assert recv_exactly(client, 5) == b"hello"
                if not speaks:
                    client.sendall(b"at once")
                assert recv_exactly(client, 7) == b"at once"
        assert handshake(dump.path, server.address[1]) == (b"at once" if speaks else b"")
        log, _ = only_log(nr, logroot)
        assert (log.bytes("c"), log.bytes("s")) == (b"at once", b"helloat once")


@pytest.mark.parametrize("said", [b"", b"at once"])
@pytest.mark.parametrize("leave, how, end", [(reset, "reset", "err"), (socket.socket.close, "fin", "hup")], ids=["reset", "fin"])
def test_a_client_that_has_left_before_it_is_accepted(netrecord, logroot, said, leave, how, end):
    """The server gets all of it nevertheless."""
    with Server(lambda sock, _: recv_until_end(sock)) as server:
        nr = netrecord(server.address)
        nr.signal(signal.SIGSTOP)
        client = connect(nr.address)
        client.sendall(said)
        leave(client)
        nr.signal(signal.SIGCONT)
        assert server.wait_results(1) == [(said, how)]
    log, _ = only_log(nr, logroot)
    assert log.bytes("c") == said
    assert f"c {end}" in log.ends()


def test_a_server_that_answers_in_pieces_is_acknowledged_at_once(hosts, logroot):
    """It has not set TCP_NODELAY: each piece waits for the acknowledgement of the one before, for 40 ms if that is
    delayed. The kernel counts those."""
    (host,) = hosts(1)
    script = Path(__file__).parent / "harness" / "pieces.py"
    directly = int(host.run(sys.executable, script).stdout)
    recorded = int(host.run(sys.executable, script, BIN / "netrecord", "-q", logroot).stdout)
    assert max(directly, recorded) < 5, "of 20"
    assert len(logs.closed(logroot)) == 21


def test_client_ends_first(netrecord, logroot):
    with Server(sink) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"hello")
            sock.shutdown(socket.SHUT_WR)
            assert recv_until_end(sock) == (b"", "fin")
        assert server.wait_results(1) == [b"hello"]
        log, event = only_log(nr, logroot)
    assert log.shape() == "c con, c data, c hup, s hup"
    assert event["end"] == "s hup"


def test_server_ends_first(netrecord, logroot):
    def serve(sock, _number):
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        return recv_all(sock)

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            assert recv_until_end(sock) == (b"bye", "fin")
            sock.sendall(b"thanks")
        assert server.wait_results(1) == [b"thanks"]
        log, event = only_log(nr, logroot)
    assert log.shape() == "c con, s data, s hup, c data, c hup"
    assert event["end"] == "c hup"


def test_server_goes_on_long_after_the_half_close(netrecord, logroot):
    go = threading.Event()

    def serve(sock, _number):
        got = recv_all(sock)
        for at in range(0, 1000, 100):
            go.wait(PATIENCE)
            sock.sendall(pattern(1, at, 100))
        return got

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"all of it")
            sock.shutdown(socket.SHUT_WR)
            wait_until(lambda: logs.parts(logroot) and "c hup" in logs.load(logroot, 1).ends(), "half-close is logged")
            go.set()
            assert recv_all(sock) == pattern(1, 0, 1000)
        log, _ = only_log(nr, logroot)
    assert log.shape() == "c con, c data, c hup, s data, s hup"


@pytest.mark.parametrize("data", [b"", b"some bytes", pattern(2, 0, 100_000)], ids=len)
def test_client_resets(netrecord, logroot, data):
    with Server(hold) as server:
        nr = netrecord(server.address)
        sock = connect(nr.address)
        sock.sendall(data)
        wait_until(
            lambda: len(logs.so_far(logroot, 1, "c")) == len(data), "data is recorded"
        )
        wait_until(lambda: server.accepted, "the server accepted")
        reset(sock)
        assert server.wait_results(1) == [(data, "reset")]
        log, event = only_log(nr, logroot)
    assert log.bytes("c") == data
    assert log.ends() == ["c err"]
    assert event["end"] == "c err"


@pytest.mark.parametrize("data", [b"", b"some bytes", pattern(3, 0, 100_000)], ids=len)
def test_server_resets(netrecord, logroot, data):
    got = threading.Event()

    def serve(sock, _number):
        recv_exactly(sock, 2)  # so that netrecord surely knows of the connection
        sock.sendall(data)
        got.wait(PATIENCE)
        reset(sock)

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"go")
            assert recv_exactly(sock, len(data)) == data
            got.set()
            assert recv_until_end(sock) == (b"", "reset")
        log, event = only_log(nr, logroot)
    assert log.bytes("s") == data
    assert log.ends() == ["s err"]
    assert event["end"] == "s err"


def test_what_came_before_a_reset_is_delivered_to_a_slow_client(netrecord, logroot):
    """The kernel may drop what the server had not yet sent; what netrecord received, the client gets."""
    sent = 2 * MIB

    def serve(sock, _number):
        recv_exactly(sock, 2)  # so that netrecord surely knows of the connection
        sock.sendall(pattern(4, 0, sent))
        reset(sock)

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address, rcvbuf=32 * 1024) as sock:
            sock.sendall(b"go")
            wait_until(lambda: logs.so_far(logroot, 1, "s"), "the first bytes are logged")
            data, end = recv_until_end(sock)
        log, _ = only_log(nr, logroot)
    assert end == "reset"
    assert pattern(4, 0, sent).startswith(data)
    assert data == log.bytes("s"), f"{len(data)} delivered, {len(log.bytes('s'))} logged"
    assert log.ends() == ["s err"]


def test_what_came_before_a_reset_is_delivered_to_a_slow_server(netrecord, logroot):
    sent, release = 2 * MIB, threading.Event()

    def serve(sock, _number):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
        release.wait(PATIENCE)
        return recv_until_end(sock)

    with Server(serve) as server:
        nr = netrecord(server.address)
        sock = connect(nr.address)
        sock.sendall(pattern(5, 0, sent))
        reset(sock)
        release.set()
        ((data, end),) = server.wait_results(1)
        log, _ = only_log(nr, logroot)
    assert end == "reset"
    assert pattern(5, 0, sent).startswith(data)
    assert data == log.bytes("c"), f"{len(data)} delivered, {len(log.bytes('c'))} logged"


def test_server_that_closes_with_unread_data_resets(netrecord, logroot):
    """The kernel sends RST when a socket is closed before all was read."""

    def serve(sock, _number):
        assert recv_exactly(sock, 10) == pattern(6, 0, 10)
        wait_until(lambda: len(logs.so_far(logroot, 1, "c")) == 5000, "all is recorded")

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(pattern(6, 0, 5000))
            assert recv_until_end(sock) == (b"", "reset")
        log, event = only_log(nr, logroot)
    assert log.bytes("c") == pattern(6, 0, 5000)
    assert event["end"] == "s err"


def test_reset_after_half_close(netrecord, logroot):
    def serve(sock, _number):
        recv_all(sock)
        sock.sendall(b"part of the answer")
        wait_until(lambda: logs.so_far(logroot, 1, "s"), "the answer is recorded")
        reset(sock)

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"question")
            sock.shutdown(socket.SHUT_WR)
            assert recv_until_end(sock) == (b"part of the answer", "reset")
        log, event = only_log(nr, logroot)
    assert log.shape() == "c con, c data, c hup, s data, s err"
    assert event["end"] == "s err"


def test_client_resets_after_its_half_close(netrecord, logroot):
    """The kernel tells this one as EPIPE, on a socket whose end was read long before."""
    half_closed = threading.Event()

    def serve(sock, _number):
        assert recv_all(sock) == b"question"
        half_closed.set()
        wait_until(lambda: tcp_state(sock) == TCP_CLOSE, "the reset arrives")
        return True

    with Server(serve) as server:
        nr = netrecord(server.address)
        sock = connect(nr.address)
        sock.sendall(b"question")
        sock.shutdown(socket.SHUT_WR)
        half_closed.wait(PATIENCE)
        reset(sock)
        assert server.wait_results(1) == [True]
        log, event = only_log(nr, logroot)
    assert log.shape() == "c con, c data, c hup, c err"
    assert event["end"] == "c err"


def test_server_that_refuses(netrecord, logroot):
    nr = netrecord(("127.0.0.1", free_port()))
    get_nothing(nr.address)
    log, event = only_log(nr, logroot)
    assert log.shape() == "c con"
    assert event["end"] == "refused"
    assert event["connect"] is None
    assert (event["client_bytes"], event["server_bytes"], event["lost"]) == (0, 0, 0)


@pytest.fixture
def deaf():
    """The address of a listener with its backlog full: SYNs go unanswered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for filler in fillers:
            filler.close()


def test_server_that_never_accepts(netrecord, logroot, deaf):
    nr = netrecord(deaf, "--connect-timeout", "700ms")
    with connect(nr.address) as sock:
        sock.sendall(b"is anybody there")
        assert recv_until_end(sock)[0] == b""
    log, event = only_log(nr, logroot)
    assert log.ends() == []
    assert log.shape() in ("c con", "c con, c data")
    assert event["connect"] is None and event["end"] == "refused"
    assert event["duration"] >= 0.7


def test_no_limit_on_connecting(netrecord, deaf):
    """0 is never, as with the other times."""
    nr = netrecord(deaf, "--connect-timeout", "0")
    with connect(nr.address) as sock:
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_client_that_leaves_before_the_server_accepts(netrecord, logroot, deaf):
    nr = netrecord(deaf, "--connect-timeout", "2s")
    reset(connect(nr.address))
    log, event = only_log(nr, logroot)
    assert event["connect"] is None
    assert log.shape() in ("c con", "c con, c err")


def test_data_sent_before_the_server_accepts_arrives(netrecord, logroot):
    """Client bytes may arrive while the server is still being connected to."""
    with Server(echo) as server:
        nr = netrecord(server.address)
        for number in range(50):
            with connect(nr.address) as sock:
                sock.sendall(pattern(number, 0, 3000))
                sock.shutdown(socket.SHUT_WR)
                assert recv_all(sock) == pattern(number, 0, 3000)
        nr.stop()
    for number, log in logs.load_all(logroot).items():
        assert log.bytes("c") == log.bytes("s") == pattern(number - 1, 0, 3000)


def test_half_close_timeout(netrecord, logroot):
    """A server that never ends its side after the client did is not waited for for ever."""

    def serve(sock, _number):
        got = recv_all(sock)
        wait_until(lambda: tcp_state(sock) == TCP_CLOSE, "the connection is reset")
        return got

    with Server(serve) as server:
        nr = netrecord(server.address, "--half-close-timeout", "500ms")
        with connect(nr.address) as sock:
            sock.sendall(b"question")
            sock.shutdown(socket.SHUT_WR)
            recv_until_end(sock)
        assert server.wait_results(1) == [b"question"]
        log, event = only_log(nr, logroot)
    assert log.shape().startswith("c con, c data, c hup")
    assert event["end"] not in ("s hup", "refused")
    assert event["duration"] >= 0.5


TCP_CLOSE = 7  # include/net/tcp_states.h


def tcp_state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def test_half_closed_but_busy_is_not_timed_out(netrecord, logroot):
    """The timeout is one of silence: a half-closed connection that still carries data lives on."""
    with Server(lambda sock, _: trickle(sock)) as server:
        nr = netrecord(server.address, "--half-close-timeout", "1500ms")
        with connect(nr.address) as sock:
            sock.shutdown(socket.SHUT_WR)
            assert recv_until_end(sock) == (b"x" * 10, "fin")
        log, event = only_log(nr, logroot)
    assert event["end"] == "s hup"


def trickle(sock):
    recv_all(sock)
    stop = threading.Event()
    for _ in range(10):
        stop.wait(0.2)
        sock.sendall(b"x")


def test_idle_timeout(netrecord, logroot):
    with Server(hold) as server:
        nr = netrecord(server.address, "--idle-timeout", "1500ms")
        with connect(nr.address) as sock:
            for _ in range(8):
                threading.Event().wait(0.2)
                sock.sendall(b"busy")
            recv_until_end(sock)
        (result,) = server.wait_results(1)
        assert result[0] == b"busy" * 8
        log, event = only_log(nr, logroot)
    assert log.bytes("c") == b"busy" * 8
    assert event["duration"] >= 1.5 + 7 * 0.2  # the first pause may pass before it is accepted
    assert event["end"] not in ("c hup", "s hup", "refused")


def test_half_closed_connections_do_not_pile_up(netrecord, logroot):
    """Descriptors are given back when both sides have ended, in whatever order."""
    with Server(sink) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.shutdown(socket.SHUT_WR)
            recv_all(sock)
        wait_until(lambda: 1 in logs.closed(logroot), "closed")
        before = nr.descriptors()
        for number in range(100):
            sock = connect(nr.address)
            if number % 3 == 0:
                sock.shutdown(socket.SHUT_WR)
                recv_all(sock)
            if number % 3 == 1:
                reset(sock)
            sock.close()
        wait_until(lambda: len(logs.closed(logroot)) == 101, "all closed")
        wait_until(lambda: nr.descriptors() <= before, "descriptors given back")
        server.errors.clear()
        nr.stop()
