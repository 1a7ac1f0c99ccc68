"""Servers that answer late, in pieces, something else, or not at all: a clear line, the right status, never a hang."""
import random
import socket
import threading
import time

import pytest

from harness.netlog import con, data, end
from harness.peers import Server, recv_exactly, reset
from harness.replay import at, different, equal, expect
from harness.scripted import Scripted, changed, dribbling, failing, recording, slow, whole
from harness.serve import write_logs
from harness.services import free_port


@pytest.fixture(autouse=True)
def both_backends(backend, monkeypatch):
    monkeypatch.setenv("NETRECORD_BACKEND", backend)


DIALOG = [
    (b"ONE\n", b"this is the first answer\n"),
    (b"TWO\n", b"that was the second answer of them\n"),
    (b"THREE\n", b"and the third one is the last\n"),
]
SHORT = ["--timeout", "700ms"]  # for servers that fall silent: no test waits the default 5 s for nothing

both_timings = pytest.mark.parametrize("timing", ["recorded", "fast"])


@pytest.fixture
def log(logroot):
    return write_logs(logroot, recording(DIALOG))


def positions(done):
    return [(each.offset, each.size, each.live_size) for each in done.differences]


# -- late, and in pieces --


@pytest.mark.core
@both_timings
@pytest.mark.parametrize("pause", [0.2, pytest.param(0.6, marks=pytest.mark.slow)])
def test_slow_server_gets_no_byte_before_its_cause(log, timing, pause):
    with Scripted(DIALOG, slow(pause, last=2)) as server:
        equal("-t", timing, at(server), log)
        assert server.wait_results(1) == ["done"]


@both_timings
def test_answers_in_pieces_get_no_byte_before_their_cause(log, timing):
    with Scripted(DIALOG, slow(0.05, pieces=4, last=2)) as server:
        equal("-t", timing, "--settle", "5s", at(server), log)
        assert server.wait_results(1) == ["done"]


@pytest.mark.slow
def test_slow_server_with_pauses_within_answers(log):
    """A pause of more than --settle before the first byte and between later ones that were as long before."""
    with Scripted(DIALOG, slow(0.3, pieces=2, last=2)) as server:
        equal("--settle", "1s", at(server), log)
        assert server.wait_results(1) == ["done"]


@pytest.mark.core
@both_timings
def test_dribbling_server(log, timing):
    with Scripted(DIALOG, dribbling) as server:
        equal("-t", timing, at(server), log)
        assert server.wait_results(1) == ["done"]


def test_answers_before_their_requests(log):
    """A server that says everything at once, before it has read anything."""

    def eager(sock, _number):
        sock.sendall(b"".join(answer for _, answer in DIALOG))
        assert recv_exactly(sock, 14) == b"ONE\nTWO\nTHREE\n"
        return sock.recv(1)

    with Server(eager) as server:
        equal(at(server), log)
        assert server.wait_results(1) == [b""]


def test_recorded_in_pieces_answered_whole(logroot):
    pieces = [data("s", 0.02 + n / 1000, b"%c" % byte) for n, byte in enumerate(DIALOG[0][1])]
    records = [con(), data("c", 0.01, DIALOG[0][0]), *pieces, data("c", 0.2, DIALOG[1][0]), data("s", 0.21, DIALOG[1][1])]
    root = write_logs(logroot, [*records, end("c", 0.3), end("s", 0.31)])
    with Scripted(DIALOG[:2]) as server:
        equal(at(server), root)


# -- shorter, longer, other --


@both_timings
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_shorter_answer(log, timing, nth):
    with Scripted(DIALOG, changed(lambda answer: answer[:9] + answer[14:], only=nth)) as server:
        done = different("-t", timing, "-o", "json", at(server), log)
        assert server.wait_results(1) == ["done"], "the requests behind it were sent nevertheless"
    ((offset, size, live_size),) = positions(done)
    begin = sum(len(answer) for _, answer in DIALOG[:nth])
    assert size - live_size == 5 and begin + 5 <= offset <= begin + 9


@both_timings
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_answer_that_lacks_its_end(log, timing, nth):
    with Scripted(DIALOG, changed(lambda answer: answer[:-6], only=nth)) as server:
        done = different("-t", timing, "-o", "json", at(server), log)
        assert server.wait_results(1) == ["done"]
    ((offset, size, live_size),) = positions(done)
    assert (size, live_size) == (6, 0) and offset == sum(len(answer) for _, answer in DIALOG[: nth + 1]) - 6


@both_timings
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_longer_answer(log, timing, nth):
    with Scripted(DIALOG, changed(lambda answer: answer[:9] + b"@@@@@" + answer[9:], only=nth)) as server:
        done = different("-t", timing, "-o", "json", at(server), log)
        assert server.wait_results(1) == ["done"]
    assert positions(done) == [(sum(len(answer) for _, answer in DIALOG[:nth]) + 9, 0, 5)]


@pytest.mark.core
def test_empty_answers(log):
    """Every answer is missing although the server is there and reads all."""
    with Scripted(DIALOG, lambda *_: None) as server:
        done = expect(2, *SHORT, at(server), log)
        server.close()
    assert "no answer" in done.out, done


@pytest.mark.core
def test_flood(log):
    """An answer that never ends: the replay does."""

    def flood(sock, _number):
        try:
            while True:
                sock.sendall(b"and more of it\n" * 4000)
        except OSError:
            return "left"

    with Server(flood) as server:
        done = different("-o", "json", *SHORT, at(server), log)
        assert server.wait_results(1) == ["left"]
    assert positions(done)


@pytest.mark.parametrize("timing", ["fast", pytest.param("recorded", marks=pytest.mark.slow)])
@pytest.mark.parametrize("change", ["insert", "remove", "replace"])
def test_five_bytes_in_one_of_a_thousand_answers_are_one_difference(logroot, timing, change):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    words = [b"alpha", b"beta", b"gamma", b"delta"]
    dialog = [
        (b"get %d\n" % n, b"%d: %s\n" % (n, b" ".join(chance.choice(words) for _ in range(chance.randrange(3, 30)))))
        for n in range(1000)
    ]
    nth = chance.randrange(1000)
    place = chance.randrange(len(dialog[nth][1]))
    if change == "remove":
        place = min(place, len(dialog[nth][1]) - 5)
    cut = {"insert": 0, "remove": 5, "replace": 5}[change]

    def edit(answer):
        return answer[:place] + (b"" if change == "remove" else b"@#@#@") + answer[place + cut :]

    edited = edit(dialog[nth][1])
    root = write_logs(logroot, recording(dialog, pause=0.0005))
    with Scripted(dialog, changed(edit, only=nth)) as server:
        done = different("-t", timing, "-o", "json", at(server), root)
        assert server.wait_results(1) == ["done"]
        assert server.requests == [(1, n) for n in range(1000)]
    print("seed", seed, "answer", nth, "place", place)
    (found,) = done.differences
    offset, size, live_size = found.offset, found.size, found.live_size
    begin = sum(len(answer) for _, answer in dialog[:nth])
    # where words repeat, the same is true of several places: what is told must make one of the other
    was, now = b"".join(answer for _, answer in dialog), b"".join(
        answer if n != nth else edited for n, (_, answer) in enumerate(dialog)
    )
    assert was[:offset] + now[found.live_offset :][:live_size] + was[offset + size :] == now
    assert max(size, live_size) <= (5 if change != "replace" else 10)
    if change == "insert":
        assert offset == begin + place and (size, live_size) == (0, 5)


# -- silent, gone, away --


@both_timings
@pytest.mark.parametrize("nth, part", [(0, 0), (1, 5), *(pytest.param(*p, marks=pytest.mark.slow) for p in [(0, 5), (1, 0), (2, 0)])])
def test_never_answering(log, timing, nth, part):
    with Scripted(DIALOG, failing(nth, part, "never")) as server:
        done = expect(1 if nth or part else 2, "-t", timing, *SHORT, at(server), log)
        assert server.wait_results(1) == ["left"]
    assert "log_1" in done.out, done
    if part == 0:
        offset = sum(len(answer) for _, answer in DIALOG[:nth])
        assert "no answer for" in done.out and f"byte {offset}" in done.out, done


@pytest.mark.parametrize("end, word", [("close", "ended"), ("reset", "reset")])
@both_timings
@pytest.mark.parametrize("nth, part", [(0, 0), (0, 5), (1, 0), (1, 100), (2, 0), (2, 5)])
def test_closing_early(log, timing, nth, part, end, word):
    with Scripted(DIALOG, failing(nth, part, end)) as server:
        done = different("-t", timing, at(server), log)
        assert server.wait_results(1) == [end]
    assert "log_1" in done.out and word in done.out, done


@pytest.mark.core
@pytest.mark.parametrize("action", ["close", "reset"])
def test_closing_at_once(log, action):
    with Server(lambda sock, _: reset(sock) if action == "reset" else None) as server:
        done = expect(1, at(server), log)
    assert "log_1" in done.out and ("reset" if action == "reset" else "ended") in done.out, done


def test_refusing(log):
    port = free_port()
    done = expect(2, "127.0.0.1", port, log)
    assert f"127.0.0.1:{port}" in done.out + done.err and "refused" in done.out + done.err


@pytest.mark.core
def test_refusing_some(logroot):
    """The server stops listening after the first connection: that one was played, the other was not."""
    root = write_logs(logroot, recording(DIALOG), recording(DIALOG, start=0.5))
    server = Scripted(DIALOG)

    def stop():
        server.wait_results(1)
        server.close()

    stopper = threading.Thread(target=stop)
    stopper.start()
    done = expect(1, "-o", "json", at(server), root)
    stopper.join()
    assert done.results == {"log_1": "equal", "log_2": "failed"}
    assert "refused" in done.connections["log_2"]["reason"]


@pytest.mark.parametrize("hold", [0.3, 30])
def test_server_that_stays_open(log, hold):
    """In the recording it ended its stream when the client had: late is well, never is not."""
    ended = threading.Event()

    def session(sock, _number):
        for request, answer in DIALOG:
            assert recv_exactly(sock, len(request)) == request
            sock.sendall(answer)
        assert sock.recv(1) == b""
        ended.wait(hold)

    server = Server(session)
    done = expect(0 if hold < 1 else 1, *SHORT, at(server), log)
    ended.set()
    server.close()
    if hold > 1:
        assert "still open" in done.out, done


def test_recording_that_was_left_open(logroot):
    """It was cut before the server's end: a server that ends or stays is equal."""
    root = write_logs(logroot, recording(DIALOG, server_end=None))
    with Scripted(DIALOG) as server:
        equal(at(server), root)
    root = write_logs(logroot, recording(DIALOG, client_end=None, server_end=None))
    with Scripted(DIALOG) as server:
        equal(at(server), root)


def test_server_that_ends_where_it_was_reset(logroot):
    root = write_logs(logroot, recording(DIALOG, client_end=None, server_end="err"))
    with Scripted(DIALOG, failing(2, 1000, "close")) as server:
        done = different(at(server), root)
        assert "reset" in done.out, done
    with Scripted(DIALOG, failing(2, 1000, "reset")) as server:
        equal(at(server), root)


@pytest.mark.core
def test_client_that_reset(logroot):
    root = write_logs(logroot, recording(DIALOG[:1], client_end="err", server_end=None))
    with Scripted([*DIALOG[:1], (b"never comes", b"")], whole) as server:
        equal(at(server), root)
        assert server.wait_results(1) == ["left"]


@pytest.mark.core
def test_server_that_does_not_read(logroot):
    """What cannot be sent is given up as what is not answered is."""
    root = write_logs(logroot, recording([(b"x" * (16 << 20), b"thanks\n")]))
    done_with = threading.Event()
    with Server(lambda sock, _: done_with.wait(60)) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        begin = time.monotonic()
        done = expect(2, *SHORT, at(server), root)
        done_with.set()
        assert time.monotonic() - begin < 30
    assert "log_1" in done.out, done


def test_server_that_reads_slowly_is_waited_for(logroot):
    """Longer than --timeout in all, but never that long without progress."""
    request = random.randbytes(6 << 20)
    root = write_logs(logroot, recording([(request, b"thanks\n")]))

    def sip(sock, _number):
        got = bytearray()
        while len(got) < len(request):
            time.sleep(0.15)
            got += recv_exactly(sock, min(1 << 20, len(request) - len(got)))
        assert got == request
        sock.sendall(b"thanks\n")
        return sock.recv(1)

    with Server(sip) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        equal(*SHORT, at(server), root)
        assert server.wait_results(1) == [b""]


@pytest.mark.core
def test_one_hanging_connection_does_not_stop_the_others(logroot):
    root = write_logs(logroot, *(recording(DIALOG, start=0.001 * n) for n in range(20)))
    with Scripted(DIALOG, failing(1, 3, "never"), on=7) as server:
        done = expect(1, "-o", "json", *SHORT, at(server), root)
        assert sorted(server.wait_results(20)) == ["done"] * 19 + ["left"]
    results = list(done.results.values())
    assert len(results) == 20 and results.count("equal") == 19, done
