"""netreplay -s: what is sent is rewritten, what is compared is normalised."""
import re

import pytest

from harness import logs
from harness.peers import Server, connect, recv_all, recv_exactly, sink
from harness.replay import at, different, equal, replay
from harness.scripted import Scripted, changed, dribbling, recording
from harness.serve import write_logs

DIALOG = [(b"GET a\n", b"1: date 10:00:00 and text\n"), (b"GET b\n", b"2: date 10:00:01, more text\n")]


def later(sock, nth, answer):
    """The same answers at another time of the day, in more words."""
    sock.sendall(re.sub(rb"date \d\d:\d\d:\d\d", b"date Thursday 23:59:0%d" % nth, answer))


@pytest.fixture
def log(logroot):
    return write_logs(logroot, recording(DIALOG))


@pytest.fixture
def script(folder):
    def write(lua):
        path = folder / "test.lua"
        path.write_text(lua)
        return path

    return write


NORMALISE = """
    function normalise(data, conn)
      if data == "" then return conn.rest end
      local text = (conn.rest or "") .. data
      local whole, rest = text:match("^(.*\\n)(.*)$")
      conn.rest = rest or text
      return whole and whole:gsub("date [%w:]*%s?[%d:]+", "date") or ""
    end"""


@pytest.mark.core
def test_normalised_answers_are_equal(log, script):
    """Each line is compared as the script makes it, however it was cut into pieces."""
    with Scripted(DIALOG, later) as server:
        different(at(server), log)
        equal("-s", script(NORMALISE), at(server), log)

    def slowly(sock, nth, answer):
        dribbling(sock, nth, re.sub(rb"date", b"date Monday", answer))

    with Scripted(DIALOG, slowly) as server:
        equal("-s", script(NORMALISE), at(server), log)


def test_what_the_script_leaves_is_compared(log, script):
    with Scripted(DIALOG, changed(lambda answer: answer.replace(b"more", b"less"), 1)) as server:
        done = different("-o", "json", "-s", script(NORMALISE), at(server), log)
    (found,) = done.differences
    assert (found.size, found.live_size) == (4, 4)
    assert found.offset == len(b"1: date and text\n2: date, ")


def test_the_recorded_causes_are_waited_for(log, script):
    """Scripted sees that no request is sent before the answer ahead of it, though the script makes all of them shorter."""
    with Scripted(DIALOG, dribbling) as server:
        equal("-t", "fast", "-s", script(NORMALISE), at(server), log)
        assert server.wait_results(1) == ["done"]


def test_a_script_that_shortens_costs_no_time(logroot, script):
    """The end of an answer is known from the recording: nothing waits for --settle."""
    dialog = [(b"%d?\n" % n, b"%d! and so on, at length\n" % n) for n in range(30)]
    log = write_logs(logroot, recording(dialog))
    with Scripted(dialog) as server:
        lua = "function normalise(data) return data:sub(1, 3) end"
        done = equal("-t", "fast", "--settle", "5s", "-o", "json", "-s", script(lua), at(server), log)
    assert done.json["connections"][0]["duration"] < 5


def test_rewritten_requests(logroot, script, folder):
    """What is sent, and what a recording of the replay holds, is what the script made of it."""
    log = write_logs(logroot, [*recording([(b"hello production\n", b"yes\n")])])
    with Scripted([(b"hello staging, end", b"yes\n")]) as server:
        lua = """
            function client_data(data, conn)
              if data == "" then return "!" end
              conn.seen = (conn.seen or 0) + 1
              return (data:gsub("production\\n", "staging, end"))
            end"""
        equal("-s", script(lua), "-r", folder / "again", at(server), log)
    assert logs.load(folder / "again", 1).bytes("c") == b"hello staging, end!"


def test_sessions_are_coupled_from_answer_to_request(logroot, script):
    """As a relay does: the live session id, seen in an answer, replaces the recorded one in what is sent later."""
    log = write_logs(
        logroot,
        recording([(b"LOGIN\n", b"session=abc123\n"), (b"GET session=abc123\n", b"welcome\n")]),
    )

    def serve(sock, number):
        session = b"x%05d" % (number + 77)
        assert recv_exactly(sock, 6) == b"LOGIN\n"
        sock.sendall(b"session=" + session + b"\n")
        request = b"GET session=" + session + b"\n"
        assert recv_exactly(sock, len(request)) == request
        sock.sendall(b"welcome\n")
        recv_all(sock)

    lua = """
        local seen = { recorded = {}, live = {} }
        function normalise(data, conn)
          seen[conn.stream][conn.id] = data:match("session=(%w+)") or seen[conn.stream][conn.id]
          return (data:gsub("session=%w+", "session=?"))
        end
        function client_data(data, conn)
          local old, new = seen.recorded[conn.id], seen.live[conn.id]
          if old and new then return (data:gsub(old, new)) end
        end"""
    with Server(serve) as server:
        equal("-s", script(lua), "-c", "3", at(server), log)


def test_against_two_servers(log, script):
    with Scripted(DIALOG, later) as first, Scripted(DIALOG) as second:
        different("--against", at(first), at(second), log)
        equal("-s", script(NORMALISE), "--against", at(first), at(second), log)


@pytest.mark.parametrize("function", ["client_data", "normalise"])
def test_a_failing_script_fails_its_connection(logroot, script, function):
    """The others are played."""
    log = write_logs(
        logroot, recording([(b"a\n", b"A\n")]), recording([(b"b\n", b"B\n")]), recording([(b"c\n", b"C\n")])
    )

    def serve(sock, _number):
        while line := sock.recv(100):
            sock.sendall(line.upper())

    lua = "function %s(data)\n  if data:upper() == 'B\\n' then error('no b') end\nend" % function
    with Server(serve) as server:
        done = replay("-o", "json", "-s", script(lua), at(server), log)
    assert done.status == 1, done
    assert sorted(done.results.values()) == ["equal", "equal", "failed"]
    assert re.search(r"netreplay: .*test\.lua:2: no b", done.err)


@pytest.mark.parametrize("lua", ["x = = 1", "", "function normalise() end error('no')"])
def test_scripts_that_cannot_be_loaded(log, script, lua):
    with Server(sink) as server:
        done = replay("-s", script(lua), at(server), log)
        assert done.status == 2 and done.err.count("\n") == 1 and "test.lua" in done.err
        assert server.accepted == 0


def test_it_is_for_the_client_side(log, script):
    done = replay("-s", script(NORMALISE), "--serve", "0", log)
    assert done.status == 2 and "--script" in done.err
