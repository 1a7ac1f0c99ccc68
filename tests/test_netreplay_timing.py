"""What is played when: order and overlap as recorded, speed, silences, repetition, copies, shards."""
import threading

import pytest

from harness import logs
from harness.netlog import con, data, end, entry
from harness.peers import Server, echo, recv_until_end
from harness.replay import at, different, equal, expect, refused
from harness.scripted import Scripted, recording, slow
from harness.serve import dialog, write_logs


@pytest.fixture(autouse=True)
def both_backends(backend, monkeypatch):
    monkeypatch.setenv("NETRECORD_BACKEND", backend)


DIALOG = [(b"ONE\n", b"first answer\n"), (b"TWO\n", b"second answer\n")]


def ping(n, begin, span, turns=2):
    """An echoed connection of so many turns, spread evenly over a span of seconds."""
    step = span / (2 * turns + 2)
    lines = [(side, b"connection %d, turn %d\n" % (n, t)) for t in range(turns) for side in "cs"]
    return dialog(*lines, start=begin, pause=step)


def events(root):
    """What the clients did, in order of time: (connection by its first line, what)."""
    found = []
    for log in logs.load_all(root).values():
        name = log.bytes("c").split(b",")[0]
        found += [(r.time, name, r.kind, r.data) for r in log.records if r.side == "c"]
    return [event[1:] for event in sorted(found, key=lambda event: event[0])]


# 5 connections of which each overlaps with others, an event each 50 ms or so
OVERLAPPING = [(0.0, 2.5), (0.45, 0.5), (0.72, 1.8), (1.3, 0.4), (2.61, 0.3)]


@pytest.mark.core
@pytest.mark.parametrize(
    "options", [["-S", "1.5"], *(pytest.param(o, marks=pytest.mark.slow) for o in ([], ["-S", "0.8"]))]
)
def test_order_of_overlapping_connections(folder, logroot, options):
    root = write_logs(logroot, *(ping(n, begin, span) for n, (begin, span) in enumerate(OVERLAPPING)))
    with Server(echo) as server:
        equal(*options, "-r", folder / "again", at(server), root)
    assert events(folder / "again") == events(root)


def overlap(sequence):
    """A server for which connections must overlap in just the way that `sequence` says: sets of numbers that are open
    together. Each first request is answered when all of its set are there, and none of another set is."""
    lock = threading.Condition()
    there, gone, wrong = set(), set(), []

    def session(sock, _number):
        line = sock.recv(1000)
        number = int(line)
        (mine,) = [together for together in sequence if number in together]
        with lock:
            there.add(number)
            lock.notify_all()
            if not lock.wait_for(lambda: mine <= there, 20):
                wrong.append(f"{number} is alone: {there}")
            if there - gone - mine:
                wrong.append(f"{number} of {mine} is open together with {there - gone}")
        sock.sendall(line)
        recv_until_end(sock)
        with lock:
            gone.add(number)
        return number

    server = Server(session)
    server.wrong = wrong
    return server


@pytest.mark.parametrize("options", [["-t", "fast"], [], pytest.param(["-S", "0.7"], marks=pytest.mark.slow)])
def test_connections_overlap_if_and_only_if_they_did(logroot, options):
    def one(number, begin, until):
        text = b"%d\n" % number
        where = (begin + 0.01, begin + 0.02)
        return [con(begin), data("c", where[0], text), data("s", where[1], text), end("c", until), end("s", until + 0.001)]

    # the answer to the first comes while the second and the third are there; they do not wait for each other in the log
    times = [(0.0, 0.5), (0.005, 0.4), (0.008, 0.45), (0.8, 0.9), (1.2, 1.4), (1.205, 1.35)]
    root = write_logs(logroot, *(one(n, *time) for n, time in enumerate(times)))
    with overlap([{0, 1, 2}, {3}, {4, 5}]) as server:
        equal(*options, at(server), root)
        assert sorted(server.wait_results(6)) == list(range(6))
        assert server.wrong == []


# -- silences --

HOUR = 3600.0


def silent():
    """An hour between two turns, before the first, before the end, and between two connections."""
    first = [con(0), data("c", 0.01, b"one\n"), data("s", 0.02, b"one\n")]
    first += [data("c", HOUR, b"two\n"), data("s", HOUR + 0.01, b"two\n"), end("c", 2 * HOUR), end("s", 2 * HOUR + 0.01)]
    second = [con(3 * HOUR), data("c", 4 * HOUR, b"three\n"), data("s", 4 * HOUR + 0.01, b"three\n")]
    return [first, [*second, end("c", 4 * HOUR + 0.02), end("s", 4 * HOUR + 0.03)]]


@pytest.mark.parametrize("options", [["--max-gap", "100ms"], ["--max-gap=0.05"], ["-t", "fast"], ["-S", "100000"]])
def test_silences_of_hours_are_cut(logroot, options):
    root = write_logs(logroot, *silent())
    with Server(echo) as server:
        done = equal("-o", "json", *options, at(server), root, patience=30)
    assert done.results == {"log_1": "equal", "log_2": "equal"}


def test_slow_answer_in_the_recording_is_not_a_silence_to_wait_for(logroot):
    """The recorded server took an hour, this one does not."""
    root = write_logs(logroot, dialog(("c", b"one\n"), ("s", b"one\n"), ("c", b"two\n"), ("s", b"two\n"), pause=HOUR))
    with Server(echo) as server:
        equal("--max-gap", "20ms", at(server), root, patience=30)
        equal("-t", "fast", at(server), root, patience=30)


def test_max_gap_is_the_only_silence_that_is_cut(folder, logroot):
    """Shorter ones stay: what came in another order is told by the order alone."""
    root = write_logs(logroot, ping(0, 0, 1.2, turns=1), ping(1, 0.15, 0.3, turns=1), ping(2, HOUR, 0.3, turns=1))
    with Server(echo) as server:
        equal("--max-gap", "600ms", "-r", folder / "again", at(server), root, patience=30)
    assert events(folder / "again") == events(root)


@pytest.mark.core
@pytest.mark.parametrize(
    "times",
    [
        [b"0.000000", b"9000.000000", b"0.100000", b"0.050000", b"0.040000", b"0.030000", b"0.020000"],
        [b"0.000000", b"-1.1000000", b"-1.1000000", b"0.000002", b"-1.1000000", b"0.000003", b"0.000004"],
        [b"4.000000", b"3.1000000", b"4.000001", b"4.000001", b"3.1000000", b"4.1000000", b"5.000001"],
    ],
)
def test_times_that_run_backwards(logroot, times):
    """As a clock that was set, or the old program's bug, left them: nothing stretches the replay."""
    texts = [b"con\n", b"4\none\n", b"4\none\n", b"4\ntwo\n", b"4\ntwo\n", b"hup\n", b"hup\n"]
    records = [b"%s %s %s" % (side, time, text) for side, time, text in zip(b"c c s c s c s".split(), times, texts)]
    root = write_logs(logroot, records)
    with Server(echo) as server:
        equal("--max-gap", "200ms", at(server), root, patience=30)


@pytest.mark.core
@pytest.mark.parametrize("options", [[], ["--max-gap", "300ms"], ["-t", "fast"]])
@pytest.mark.parametrize("known", [[2], [1], [1, 3], [2, 4]])
def test_logs_of_unknown_wall_clock_follow_their_neighbours(folder, logroot, known, options):
    root = write_logs(logroot, *(ping(n, 0.1 * n, 0.2, turns=1) for n in range(4)))
    lines = [entry(n, f"2024-05-01T12:00:0{n}.000000Z", 0.1 * (n - 1), duration=0.2) for n in known]
    (folder / "log_index.jsonl").write_text("".join(lines))
    with Server(echo) as server:
        equal(*options, "-r", folder / "again", at(server), root, patience=30)
        assert server.accepted == 4


def test_logs_of_unknown_wall_clock_come_in_the_order_of_their_numbers(folder, logroot):
    root = write_logs(logroot, *(ping(n, 0, 0.2, turns=1) for n in (0, 1, 2)))
    lines = [entry(n, f"2024-05-01T12:00:0{n}.000000Z", 0, duration=0.2) for n in (1, 3)]
    (folder / "log_index.jsonl").write_text("".join(lines))
    with Server(echo) as server:
        equal("-r", folder / "again", at(server), root, patience=30)
    begun = [log.bytes("c").split(b",")[0] for _, log in sorted(logs.load_all(folder / "again").items())]
    assert begun == [b"connection 0", b"connection 1", b"connection 2"]


# -- again, and many at once --


@pytest.mark.core
def test_loop(logroot):
    root = write_logs(logroot, ping(0, 0, 0.05), ping(1, 0.02, 0.05))
    with Server(echo) as server:
        done = equal("-n", "5", "-o", "json", at(server), root)
        assert len(server.wait_results(10)) == 10 == server.accepted
    assert done.json["summary"]["connections"]["equal"] == 10


def test_loops_follow_one_another(logroot):
    """A run begins when the one before is over; within it all is as recorded."""
    open_now, lock, wrong = set(), threading.Lock(), []

    def session(sock, number):
        with lock:
            open_now.add(number)
            if len({(n - 1) // 3 for n in open_now}) > 1:
                wrong.append(set(open_now))
        while line := sock.recv(1000):
            sock.sendall(line)
        with lock:
            open_now.discard(number)

    root = write_logs(logroot, *(ping(n, 0.01 * n, 0.3) for n in range(3)))
    with Server(session) as server:
        equal("-n", "4", "-S", "5", at(server), root)
        assert len(server.wait_results(12)) == 12
    assert wrong == []


def test_difference_in_the_last_run_counts(logroot):
    root = write_logs(logroot, recording(DIALOG))
    with Scripted(DIALOG, lambda sock, _nth, answer: sock.sendall(answer.upper()), on=7) as server:
        done = different("-t", "fast", "-n", "7", "-o", "json", at(server), root)
    assert done.json["summary"]["connections"]["different"] == 1
    assert done.json["summary"]["connections"]["equal"] == 6


@pytest.mark.core
@pytest.mark.parametrize("timing", ["recorded", "fast"])
def test_clients_are_there_at_the_same_time(logroot, timing):
    """The server answers none of them before all are there."""
    gate = threading.Barrier(24, timeout=30)

    def session(sock, _number):
        line = sock.recv(1000)
        gate.wait()
        sock.sendall(line)
        return recv_until_end(sock)

    texts = [b"a\n", b"b\n"]
    times = [(0.01, 0.02, 0.5, 0.501), (0.012, 0.022, 0.51, 0.511)]
    root = write_logs(
        logroot,
        *(
            [con(0), data("c", t[0], text), data("s", t[1], text), end("c", t[2]), end("s", t[3])]
            for text, t in zip(texts, times)
        ),
    )
    with Server(session) as server:
        done = equal("-t", timing, "-c", "12", "-o", "json", at(server), root)
        assert len(server.wait_results(24)) == 24
    assert done.json["summary"]["connections"]["equal"] == 24


@pytest.mark.core
def test_shards_are_a_partition(logroot):
    root = write_logs(logroot, *(ping(n, 0.005 * n, 0.02) for n in range(10)))
    with Server(echo) as server:
        shards = [list(equal("--shard", f"{i}/3", "-o", "json", at(server), root).results) for i in (1, 2, 3)]
    assert [len(shard) for shard in shards] == [4, 3, 3]
    assert sorted(sum(shards, [])) == sorted(f"log_{n}" for n in range(1, 11))
    with Server(echo) as server:
        expect(2, "--shard", "11/11", at(server), root)  # it has nothing to play


@pytest.mark.parametrize("timing", ["recorded", "fast"])
def test_requests_without_a_pause_wait_for_their_causes(logroot, timing):
    root = write_logs(logroot, recording(DIALOG * 20, pause=0.0))
    with Scripted(DIALOG * 20, slow(0.01, last=39)) as server:
        equal("-t", timing, at(server), root)
        assert server.wait_results(1) == ["done"]


LONG = {"-S": "--speed", "-n": "--loop", "-c": "--clients", "-t": "--timing"}  # as messages name them


@pytest.mark.parametrize(
    "words",
    [
        ["-S", "0"],
        ["-S", "-1"],
        ["-S", "fast"],
        ["--max-gap", "long"],
        ["--max-gap", "-1s"],
        ["-n", "-1"],
        ["-n", "many"],
        ["-n", "0"],
        ["-c", "0"],
        ["--shard", "0/3"],
        ["--shard", "4/3"],
        ["--shard", "1"],
        ["--shard", "1/0"],
        ["-t", "slow"],
        ["--timeout", "0"],
        ["--settle", "x"],
    ],
)
def test_values_that_make_no_sense(logroot, words):
    root = write_logs(logroot, ping(0, 0, 0.1))
    line = refused(*words, "127.0.0.1", "1", root)
    assert words[1] in line and LONG.get(words[0], words[0]) in line, line


# -- response times --


def test_response_times_of_both(logroot):
    root = write_logs(logroot, recording(DIALOG * 10, pause=0.010))
    with Scripted(DIALOG * 10, slow(0.03, last=19)) as server:
        times = equal("-o", "json", at(server), root).json["summary"]["response_times"]
    assert times["recorded"]["count"] == times["live"]["count"] == 20
    assert 0.0095 < times["recorded"]["p50"] < 0.0105
    assert times["live"]["p50"] > 0.029  # the server slept so long, at least


@pytest.mark.parametrize(
    "expression, status",
    [
        ("p99>20ms", 1),
        ("p99>1h", 0),
        ("p50>1.5x", 1),
        ("p50>10000x", 0),
        ("max>=30ms", 1),
        ("mean>2x", 1),
        ("mean>1m", 0),
    ],
)
def test_fail_if(logroot, expression, status):
    root = write_logs(logroot, recording(DIALOG, pause=0.001))
    with Scripted(DIALOG, slow(0.03, last=1)) as server:
        done = expect(status, "--fail-if", expression, at(server), root)
    assert (expression in done.out + done.err) == bool(status), done


@pytest.mark.parametrize("expression", ["", "p99", "p99>", "p101>1s", ">20ms", "p99>20ms or so", "p99<20ms", "p50>0x"])
def test_fail_if_that_makes_no_sense(logroot, expression):
    root = write_logs(logroot, ping(0, 0, 0.1))
    assert "fail-if" in refused("--fail-if", expression, "127.0.0.1:1", root)
