"""Scripts that route: what the 2009 program did, and what comes of it in the log."""
import signal
import socket
import time

import pytest

from harness import logs
from harness.peers import (
    Server,
    connect,
    dribble,
    echo,
    exchange,
    get_nothing,
    hold,
    recv_all,
    recv_exactly,
    recv_until_end,
    reset,
)
from harness.proc import PATIENCE, wait_until
from harness.script import only_log, place, scripted, wait_log  # pylint: disable=unused-import
from harness.services import free_port

core = pytest.mark.core


def named(name, **where):
    """A server that tells its name and reads all that comes."""

    def serve(sock, _number):
        sock.sendall(name)
        return recv_all(sock)

    return Server(serve, **where)


@core
def test_one_byte_decides(scripted, logroot):
    """And the byte arrives at the server that was chosen."""
    with named(b"first") as first, named(b"second") as second:
        nr = scripted(
            'function route(data) if data == "a" then return "{a}" elseif data == "b" then return "{b}" end end',
            a=place(first.address), b=place(second.address),
        )
        assert exchange(nr.address, b"a") == b"first"
        assert exchange(nr.address, b"b") == b"second"
        assert first.wait_results(1) == [b"a"]
        assert second.wait_results(1) == [b"b"]
        log, event = wait_log(nr, logroot, 2)
    assert log.shape() == "c con, c data, c hup, s data, s hup" or log.shape() == "c con, c data, s data, c hup, s hup"
    assert (log.bytes("c"), log.bytes("s")) == (b"b", b"second")
    assert event["server"] == place(second.address)
    assert event["connect"] >= 0


@core
def test_a_request_that_comes_byte_by_byte(scripted, logroot):
    """The script is shown all of it each time; nothing of it is lost or doubled."""
    with Server(echo) as server:
        nr = scripted(
            'function route(data) if data:find("END\\n$") then return "{to}" end end', to=place(server.address)
        )
        request = b"a request that is decided by its last line: END\n"
        with connect(nr.address) as sock:
            dribble(sock, request, 0.001)
            assert recv_exactly(sock, len(request)) == request
            sock.sendall(b"and more")
            assert recv_exactly(sock, 8) == b"and more"
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b""
        log, _ = only_log(nr, logroot)
    assert log.bytes("c") == request + b"and more"
    assert [r.data for r in log.records if r.side == "c"][1] == request  # one piece to the server


def test_waiting_is_told_by_nothing_or_by_noop(scripted):
    with Server(echo) as server:
        nr = scripted(
            """
            function route(data)
              if #data == 1 then return nil end
              if #data == 2 then return { noop = true } end
              return { remote = "{to}" }
            end""",
            to=place(server.address),
        )
        with connect(nr.address) as sock:
            dribble(sock, b"ab", 0.05)
            assert server.accepted == 0
            sock.sendall(b"c")
            assert recv_exactly(sock, 3) == b"abc"


def test_replaced_data(scripted, logroot):
    with Server(echo) as server:
        nr = scripted(
            'function route(data) return { remote = "{to}", data = data:upper() .. "!" } end', to=place(server.address)
        )
        assert exchange(nr.address, b"quiet") == b"QUIET!"
        log, event = only_log(nr, logroot)
    assert log.bytes("c") == log.bytes("s") == b"QUIET!"
    assert event["client_bytes"] == 6


def test_data_replaced_by_nothing(scripted, logroot):
    with Server(echo) as server:
        nr = scripted('function route(data) return { remote = "{to}", data = "" } end', to=place(server.address))
        with connect(nr.address) as sock:
            sock.sendall(b"the first words")
            wait_until(lambda: server.accepted, "the server is connected")
            sock.sendall(b"the rest")
            assert recv_exactly(sock, 8) == b"the rest"
        log, _ = only_log(nr, logroot)
    assert log.bytes("c") == b"the rest"


@core
def test_reply_and_data(scripted, logroot):
    """As a SOCKS proxy needs: the client is answered, the server never sees what it asked for."""
    with Server(echo) as server:
        nr = scripted(
            'function route(data) return { remote = "{to}", data = "hello", reply = "go ahead\\n" } end',
            to=place(server.address),
        )
        assert exchange(nr.address, b"x") == b"go ahead\nhello"
        log, _ = only_log(nr, logroot)
    assert log.bytes("c") == b"hello"
    assert log.bytes("s") == b"go ahead\nhello"
    assert log.records[1].data == b"go ahead\n"


def test_the_reply_is_sent_before_there_is_a_server(scripted, logroot):
    nr = scripted(
        'function route(data) return { remote = "127.0.0.1:{port}", reply = "one moment" } end', port=free_port()
    )
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_exactly(sock, 10) == b"one moment"
        assert not logs.closed(logroot)
        assert recv_until_end(sock)[0] == b""
    log, event = only_log(nr, logroot)
    assert log.shape() == "c con, s data"
    assert event["end"] == "refused"


@core
def test_close(scripted, logroot):
    nr = scripted("function route(data) return { close = true } end")
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_until_end(sock) == (b"", "fin")
    log, event = only_log(nr, logroot)
    assert log.shape() == "c con, s hup"
    assert event["server"] == ""


@core
@pytest.mark.parametrize("size", [4, 3_000_000])
def test_close_with_text(scripted, logroot, size):
    """All of it arrives, even if the client still sends and is slow to read."""
    nr = scripted('function route(data) return { close = ("bye\\n"):rep({count}) } end', count=size // 4)
    with connect(nr.address, rcvbuf=16384) as sock:
        sock.sendall(b"x")
        wait_until(lambda: logs.so_far(logroot, 1, "s"), "it has answered")
        sock.sendall(b"much more than anybody reads" * 100)
        assert recv_all(sock) == b"bye\n" * (size // 4)
        sock.shutdown(socket.SHUT_WR)
    log, _ = only_log(nr, logroot)
    assert log.bytes("s") == b"bye\n" * (size // 4)
    assert log.bytes("c") == b""
    assert log.shape() == "c con, s data, s hup, c hup"


def test_a_dismissed_client_that_stays_is_not_waited_for(scripted, logroot):
    nr = scripted('function route(data) return { close = "bye" } end')
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_all(sock) == b"bye"
        log, _ = only_log(nr, logroot)  # though the client has not ended its stream
    assert log.shape() == "c con, s data, s hup"


def test_wait_then_decide(scripted):
    """A client that takes its time costs nothing and loses nothing."""
    with Server(echo) as server:
        nr = scripted('function route(data) if data:find("\\n") then return "{to}" end end', to=place(server.address))
        with connect(nr.address) as sock:
            sock.sendall(b"first ")
            before = nr.cpu_seconds()
            time.sleep(0.7)
            assert nr.cpu_seconds() - before < 0.3
            assert server.accepted == 0
            sock.sendall(b"second\n")
            assert recv_exactly(sock, 13) == b"first second\n"


@core
def test_unix_and_v6_and_named_remotes(scripted, folder):
    lua = """
        local to = { u = "unix:{path}", s = "[::1]:{six}", n = "localhost:{named}" }
        function route(data) return to[data] end"""
    path = folder / "socket"
    at_path, at_six = {"family": socket.AF_UNIX, "path": path}, {"host": "::1", "family": socket.AF_INET6}
    with named(b"unix", **at_path), named(b"six", **at_six) as six, named(b"named") as four:
        nr = scripted(lua, path=path, six=six.address[1], named=four.address[1])
        assert exchange(nr.address, b"u") == b"unix"
        assert exchange(nr.address, b"s") == b"six"
        assert exchange(nr.address, b"n") == b"named"


ERRORS = 'function connect_error(remote, conn) print("no server", remote, conn.id, conn.client) end\n'


@core
def test_refused_connect_is_tried_again(scripted, logroot):
    """A server that starts anew is met by one of the ten further tries."""
    port = free_port()
    nr = scripted(ERRORS + 'function route() return "127.0.0.1:{port}" end', "-v", port=port)
    with connect(nr.address) as sock:
        sock.sendall(b"patience")
        nr.wait_said("trying again", 2)
        with socket.create_server(("127.0.0.1", port)) as listener:
            server, _ = listener.accept()
            with server:
                server.settimeout(PATIENCE)
                assert recv_exactly(server, 8) == b"patience"
                server.sendall(b"rewarded")
                assert recv_exactly(sock, 8) == b"rewarded"
    assert "no server" not in nr.stderr
    log, _ = only_log(nr, logroot)
    assert log.bytes("c") == b"patience"


def test_refused_connect_for_good(scripted, logroot):
    port = free_port()
    nr = scripted(ERRORS + 'function route() return "127.0.0.1:{port}" end', "-v", port=port)
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_until_end(sock) == (b"", "reset")
        name = place(sock.getsockname())
    log, event = only_log(nr, logroot)
    assert log.shape() == "c con"
    assert event["end"] == "refused"
    assert event["duration"] >= 1.0
    assert len(nr.said("trying again")) == 10
    assert nr.said("no server.*") == [f"no server 127.0.0.1:{port} 1 {name}"]


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


def test_connect_timeout(scripted, logroot, deaf):
    nr = scripted(
        ERRORS + 'function route() return { remote = "{to}", connect_timeout = 0.3 } end', to=place(deaf)
    )
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_until_end(sock)[0] == b""
    log, event = only_log(nr, logroot)
    assert 0.3 <= event["duration"]
    assert log.shape() == "c con"
    nr.wait_said("no server " + place(deaf))


@core
@pytest.mark.parametrize("how", ["reset", "close"])
def test_client_that_leaves_early_is_no_error(scripted, logroot, deaf, how):
    nr = scripted(
        ERRORS + 'function route() return { remote = "{to}", connect_timeout = 0.5 } end', to=place(deaf)
    )
    sock = connect(nr.address)
    sock.sendall(b"x")
    wait_until(lambda: nr.descriptors(), "it runs")
    time.sleep(0.1)
    if how == "reset":
        reset(sock)
    else:
        sock.close()
    _, event = only_log(nr, logroot)
    assert event["connect"] is None
    nr.stop()
    assert "no server" not in nr.stderr and "cannot connect" not in nr.stderr


def test_client_that_leaves_while_a_refusing_server_is_tried(scripted, logroot):
    nr = scripted(ERRORS + 'function route() return "127.0.0.1:{port}" end', port=free_port())
    sock = connect(nr.address)
    sock.sendall(b"x")
    time.sleep(0.2)
    reset(sock)
    log, event = only_log(nr, logroot)
    assert log.shape() == "c con, c err"
    assert event["duration"] < 1.0
    nr.stop()
    assert "no server" not in nr.stderr and "cannot connect" not in nr.stderr


def test_client_that_leaves_undecided(scripted, logroot):
    nr = scripted("function route() end")
    with connect(nr.address) as sock:
        sock.sendall(b"half a request")
        sock.shutdown(socket.SHUT_WR)
        assert recv_until_end(sock) == (b"", "fin")
    log, _ = only_log(nr, logroot)
    assert log.shape() == "c con, c hup, s hup"


def test_client_that_never_sends(scripted, logroot):
    nr = scripted("function route() error('not to be called') end")
    with connect(nr.address):
        pass
    log, _ = only_log(nr, logroot)
    assert log.shape() == "c con, c hup, s hup"
    assert "not to be called" not in nr.stderr


INACTIVE = """
    function route() return { remote = "{to}", inactivity_timeout = 0.4 } end
    function inactivity_error(remote, conn) print("silent", remote, conn.id, conn.server) end
    function connect_error() print("no server") end"""


@core
def test_server_that_stays_silent(scripted, logroot):
    with Server(hold) as server:
        nr = scripted(INACTIVE, to=place(server.address))
        with connect(nr.address) as sock:
            sock.sendall(b"sleep")
            assert recv_until_end(sock) == (b"", "reset")
        assert server.wait_results(1) == [(b"sleep", "reset")]
        log, event = only_log(nr, logroot)
    assert log.shape() == "c con, c data, s err"
    assert event["duration"] >= 0.4
    nr.wait_said(f"silent {place(server.address)} 1 {place(server.address)}")
    assert "no server" not in nr.stderr


def test_server_that_was_heard_once_may_be_silent(scripted):
    with Server(echo) as server:
        nr = scripted(INACTIVE, to=place(server.address))
        with connect(nr.address) as sock:
            sock.sendall(b"once")
            assert recv_exactly(sock, 4) == b"once"
            time.sleep(0.8)
            sock.sendall(b"and again")
            assert recv_exactly(sock, 9) == b"and again"
        nr.stop()
    assert "silent" not in nr.stderr


def test_route_timeout(scripted, logroot):
    nr = scripted("function route() end", "--route-timeout", "400ms")
    with connect(nr.address) as quiet, connect(nr.address) as talker:
        talker.sendall(b"bla")
        assert recv_until_end(quiet)[0] == recv_until_end(talker)[0] == b""
    for number in (1, 2):
        log, event = wait_log(nr, logroot, number)
        assert log.shape() == "c con"
        assert event["end"] == "killed"
        assert event["duration"] >= 0.4
    nr.wait_said(r"client 127\.0\.0\.1:\d+: not routed in time", 2)


def test_route_limit(scripted, logroot):
    """The script sees just so many bytes, however many came at once."""
    nr = scripted("function route(data) print('seen', #data) end", "--route-limit", "1000")
    with connect(nr.address) as sock:
        sock.sendall(b"x" * 999)
        nr.wait_said("seen 999")
        sock.sendall(b"x" * 100_000)
        assert recv_until_end(sock)[0] == b""
    _, event = only_log(nr, logroot)
    assert event["end"] == "killed"
    assert nr.said(r"seen (\d+)") == ["999", "1000"]
    nr.wait_said("not routed within its limit of bytes")


def test_decided_at_the_limit(scripted, logroot):
    data = b"0123456789" * 20_000
    with Server(echo) as server:
        nr = scripted(
            'function route(data) if #data >= 65536 then return "{to}" end end', to=place(server.address)
        )
        assert exchange(nr.address, data) == data
        log, _ = only_log(nr, logroot)
    assert log.bytes("c") == log.bytes("s") == data


def test_a_server_may_be_given_beside_the_script(scripted, logroot):
    """Without route() all go there; with it, conn.server names it."""
    with named(b"given") as given, named(b"other") as other:
        nr = scripted(
            'function route(data, conn) if data == "o" then return "{other}" end return conn.server end',
            target=given.address, other=place(other.address),
        )
        assert exchange(nr.address, b"g") == b"given"
        assert exchange(nr.address, b"o") == b"other"
        nr.stop()
    assert [e["server"] for e in logs.closed(logroot).values()] == [place(given.address), place(other.address)]


def test_a_given_server_that_refuses(scripted, logroot):
    """Without route() it is as without a script: tried once; and the script is told."""
    port = free_port()
    nr = scripted(ERRORS + "function client_data(data) end", target=("127.0.0.1", port))
    get_nothing(nr.address)
    log, event = only_log(nr, logroot)
    assert event["end"] == "refused" and log.shape() == "c con"
    nr.wait_said(f"no server 127.0.0.1:{port} 1")
    assert len(nr.said("cannot connect to")) == 1


@core
@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM], ids=lambda n: n.name)
def test_draining(scripted, logroot, number):
    """Those that are not routed yet are waited for too, and still get to their server."""
    with Server(echo) as server:
        nr = scripted(
            'function route(data) if data:find("\\n") then return "{to}" end end', "--grace", "20s",
            to=place(server.address),
        )
        with connect(nr.address) as routed, connect(nr.address) as waiting:
            routed.sendall(b"at once\n")
            assert recv_exactly(routed, 8) == b"at once\n"
            waiting.sendall(b"in a ")
            wait_until(lambda: len(logs.index(logroot)) == 2, "both are known")
            nr.signal(number)
            nr.wait_said("waiting for 2 connections")
            get_refused(nr.address)
            waiting.sendall(b"moment\n")
            assert recv_exactly(waiting, 12) == b"in a moment\n"
            routed.sendall(b"still there\n")
            assert recv_exactly(routed, 12) == b"still there\n"
        assert nr.wait() == 0
    assert logs.load(logroot, 2).bytes("s") == b"in a moment\n"


def get_refused(address):
    with pytest.raises(ConnectionError):
        connect(address)


def test_undecided_clients_do_not_outlast_the_grace_time(scripted, logroot):
    nr = scripted("function route(data) end", "--grace", "300ms")
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        wait_until(lambda: logs.index(logroot), "it is known")
        nr.signal(signal.SIGTERM)
        assert nr.wait() == 0
        assert recv_until_end(sock)[0] == b""
    assert logs.closed(logroot)[1]["end"] == "killed"


def test_the_route_timeout_ends_a_quit(scripted, logroot):
    nr = scripted("function route(data) end", "--route-timeout", "500ms")
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        wait_until(lambda: logs.index(logroot), "it is known")
        nr.signal(signal.SIGQUIT)
        assert nr.wait() == 0
        assert recv_until_end(sock)[0] == b""


@core
def test_int_ends_those_that_wait_for_anything(scripted, logroot, deaf):
    nr = scripted(
        'local to = { d = "{deaf}", r = "127.0.0.1:{port}" } function route(data) return to[data] end',
        deaf=place(deaf), port=free_port(),
    )
    socks = [connect(nr.address) for _ in range(3)]
    for sock, word in zip(socks, (b"d", b"r", b"x")):
        sock.sendall(word)
    wait_until(lambda: len(logs.index(logroot)) == 3, "all are known")
    nr.stop(signal.SIGINT)
    for sock in socks:
        assert recv_until_end(sock)[0] == b""
        sock.close()
    assert len(logs.closed(logroot)) == 3
