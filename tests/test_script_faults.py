"""Scripts that fail, run away, or are changed while connections are open."""
import re
import signal
import socket

import pytest

from harness import logs
from harness.peers import Server, connect, echo, exchange, hold, recv_exactly, recv_until_end
from harness.proc import BIN, run, wait_until
from harness.script import place, scripted, wait_log  # pylint: disable=unused-import

core = pytest.mark.core

FAULTS = {
    "error": ('error("out of order")', "out of order"),
    "nil": ("local x = nil\n return x.y", "attempt to index a nil value"),
    "table": ("error({})", "error is a table"),
    "loop": ("while true do end", "stopped: too many steps"),
    "loop in pcall": ("while true do pcall(function() while true do end end) end", "stopped: too many steps"),
    "loop in a coroutine": ("coroutine.wrap(function() while true do end end)()", "stopped: too many steps"),
    "loop in a message handler": ("xpcall(error, function() while true do end end)", "stopped: too many steps"),
    "loop in the handler of a loop": (
        "local function loop() while true do end end xpcall(loop, loop)",
        "stopped: too many steps",
    ),
    "loop when a stopped coroutine is closed": (
        """
        local function loop() while true do end end
        local co = coroutine.create(function()
          local held <close> = setmetatable({}, { __close = loop })
          loop()
        end)
        coroutine.resume(co)
        coroutine.close(co)
        loop()""",
        "stopped: too many steps",
    ),
    "many short coroutines": (
        "while true do coroutine.wrap(function() for i = 1, 4e4 do end end)() end",
        "stopped: too many steps",
    ),
    "many coroutines that are stopped": (
        """
        local function loop() while true do end end
        while true do coroutine.resume(coroutine.create(loop)) end""",
        "stopped: too many steps",
    ),
    "a hook": ("debug.sethook() while true do end", "attempt to call a nil value (field 'sethook')"),
    "a finalizer": (
        "setmetatable({}, { __gc = function() while true do end end }) collectgarbage()",
        "test.lua:4: scripts have no finalizers (__gc)",
    ),
    "a finalizer of files": (
        """
        getmetatable(io.stdout).__gc = function() while true do end end
        io.tmpfile() collectgarbage()""",
        "attempt to index a boolean value",
    ),
    "recursion": ("local function f() return 1 + f() end f()", ""),
    "memory": ("local t = {} while true do t[#t + 1] = ('x'):rep(9999) .. #t end", "stopped: more than 64 MiB held"),
    "one string": ("return ('x'):rep(1 << 40)", ""),
    "number": ("return 12", "returned a number"),
}


@pytest.mark.parametrize("fault", [pytest.param(name, marks=core if name in ("error", "loop", "memory") else ()) for name in FAULTS])
def test_a_failing_script_closes_its_connection_only(scripted, logroot, fault):
    """The message has the script's name and line; connections before, beside and after it go on."""
    body, message = FAULTS[fault]
    with Server(echo) as server:
        nr = scripted(
            """
            function client_data(data)
              if data == "bad" then
                %s
              end
            end""" % body,
            target=server.address,
        )
        with connect(nr.address) as beside:
            beside.sendall(b"before")
            assert recv_exactly(beside, 6) == b"before"
            with connect(nr.address) as bad:
                bad.sendall(b"good")
                assert recv_exactly(bad, 4) == b"good"
                bad.sendall(b"bad")
                assert recv_until_end(bad) == (b"", "reset")
            beside.sendall(b"after")
            assert recv_exactly(beside, 5) == b"after"
        assert exchange(nr.address, b"another one") == b"another one"
        log, event = wait_log(nr, logroot, 2)
        assert event["end"] == "killed"
        assert log.bytes("c") == b"good"
        server.errors.clear()
    line = nr.wait_said(r"netrecord: .*\(client 127\.0\.0\.1:\d+\)")[0]
    assert re.search(r"test\.lua:\d+: ", line) or fault == "table" and "test.lua: " in line, line
    assert message in line


def test_what_is_replaced_does_what_it_does_in_lua(scripted):
    """xpcall(), coroutines and setmetatable(), also where they yield across one another."""
    with Server(echo) as server:
        nr = scripted(
            """
            local function list(...) return table.concat({ ... }, ",") end

            local function say(...)
              local words = table.pack(...)
              for i = 1, words.n do words[i] = tostring(words[i]) end
              return table.concat(words, " ")
            end

            function deep() error("deep down") end

            local checks = {
              function() return say(xpcall(list, print, 1, 2, 3)) == "true 1,2,3" end,
              function() return say(xpcall(error, function(text) return text:upper(), 2 end, "no")) == "false NO" end,
              function() return say(pcall(xpcall, error, function() error("in turn", 0) end)) == "false in turn" end,
              function() return not pcall(xpcall, list, "no handler") end,
              function() return select(2, xpcall(deep, debug.traceback)):match("deep down.*in function 'deep'") end,
              function()
                local co = coroutine.create(function(...)
                  local got = list(..., coroutine.yield("first"))
                  return select(2, xpcall(function()
                    error(got .. coroutine.yield("second"), 0)
                  end, function(text) return text .. coroutine.yield("third") end))
                end)
                local told = {}
                for _, word in ipairs({ "a", "b", "c", "d" }) do
                  told[#told + 1] = select(2, assert(coroutine.resume(co, word)))
                end
                return list(table.unpack(told)) == "first,second,third,a,bcd" and coroutine.status(co) == "dead"
              end,
              function() return say(coroutine.resume(coroutine.create(error), "told")) == "false told" end,
              function()
                local got = {}
                for each in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do got[#got + 1] = each end
                return list(table.unpack(got)) == "1,2,3"
              end,
              function() return not pcall(coroutine.create, 1) and not pcall(coroutine.wrap) end,
              function()
                local thing = setmetatable({}, { __index = { a = 1 } })
                return thing.a == 1 and setmetatable(thing, nil) == thing and thing.a == nil
              end,
              function() return not pcall(setmetatable, setmetatable({}, { __metatable = 1 }), {}) end,
              function() return not pcall(setmetatable, {}) and not pcall(setmetatable, 1, {}) end,
              function() return require("debug") == debug and next(debug, "traceback") == nil end,
            }

            function client_data(data)
              local failed = {}
              if data == "" then return "" end
              for number, check in ipairs(checks) do
                if not check() then failed[#failed + 1] = number end
              end
              return "failed: " .. list(table.unpack(failed))
            end""",
            target=server.address,
        )
        assert exchange(nr.address, b"go") == b"failed: "


@core
@pytest.mark.parametrize(
    "returned, message",
    {
        "12": "route returned a number",
        '"127.0.0.1:80\\0.example.com"': "NUL in it",
        '"nowhere"': "remote nowhere: no :port",
        '":80"': "no host",
        '"a:0"': "port 0",
        '"::1:80"': "brackets",
        "{}": "without remote, close and noop",
        '{ remot = "a:1" }': "unknown field remot",
        "{ remote = 12 }": "remote is a number",
        '{ remote = "a:1", data = {} }': "data is a table",
        '{ remote = "a:1", connect_timeout = "soon" }': "connect_timeout is no number of seconds",
        '{ remote = "a:1", inactivity_timeout = -1 }': "inactivity_timeout is no number of seconds",
        "{ close = {} }": "close is a table",
    }.items(),
)
def test_wrong_decisions_are_told(scripted, returned, message):
    nr = scripted("\nfunction route(data)\n  return %s\nend" % returned)
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_until_end(sock)[0] == b""
    line = nr.wait_said(r"netrecord: .*\(client 127\.0\.0\.1:\d+\)")[0]
    assert "test.lua:2: " in line
    assert message in line


def test_failing_callbacks_are_told(scripted):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nr = scripted(
            """
            function route() return "%s:%d" end
            function connect_error() error("even this") end""" % unused.getsockname()
        )
        with connect(nr.address) as sock:
            sock.sendall(b"x")
            assert recv_until_end(sock)[0] == b""
    nr.wait_said(r"test\.lua:3: even this")


def test_errors_are_told_to_the_quiet_too(scripted):
    nr = scripted("function route() print('chatter') error('trouble') end", "-q")
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        recv_until_end(sock)
    nr.wait_said("test.lua:1: trouble")
    assert "chatter" not in nr.stderr


def test_a_flood_of_errors_is_counted(scripted, folder):
    nr = scripted("function route() error('again') end", "--metrics", folder / "metrics")
    for _ in range(200):
        with connect(nr.address) as sock:
            sock.sendall(b"x")
            recv_until_end(sock)
    nr.stop()
    said = len(nr.said("test.lua:1: again"))
    assert said < 200
    withheld = sum(map(int, nr.said(r"(\d+) more such messages")))
    assert said + withheld == 200
    assert "netrecord_script_failures_total 200" in (folder / "metrics").read_text()


def test_bytes_of_a_script_never_reach_the_terminal_raw(scripted):
    nr = scripted(r'function route() error("\27[31mred\nnew line") end')
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        recv_until_end(sock)
    nr.wait_said(r"test\.lua:1: .*red.*new line")
    assert "\x1b" not in nr.stderr


@pytest.mark.parametrize(
    "lua, message",
    {
        "x = = 1": "test.lua:1: unexpected symbol",
        "\nerror('not today')": "test.lua:2: not today",
        "while true do end": "test.lua:1: stopped: too many steps",
        "x = ('x'):rep(1 << 40)": "test.lua:1",
        "route = 12": "route is a number, not a function",
        "function rout() end": "defines none of route",
        "function client_data() end": "no function route, and no server is given",
        "\x1bLua": "binary",
    }.items(),
)
def test_what_cannot_be_loaded(folder, lua, message):
    path = folder / "test.lua"
    path.write_text(lua)
    done = run(BIN / "netrecord", "-s", path, "-", "-", "0", folder / "log", check=False)
    text = done.stderr.decode()
    assert done.returncode == 2
    assert text.count("\n") == 1 and text.startswith("netrecord: ")
    assert "test.lua" in text and message in text


def test_print_goes_to_stderr_and_exit_is_not_there(scripted):
    nr = scripted("function route(data) print('got', #data, true, nil) os.exit(3) end")
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        recv_until_end(sock)
    nr.wait_said("netrecord: got 1 true nil")
    nr.wait_said("attempt to call a nil value")
    nr.stop()


def test_require_finds_what_lies_beside_the_script(scripted, folder):
    (folder / "table_of_servers.lua").write_text("return { a = %r }" % "close me")
    nr = scripted('local t = require "table_of_servers" function route(data) return { close = t[data] } end')
    with connect(nr.address) as sock:
        sock.sendall(b"a")
        assert recv_exactly(sock, 8) == b"close me"


def answering(word):
    return "function route(data) return { close = '%s' } end" % word


def ask(address):
    with connect(address) as sock:
        sock.sendall(b"x")
        sock.shutdown(socket.SHUT_WR)
        return recv_until_end(sock)[0]


def test_reload(scripted):
    """HUP: a bad new script is refused and the old one stays; a good one is for connections to come."""
    nr = scripted(answering("old"))
    assert ask(nr.address) == b"old"
    for number, bad in enumerate(("x = = 1", "error('no')", "function client_data() end", "while true do end"), 1):
        nr.script.write_text(bad)
        nr.signal(signal.SIGHUP)
        nr.wait_said("what was loaded before stays", number)
        assert ask(nr.address) == b"old"
    nr.script.unlink()
    nr.signal(signal.SIGHUP)
    nr.wait_said("what was loaded before stays", 5)
    nr.script.write_text(answering("new"))
    nr.signal(signal.SIGHUP)
    nr.wait_said("loaded anew")
    assert ask(nr.address) == b"new"
    nr.stop()


@core
def test_open_connections_keep_the_script_they_began_with(scripted):
    lua = """
        count = 0
        function client_data(data, conn)
          if data == "" then return end
          count = count + 1
          return "%s " .. count
        end"""
    with Server(echo) as server:
        nr = scripted(lua % "old", target=server.address)
        with connect(nr.address) as first:
            first.sendall(b"x")
            assert recv_exactly(first, 5) == b"old 1"
            nr.script.write_text(lua % "new")
            nr.signal(signal.SIGHUP)
            nr.wait_said("loaded anew")
            with connect(nr.address) as second:
                second.sendall(b"x")
                assert recv_exactly(second, 5) == b"new 1"
            first.sendall(b"x")
            assert recv_exactly(first, 5) == b"old 2"
        nr.stop()


def test_reloading_many_times_holds_no_memory(scripted):
    nr = scripted("big = ('x'):rep(4 << 20) function route(data) return { close = true } end")
    for number in range(1, 41):
        nr.signal(signal.SIGHUP)
        nr.wait_said("loaded anew", number)
        assert ask(nr.address) == b""
    assert nr.memory() < (64 << 20) or "asan" in str(BIN) or "tsan" in str(BIN)


def test_waiting_connections_cost_only_their_buffers(scripted, logroot):
    """A thousand clients that the script has not decided about, and one that goes on as if alone."""
    with Server(echo) as server:
        nr = scripted(
            'function route(data) if data:find("\\n") then return "{to}" end end', "--route-timeout", "1h",
            to=place(server.address),
        )
        assert exchange(nr.address, b"warm\n") == b"warm\n"
        wait_until(lambda: 1 in logs.closed(logroot), "it is closed")
        before, descriptors = nr.memory(), nr.descriptors()
        waiting = [connect(nr.address) for _ in range(1000)]
        for sock in waiting:
            sock.sendall(b"w" * 100)
        wait_until(lambda: len(logs.index(logroot)) == 2 + 1000, "all are known")
        assert exchange(nr.address, b"quick\n") == b"quick\n"
        grown = nr.memory() - before
        assert grown < 1000 * 4096 or "asan" in str(BIN) or "tsan" in str(BIN), grown
        assert nr.descriptors() - descriptors < 1000 + 200  # one each, and some logs
        assert server.accepted == 2
        busy = nr.cpu_seconds()
        waiting[500].sendall(b"decide\n")
        assert recv_exactly(waiting[500], 107) == b"w" * 100 + b"decide\n"
        assert nr.cpu_seconds() - busy < 1
        for sock in waiting:
            sock.close()
        nr.stop(signal.SIGINT)


@pytest.mark.slow
def test_thousands_wait_and_are_decided_at_once(scripted, logroot):
    with Server(echo) as server:
        nr = scripted(
            'function route(data) if data:find("\\n") then return "{to}" end end', "--route-timeout", "1h",
            to=place(server.address),
        )
        waiting = [connect(nr.address) for _ in range(8000)]
        for sock in waiting:
            sock.sendall(b"half a ")
        wait_until(lambda: len(logs.index(logroot)) == 8000, "all are known")
        assert server.accepted == 0
        for sock in waiting:
            sock.sendall(b"line\n")
        for sock in waiting:
            assert recv_exactly(sock, 12) == b"half a line\n"
            sock.close()
        nr.stop(signal.SIGQUIT)
    assert len(logs.closed(logroot)) == 8000


@core
def test_a_server_held_back_by_its_script_is_known(scripted, logroot):
    """Bytes that a script swallows are not lost silently: the counters tell what came and what went."""
    with Server(hold) as server:
        nr = scripted("function client_data(data) return '' end", target=server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"swallowed")
        assert server.wait_results(1) == [(b"", "fin")]
        log, event = wait_log(nr, logroot, 1)
        nr.signal(signal.SIGUSR1)
        assert nr.wait_said(r"bytes received from clients: (\d+)") == ["9"]
    assert log.bytes("c") == b"" and event["client_bytes"] == 0
