"""netmirror -s: as netrecord's; observers get what the server is sent."""
import json
import signal
import socket

import pytest

from harness import logs
from harness.mirror import refused
from harness.peers import Server, connect, dribble, echo, exchange, recv_exactly, recv_until_end
from harness.script import place
from harness.services import free_port

pytestmark = pytest.mark.core


@pytest.fixture
def script(folder):
    def write(lua):
        path = folder / "test.lua"
        path.write_text(lua)
        return path

    return write


def test_routed_and_mirrored(mirror, observers, script, logroot):
    """Observers are told nothing until the client is routed, and then what its server is sent."""
    (watching,) = observers(1)
    with Server(echo) as one, Server(echo) as two:
        lua = """
            local servers = { a = "%s", b = "%s" }
            function route(data)
              local name = data:match("^(%%a)\\n")
              if name then return { remote = servers[name], data = data:upper() } end
            end
            function client_data(data) return (data:gsub("secret", "public")) end
            function server_data(data) return data:reverse() end"""
        path = script(lua % (place(one.address), place(two.address)))
        nm = mirror("-s", path, "-l", logroot, "-", "-", "0", watching.name)
        with connect(nm.address) as sock:
            dribble(sock, b"b\n", 0.05)
            assert recv_exactly(sock, 2) == b"\nB"
            sock.sendall(b"a secret")
            assert recv_exactly(sock, 8) == b"cilbup a"
        assert watching.got(1) == [(b"B\na public", "fin")]
        assert (one.accepted, two.accepted) == (0, 1)
        nm.stop()
    log, event = logs.load(logroot, 1), logs.closed(logroot)[1]
    assert (log.bytes("c"), log.bytes("s")) == (b"B\na public", b"\nBcilbup a")
    assert event["scripted"] is True and event["server"] == place(two.address)


NORMALISE = """
    function normalise(data, conn)
      if data == "" then return ((conn.rest or ""):gsub("^%l+", "")) end
      local text = (conn.rest or "") .. data
      local whole, rest = text:match("^(.*\\n)(.*)$")
      conn.rest = rest or text
      return whole and whole:gsub("^%l+", ""):gsub("\\n%l+", "\\n") or ""
    end"""


@pytest.mark.parametrize("differs", [False, True])
def test_answers_are_normalised_before_comparing(mirror, script, differs):
    """Each line begins with a word of the server's own; what follows is compared."""

    def answer(word):
        def serve(sock, _number):
            for line in sock.makefile("rb"):
                text = b"%s: %s\n%s" % (word, line[:2].upper(), word)
                for at in range(0, len(text), 3):
                    sock.sendall(text[at : at + 3])

        return Server(serve)

    with answer(b"production") as server, answer(b"staging") as observer, answer(b"Staging") as other:
        watching = other if differs else observer
        words = [*server.address, "0", place(watching.address)]
        nm = mirror("--compare", "-o", "json", "-s", script(NORMALISE), *words)
        with connect(nm.address) as sock:
            for line in (b"ab\n", b"cd\n"):
                sock.sendall(line)
                text = b"production: %s\nproduction" % line[:2].upper()
                assert recv_exactly(sock, len(text)) == text
            sock.shutdown(socket.SHUT_WR)
            recv_until_end(sock)
        nm.stop(expect=1 if differs else 0)
        report = json.loads(nm.report)
        assert (report["summary"]["differences"] > 0) is differs


def test_a_failing_normaliser_fails_its_comparison(mirror, script):
    with Server(echo) as server, Server(echo) as observer:
        path = script("function normalise(data, conn)\n  error('no ' .. conn.stream .. conn.id)\nend")
        nm = mirror("--compare", "-o", "json", "-s", path, *server.address, "0", place(observer.address))
        assert exchange(nm.address, b"hello") == b"hello"
        nm.stop(expect=2)
        (connection,) = json.loads(nm.report)["connections"]
        assert connection["result"] == "failed" and "test.lua:2: no " in connection["reason"]
        assert all("test.lua:2: no " in line for line in nm.lines if "a connection to it is dropped" in line), nm.stderr
        server.errors.clear()
        observer.errors.clear()


def test_clients_that_are_sent_away(mirror, observers, script):
    (watching,) = observers(1)
    nm = mirror("-s", script('function route() return { close = "bye" } end'), "-", "-", "0", watching.name)
    assert exchange(nm.address, b"x") == b"bye"
    nm.stop()
    assert [data for data, _ in watching.results] in ([], [b""])


def test_server_that_refuses(mirror, observers, script):
    (watching,) = observers(1)
    lua = 'function route() return "127.0.0.1:%d" end function connect_error(remote) print("no", remote) end' % free_port()
    nm = mirror("-s", script(lua), "-", "-", "0", watching.name)
    with connect(nm.address) as sock:
        sock.sendall(b"x")
        assert recv_until_end(sock)[0] == b""
    nm.wait_said("no 127.0.0.1:")
    nm.stop()
    assert all(data == b"" for data, _ in watching.results)


def test_reload(mirror, script):
    path = script('function route() return { close = "old" } end')
    nm = mirror("-s", path, "-", "-", "0")
    assert exchange(nm.address, b"x") == b"old"
    path.write_text("x = = 1")
    nm.signal(signal.SIGHUP)
    nm.wait_said("what was loaded before stays")
    assert exchange(nm.address, b"x") == b"old"
    path.write_text('function route() return { close = "new" } end')
    nm.signal(signal.SIGHUP)
    nm.wait_said("loaded anew")
    assert exchange(nm.address, b"x") == b"new"
    nm.stop()


def test_wrong_use(folder, script):
    assert "-s" in refused("-", "-", "0")
    assert "no function route" in refused("-s", script("function client_data() end"), "-", "-", "0")
    assert "missing.lua" in refused("-s", folder / "missing.lua", "127.0.0.1", "1", "0")
