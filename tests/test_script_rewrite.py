"""Scripts that rewrite what passes: bytes, their order with the ends, what the log holds."""
import random
import socket
import threading

import pytest

from harness import logs
from harness.peers import (
    MIB,
    Many,
    Server,
    connect,
    dribble,
    echo,
    exchange,
    pattern,
    recv_all,
    recv_exactly,
    recv_until_end,
    reset,
    sink,
)
from harness.proc import BIN, PATIENCE, wait_until
from harness.script import only_log, scripted, wait_log  # pylint: disable=unused-import

pytestmark = pytest.mark.core


def test_both_directions(scripted, logroot):
    """The log holds what the server was sent and what the client was sent."""
    with Server(echo) as server:
        nr = scripted(
            """
            function client_data(data) return (data:gsub("red", "green")) end
            function server_data(data) return data:upper() end""",
            target=server.address,
        )
        assert exchange(nr.address, b"a red house") == b"A GREEN HOUSE"
        log, event = only_log(nr, logroot)
    assert log.bytes("c") == b"a green house"
    assert log.bytes("s") == b"A GREEN HOUSE"
    assert (event["client_bytes"], event["server_bytes"]) == (13, 13)


def test_nothing_returned_leaves_the_bytes_as_they_are(scripted):
    with Server(echo) as server:
        nr = scripted("function client_data(data) end", target=server.address)
        assert exchange(nr.address, pattern(1, 0, 300_000)) == pattern(1, 0, 300_000)


def test_bytes_may_be_dropped_and_come_later(scripted, logroot):
    """A script that keeps what is no whole line is asked once more at the end of the stream."""
    with Server(echo) as server:
        nr = scripted(
            """
            function client_data(data, conn)
              if data == "" then return "<" .. (conn.rest or "") .. ">" end
              local text = (conn.rest or "") .. data
              local whole, rest = text:match("^(.*\\n)(.*)$")
              conn.rest = rest or text
              return whole or ""
            end""",
            target=server.address,
        )
        with connect(nr.address) as sock:
            dribble(sock, b"one\ntw", 0.002)
            assert recv_exactly(sock, 4) == b"one\n"
            dribble(sock, b"o\nthree", 0.002)
            assert recv_exactly(sock, 4) == b"two\n"
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b"<three>"
        log, _ = only_log(nr, logroot)
    assert log.bytes("c") == b"one\ntwo\n<three>"
    assert log.shape().endswith("c hup, s data, s hup")


@pytest.mark.parametrize("factor", [0, 1, 3])
def test_large_streams_of_another_length(scripted, logroot, factor):
    size = 3 * MIB
    data = pattern(7, 0, size)
    with Server(sink) as server:
        nr = scripted("function client_data(data) return data:rep({factor}) end", target=server.address, factor=factor)
        with connect(nr.address) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b""
        (got,) = server.wait_results(1)
        log, _ = only_log(nr, logroot)
    assert len(got) == factor * size
    assert got == log.bytes("c")
    if factor == 1:
        assert got == data


def test_expansion_stops_reading(scripted):
    """A server that does not read holds the client back, though each piece has grown."""
    release = threading.Event()

    def serve(sock, _number):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        release.wait(PATIENCE)
        return len(recv_all(sock))

    with Server(serve) as server:
        nr = scripted("function client_data(data) return data .. data end", target=server.address)
        with connect(nr.address) as sock:
            sock.settimeout(1)
            sent = 0
            with pytest.raises(TimeoutError):
                while sent < 64 * MIB:
                    sent += sock.send(b"x" * 65536)
            assert nr.memory() < 64 * MIB or "tsan" in str(BIN)  # whose shadow is several times that
            sock.settimeout(PATIENCE)
            release.set()
            sock.shutdown(socket.SHUT_WR)
            recv_all(sock)
        assert server.wait_results(1) == [2 * sent]


def test_half_close_is_kept(scripted, logroot):
    """The server answers long after the client has ended its stream."""

    def serve(sock, _number):
        got = recv_all(sock)
        sock.sendall(b"you sent " + got)

    with Server(serve) as server:
        nr = scripted(
            """
            function client_data(data) return (data:gsub("%d", "#")) end
            function server_data(data) return data == "" and "." or data end""",
            target=server.address,
        )
        assert exchange(nr.address, b"42 bytes") == b"you sent ## bytes."
        log, _ = only_log(nr, logroot)
    assert log.shape() == "c con, c data, c hup, s data, s hup"


def test_server_ends_first(scripted):
    def serve(sock, _number):
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        return recv_all(sock)

    with Server(serve) as server:
        nr = scripted(
            "function client_data(data) return data:reverse() end function server_data(data) end",
            target=server.address,
        )
        with connect(nr.address) as sock:
            assert recv_until_end(sock) == (b"bye", "fin")
            sock.sendall(b"sknaht")
        assert server.wait_results(1) == [b"thanks"]


def test_resets_pass(scripted, logroot):
    def serve(sock, _number):
        assert recv_exactly(sock, 4) == b"TEXT"
        sock.sendall(b"x" * 1000)
        wait_until(lambda: len(logs.so_far(logroot, 1, "s")) == 1000, "it is recorded")
        reset(sock)

    with Server(serve) as server:
        nr = scripted(
            "function client_data(d) return d:upper() end function server_data(d) return d:upper() end",
            target=server.address,
        )
        with connect(nr.address) as sock:
            sock.sendall(b"text")
            assert recv_until_end(sock) == (b"X" * 1000, "reset")
        log, _ = only_log(nr, logroot)
    assert log.ends() == ["s err"]


def test_routed_bytes_are_rewritten_too(scripted, logroot):
    """What route() saw passes client_data once the server is there; a reply of route() is sent as it is."""
    with Server(echo) as server:
        nr = scripted(
            """
            function route(data)
              if data:find("\\n") then return { remote = "%s:%d", reply = "ok\\n" } end
            end
            function client_data(data) return data:upper() end
            function server_data(data) return "[" .. data .. "]" end""" % server.address,
        )
        with connect(nr.address) as sock:
            dribble(sock, b"first\n", 0.01)
            assert recv_exactly(sock, 11) == b"ok\n[FIRST\n]"
            sock.sendall(b"second\n")
            assert recv_exactly(sock, 9) == b"[SECOND\n]"
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b"[]"
        log, _ = only_log(nr, logroot)
    assert log.bytes("c") == b"FIRST\nSECOND\n"
    assert log.bytes("s") == b"ok\n[FIRST\n][SECOND\n][]"


def test_conn_is_of_the_connection_and_globals_are_shared(scripted):
    with Server(echo) as server:
        nr = scripted(
            """
            total = 0
            function client_data(data, conn)
              if data == "" then return end
              total = total + #data
              conn.own = (conn.own or 0) + #data
              return conn.id .. " " .. conn.own .. " " .. total .. " " .. conn.client .. " " .. conn.server
            end""",
            target=server.address,
        )
        with connect(nr.address) as one, connect(nr.address) as two:
            for sock, number, size, expected in ((one, 1, 3, (3, 3)), (two, 2, 4, (4, 7)), (one, 1, 5, (8, 12))):
                sock.sendall(b"x" * size)
                name = "%s:%d" % sock.getsockname()
                text = "%d %d %d %s %s:%d" % (number, *expected, name, *server.address)
                assert recv_exactly(sock, len(text)) == text.encode()


def test_many_connections_at_once(scripted):
    """Pieces of any size on many connections: each gets its own bytes, in order."""
    with Server(echo) as server:
        nr = scripted(
            """
            local swap = { ["\\0"] = "\\1", ["\\1"] = "\\0" }
            function client_data(data, conn) conn.n = (conn.n or 0) + #data return (data:gsub("[%z\\1]", swap)) end
            function server_data(data, conn) conn.m = (conn.m or 0) + #data return (data:gsub("[%z\\1]", swap)) end""",
            target=server.address,
        )

        def work(number):
            rng = random.Random(number)
            data = pattern(number, 0, rng.choice((1, 100, 5000, 70_000, 300_000)))
            assert exchange(nr.address, data) == data

        Many(work, 60).run()
        nr.stop()


def test_a_decided_connection_is_as_any_other(scripted, logroot):
    """Without *_data functions its bytes do not meet the script again."""
    with Server(echo) as server:
        nr = scripted(
            """
            calls = 0
            function route(data) calls = calls + 1 print("call", calls) return "%s:%d" end""" % server.address
        )
        assert exchange(nr.address, pattern(3, 0, MIB)) == pattern(3, 0, MIB)
        log, _ = wait_log(nr, logroot, 1)
        assert log.bytes("c") == log.bytes("s") == pattern(3, 0, MIB)
        assert nr.said(r"call (\d+)") == ["1"]
