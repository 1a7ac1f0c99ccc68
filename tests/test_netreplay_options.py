"""--against, --update, --record, --server, --fresh, --compare, --recording: each of them alone."""

import os
import resource
import shlex
import signal
import time

import pytest

from harness import logs
from harness.netlog import run as netlog
from harness.peers import Server, connect, echo, hold, pattern, recv_exactly
from harness.proc import Process, wait_until
from harness.replay import NETREPLAY, at, different, equal, expect, refused, replay
from harness.scripted import Scripted, changed, recording, slow
from harness.serve import dialog, write_logs
from harness.services import Redis, accepts, free_port
from harness.tokens import CARRY, Tokens, Visitor


@pytest.fixture(autouse=True)
def both_backends(backend, monkeypatch):
    monkeypatch.setenv("NETRECORD_BACKEND", backend)


DIALOG = [(b"ONE\n", b"this is the first answer\n"), (b"TWO\n", b"that was the second answer\n")]


@pytest.fixture
def log(logroot):
    return write_logs(logroot, recording(DIALOG))


def louder(sock, _nth, answer):
    sock.sendall(answer.upper())


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.core
def test_backend_of_the_loop(backend, log):
    with Server(hold) as server:
        process = Process([NETREPLAY, at(server), log])
        try:
            wait_until(lambda: server.accepted, "it is connected")
            held = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
        finally:
            process.kill()
    assert ("anon_inode:[eventpoll]" in held) == (backend == "epoll")


# -- --compare --


@pytest.mark.parametrize("compare, status", [("bytes", 1), ("size", 0), ("none", 0)])
def test_compare_other_bytes_of_the_same_size(log, compare, status):
    with Scripted(DIALOG, louder) as server:
        expect(status, "-C", compare, at(server), log)
        assert server.wait_results(1) == ["done"]


@pytest.mark.core
@pytest.mark.parametrize("compare, status", [("bytes", 1), ("size", 1), ("none", 0)])
@pytest.mark.parametrize("change", [lambda answer: answer + b"!", lambda answer: answer[:-1]])
def test_compare_another_size(log, compare, status, change):
    with Scripted(DIALOG, changed(change)) as server:
        expect(status, "-C", compare, at(server), log)
        assert server.wait_results(1) == ["done"]


def test_compare_none_is_no_success_without_an_answer(log):
    with Server(lambda sock, _: None) as server:
        assert replay("-C", "none", at(server), log).status in (1, 2)


@pytest.mark.parametrize("pattern", [["-i", "answer"], ["-I", "masks"]])
def test_compare_size_masks_nothing(folder, log, pattern):
    (folder / "masks").write_text("answer\n")
    with Scripted(DIALOG) as server:
        done = replay("-C", "size", *pattern, at(server), log, cwd=folder)
    assert done.status == 0 and "masked" not in done.out
    assert "netreplay: --compare size looks at no byte: the patterns mask nothing" in done.err


@pytest.mark.parametrize("side", ["client", "server"])
def test_compare_size_carries_nothing(log, side):
    with Scripted(DIALOG) as server:
        operands = [at(server), log] if side == "client" else ["--serve", "0", log]
        assert "--carry" in refused("-C", "size", "--carry", "(answer)", *operands)
        assert server.requests == []


# -- --against --


def test_against_compares_the_two_servers_not_the_recording(log):
    with Scripted(DIALOG, louder) as one, Scripted(DIALOG, louder) as other, Scripted(DIALOG) as third:
        equal("--against", at(other), at(one), log)
        assert one.wait_results(1) == other.wait_results(1) == ["done"]
        done = different("-o", "json", "--against", at(third), at(one), log)
        assert len(third.wait_results(1)) == 1
        assert done.differences[0].offset == 0
        equal("--against", at(third), "-i", "[a-zA-Z ]+", at(one), log)


@pytest.mark.core
def test_against_finds_the_one_byte(log):
    with Scripted(DIALOG) as one, Scripted(DIALOG, changed(lambda answer: answer.replace(b"second", b"se-ond"))) as other:
        (found,) = different("-o", "json", "--against", at(other), at(one), log).differences
        assert (found.offset, found.size, found.live_size) == (len(DIALOG[0][1]) + 15, 1, 1)


def test_against_one_that_is_not_there(log):
    with Scripted(DIALOG) as server:
        assert expect(2, "--against", f"127.0.0.1:{free_port()}", at(server), log)


def test_response_times_of_either_server(log):
    """0.4 s against next to nothing, whichever of the two is the slow one; the recorded ones take 10 ms."""
    with Scripted(DIALOG, slow(0.4)) as late, Scripted(DIALOG) as prompt:
        summary = equal("-o", "json", "--against", at(late), at(prompt), log).json["summary"]
        times = summary["response_times"]
        assert times["recorded"]["count"] == times["live"]["count"] == len(DIALOG)
        assert times["recorded"]["p50"] < 0.4 <= times["live"]["p50"]
        times = equal("-o", "json", "--against", at(prompt), at(late), log).json["summary"]["response_times"]
        assert times["live"]["p50"] < 0.4 <= times["recorded"]["p50"]
        different("--fail-if", "p50>390ms", "--against", at(late), at(prompt), log)
        equal("--fail-if", "p50>390ms", "--against", at(prompt), at(late), log)
        different("--fail-if", "p50>1.5x", "--against", at(late), at(prompt), log)


# -- --record and --update --


@pytest.mark.core
def test_record_is_a_recording_of_the_replay(folder, log):
    again = folder / "again"
    with Scripted(DIALOG, louder) as server:
        different("-n", "2", "-r", again, at(server), log)
    assert netlog("check", again).returncode == 0
    for n in (1, 2):
        made, was = logs.load(again, n), logs.load(log, 1)
        assert made.shape() == was.shape()
        assert made.bytes("c") == was.bytes("c")
        assert made.bytes("s") == was.bytes("s").upper()
    assert {event["server"] for event in logs.closed(again).values()} == {at(server)}
    assert again.with_name("again_1").stat().st_mode & 0o777 == 0o600
    with Scripted(DIALOG, louder) as server:
        equal(at(server), again)


def test_record_does_not_overwrite(folder, log):
    with Scripted(DIALOG) as server:
        for count in (1, 2, 3):
            equal("-r", folder / "again", at(server), log)
            assert sorted(logs.parts(folder / "again")) == list(range(1, count + 1))


def test_record_where_it_cannot_be_written(folder, log):
    with Scripted(DIALOG) as server:
        assert str(folder / "none") in refused("-r", folder / "none/again", at(server), log)


def test_bytes_that_could_not_be_recorded(folder, log):
    with Scripted([(b"ONE\n", pattern(1, 0, 50_000))]) as server:
        write_logs(folder / "long", recording(server.dialog))
        for option in ("--record", "--update"):
            new = folder / option
            done = expect(1, option, new, at(server), folder / "long", preexec_fn=small_files)
            assert "what follows is lost" in done.err and "1 equal" in done.out
            assert pattern(1, 0, 50_000).startswith(logs.load(new, 1).bytes("s"))


def test_update_makes_the_live_answers_the_baseline(folder, log):
    new = folder / "new"
    with Scripted(DIALOG, louder) as server:
        different(at(server), log)
        equal("--update", new, at(server), log)
        equal(at(server), new)
    with Scripted(DIALOG) as server:
        different(at(server), new)
        equal(at(server), log)
    made, was = logs.load(new, 1), logs.load(log, 1)
    assert (made.bytes("c"), made.bytes("s")) == (was.bytes("c"), was.bytes("s").upper())
    assert made.shape() == was.shape()
    assert netlog("check", new).returncode == 0


@pytest.mark.core
def test_update_of_a_recording_of_several_connections(folder, logroot):
    """Names and order are kept, so that the new one can take the old one's place."""
    turns = [[("c", b"connection %d\n" % n), ("s", b"x\n")] for n in range(12)]
    root = write_logs(logroot, *(dialog(*turn, start=0.05 * (n // 3)) for n, turn in enumerate(turns)))
    with Server(echo) as server:
        equal("--update", folder / "new", at(server), root)
        equal(at(server), folder / "new")
    made, was = logs.load_all(folder / "new"), logs.load_all(root)
    assert sorted(made) == sorted(was)
    assert all(made[n].bytes("c") == was[n].bytes("c") for n in was)


def test_update_when_the_server_fails_is_no_success(folder, log):
    with Scripted(DIALOG, lambda *_: "close") as server:
        assert replay("--update", folder / "new", at(server), log).status in (1, 2)
    expect(2, "--update", folder / "newer", f"127.0.0.1:{free_port()}", log)


@pytest.mark.parametrize("spelling", ["log", "../{0}/log"])
def test_update_of_the_recording_itself_is_refused(log, spelling):
    folder = log.parent
    with Scripted(DIALOG) as server:
        line = refused("--update", folder / spelling.format(folder.name), at(server), log)
        assert "is the recording that is played" in line and server.requests == []
    assert sorted(each.name for each in folder.iterdir()) == ["log_1"]


# -- --server and --fresh --


def redis_command(folder, port):
    folder.mkdir(exist_ok=True)
    return f"redis-server --port {port} --bind 127.0.0.1 --dir {shlex.quote(str(folder))} --save '' --appendonly no"


@pytest.fixture
def counted(folder, netrecord, logroot):
    """Three connections, each of which a fresh redis answers with 1."""
    with Redis(folder / "redis") as redis:
        nr = netrecord(redis.address)
        for _ in range(3):
            redis.cli(nr.port, "incr", "n")
            redis.cli(redis.port, "del", "n")
            time.sleep(0.2)  # connections follow one another by their times only, and this machine may be busy
        nr.stop()
    return logroot


def test_server_is_started_and_ended(folder, counted):
    port = free_port()
    done = different("-o", "json", "--server", redis_command(folder / "one", port), "127.0.0.1", port, counted)
    assert list(done.results.values()) == ["equal", "different", "different"]
    assert not accepts(port)


def test_fresh_server_for_each_log(folder, counted):
    port = free_port()
    done = equal("-o", "json", "--fresh", "--server", redis_command(folder / "one", port), "127.0.0.1", port, counted)
    assert list(done.results.values()) == ["equal"] * 3
    assert not accepts(port)


@pytest.mark.parametrize("command", ["/no/such/program", "true", "sh -c 'exit 3'", pytest.param("sleep 1000", marks=pytest.mark.slow)])
def test_server_that_does_not_come_up(log, command):
    done = expect(2, "--timeout", "1s", "--server", command, "127.0.0.1", free_port(), log)
    assert done.err or done.out


ONCE = """
import os, socket, sys
os.open("started", os.O_CREAT | os.O_EXCL)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock = listener.accept()[0]
    for _ in sock.makefile("rb"):
        sock.sendall(b"pong\\n")
    sock.close()
"""


@pytest.mark.parametrize("loop, failed", [("1", 2), ("2", 5)])
def test_fresh_server_that_comes_up_once_only(folder, logroot, loop, failed):
    (folder / "once.py").write_text(ONCE)
    root = write_logs(logroot, *(dialog(("c", b"ping\n"), ("s", b"pong\n"), start=0.1 * n) for n in range(3)))
    words = ["--fresh", "--server", "/usr/bin/python3 once.py %d", "-n", loop, "-o", "json", "-r", folder / "again"]
    port = free_port()
    words[2] %= port
    done = different(*words, "127.0.0.1", port, root, cwd=folder)
    assert done.json["summary"]["connections"] == {"equal": 1, "different": 0, "failed": failed, "skipped": 0}
    told = [(each["name"], each["reason"]) for each in done.json["connections"] if each["result"] == "failed"]
    assert told[:2] == [("log_2", "the server did not start"), ("log_3", "the server did not start")]
    assert [event["event"] for event in logs.index(folder / "again")] == ["open", "close"]


def test_fresh_server_that_never_comes_up(log):
    done = expect(2, "--fresh", "--server", "false", "-o", "json", "127.0.0.1", free_port(), log)
    assert done.results == {"log_1": "failed"} and "nothing was replayed" in done.err


def test_server_command_is_not_a_shell(folder, log):
    """What would be two commands there is one, with the words of both; quotes are understood."""
    place = folder / "place"
    place.mkdir()
    done = expect(2, "--server", "touch a; touch $HOME 'b c' >d", "127.0.0.1", free_port(), log, cwd=place)
    assert sorted(path.name for path in place.iterdir()) == ["$HOME", ">d", "a;", "b c", "touch"], done


def test_server_when_one_listens_there_already(folder, log):
    with Scripted(DIALOG) as server:
        port = server.address[1]
        done = expect(2, "--server", redis_command(folder / "one", port), "127.0.0.1", port, log)
        assert str(port) in done.err
        assert server.requests == []


def test_server_that_dies_while_it_is_needed(folder, logroot):
    """It is told that it ended by itself, and the connections that could not be played are."""
    program = folder / "dies.py"
    program.write_text(
        "import socket, sys\n"
        "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "while True:\n"
        "    sock = listener.accept()[0]\n"
        "    if sock.recv(100):\n"
        "        sys.exit(3)\n"
    )
    port = free_port()
    root = write_logs(logroot, recording(DIALOG), recording(DIALOG, start=0.5))
    done = replay("--server", f"/usr/bin/python3 {program} {port}", "127.0.0.1", port, root)
    assert done.status in (1, 2) and "3" in done.err, done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_server_is_ended_when_the_replay_is_interrupted(folder, logroot, number):
    port = free_port()
    root = write_logs(logroot, recording(DIALOG, start=0.0), recording(DIALOG, start=1000.0))
    process = Process([NETREPLAY, "--server", redis_command(folder / "one", port), "127.0.0.1", str(port), root])
    try:
        wait_until(lambda: accepts(port), "the server listens")
        process.signal(number)
        assert process.wait() > 0  # not by the signal
        wait_until(lambda: not accepts(port), "the server is gone")
    finally:
        process.kill()


STUBBORN = """
import signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("not yet", file=sys.stderr, flush=True))
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    time.sleep(1)
"""


def test_server_that_does_not_end_is_killed_by_a_second_signal(folder, logroot):
    program = folder / "stubborn.py"
    program.write_text(STUBBORN)
    port = free_port()
    root = write_logs(logroot, recording(DIALOG))
    command = f"/usr/bin/python3 {program} {port}"
    process = Process([NETREPLAY, "--timeout", "1h", "--server", command, "127.0.0.1", str(port), root])
    try:
        wait_until(lambda: accepts(port), "the server listens")
        process.signal(signal.SIGINT)
        process.wait_said("not yet")
        process.signal(signal.SIGINT)
        assert process.wait() == 2
        assert process.said("server has not ended on TERM yet: killed") and not accepts(port)
    finally:
        process.kill()


def test_two_signals_at_once_leave_no_server_behind(folder, logroot):
    port = free_port()
    root = write_logs(logroot, recording(DIALOG, start=0.0), recording(DIALOG, start=1000.0))
    process = Process([NETREPLAY, "--server", redis_command(folder / "one", port), "127.0.0.1", str(port), root])
    try:
        wait_until(lambda: accepts(port), "the server listens")
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            process.signal(number)
        assert process.wait() in (1, 2)
        wait_until(lambda: not accepts(port), "the server is gone")
    finally:
        process.kill()


def test_hangup_that_is_ignored_stays_so(logroot):
    root = write_logs(logroot, recording(DIALOG, start=0.0), recording(DIALOG, start=1.0))
    with Scripted(DIALOG) as server:
        process = Process(["nohup", NETREPLAY, at(server), root])
        wait_until(lambda: server.requests, "it plays")
        process.signal(signal.SIGHUP)
        assert process.wait() == 0


# -- recordings of several runs --


def test_runs_are_told_apart(folder, netrecord, logroot):
    for word in (b"first\n", b"other\n"):
        with Server(echo) as server:
            nr = netrecord(server.address)
            for _ in range(2):
                with connect(nr.address) as sock:
                    sock.sendall(word)
                    assert recv_exactly(sock, len(word)) == word
            nr.stop()
    runs = list(dict.fromkeys(event["run"] for event in logs.index(logroot)))
    assert len(runs) == 2
    with Server(echo) as server:
        assert len(equal("-o", "json", "--max-gap", "1s", at(server), logroot).results) == 4
        # in order of their ending, which may be as short as that between them
        assert set(equal("-o", "json", "--recording", runs[0], at(server), logroot).results) == {"log_1", "log_2"}
        assert set(equal("-o", "json", "--recording", runs[1], at(server), logroot).results) == {"log_3", "log_4"}
        done = expect(2, "--recording", "nonsense", at(server), logroot)
        assert "nonsense" in done.err + done.out


# -- together --


def test_all_of_it_together(folder, netrecord, logroot):
    with Tokens() as server:
        nr = netrecord(server.address, "-z")
        with Visitor(nr.address) as visitor:
            visitor.page(visitor.login(b"anna"))
        nr.stop()
    assert os.listdir(folder) and logs.parts(logroot)[1][0][1].suffix == ".gz"
    with Tokens() as one, Tokens() as other:
        words = [*CARRY, "-n", "2", "-c", "3", "-t", "fast", "--fail-if", "p99>1m", "-r", folder / "again"]
        done = equal("-o", "json", *words, at(one), logroot)
        assert done.json["summary"]["connections"]["equal"] == 6
        assert len(logs.parts(folder / "again")) == 6
        assert len(one.tokens) == 6 and other.tokens == {}
