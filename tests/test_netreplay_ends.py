"""How streams end: half-closed by either side, answers behind it, and ends that differ."""
import time

import pytest

from harness import logs
from harness.netlog import con, data, end
from harness.peers import Server, connect, recv_all, recv_exactly, recv_until_end, reset
from harness.replay import at, different, equal
from harness.serve import dialog, write_logs


@pytest.fixture(autouse=True)
def both_backends(backend, monkeypatch):
    monkeypatch.setenv("NETRECORD_BACKEND", backend)


def line(sock):
    got = b""
    while not got.endswith(b"\n"):
        piece = sock.recv(1)
        if not piece:
            break
        got += piece
    return got


# -- an answer behind the client's end --


def counting(sock, _number):
    """Says how much came, some time after the client has ended its stream."""
    line(sock)
    sock.sendall(b"ready, send your data\n")
    got = recv_all(sock)
    time.sleep(0.3)
    sock.sendall(b"got %d\n" % len(got))


PUT = [
    con(),
    data("c", 0.01, b"put\n"),
    data("s", 0.02, b"ready, send your data\n"),
    end("c", 0.03),
    data("s", 0.04, b"got 0\n"),
    end("s", 0.05),
]


@pytest.mark.core
@pytest.mark.parametrize("options", [[], ["-t", "fast"], ["--settle", "0"]])
def test_answer_behind_the_clients_end(logroot, options):
    root = write_logs(logroot, PUT)
    with Server(counting) as server:
        equal(*options, at(server), root)


def test_update_holds_the_answer_behind_the_clients_end(logroot, tmp_path):
    root = write_logs(logroot, PUT)
    with Server(counting) as server:
        equal("--update", tmp_path / "new", at(server), root)
    assert logs.load(tmp_path / "new", 1).bytes("s") == b"ready, send your data\ngot 0\n"


def test_answer_ahead_of_the_end_of_its_request(logroot):
    """The request has no answer recorded before the end: what comes before it, shorter, is the answer."""
    root = write_logs(logroot, [con(), data("c", 0.01, b"get\n"), end("c", 0.1), data("s", 0.11, b"the answer\n")])

    def hasty(sock, _number):
        line(sock)
        sock.sendall(b"the ans\n")
        recv_all(sock)
        time.sleep(8)

    with Server(hasty) as server:
        begun = time.monotonic()
        different("--timeout", "30", at(server), root)
        assert time.monotonic() - begun < 8


# -- the server ends its stream first --


LATE = [
    con(),
    data("c", 0.01, b"a\n"),
    data("s", 0.02, b"re:a\n"),
    end("s", 0.03),
    data("c", 0.1, b"late1\n"),
    data("c", 0.15, b"late2\n"),
    end("c", 0.2),
]


def ending_first(got):
    def handler(sock, _number):
        sock.sendall(b"re:" + line(sock))
        sock.shutdown(1)
        got.append(recv_all(sock))

    return handler


@pytest.mark.core
@pytest.mark.parametrize("options", [[], ["-t", "fast"], ["-C", "none"]])
def test_what_follows_the_servers_end_is_sent(logroot, options):
    root, got = write_logs(logroot, LATE), []
    with Server(ending_first(got)) as server:
        equal(*options, at(server), root)
        server.wait_results(1)
    assert got == [b"late1\nlate2\n"]


def test_nothing_follows_a_server_that_is_gone(logroot):
    root = write_logs(logroot, LATE)

    def gone(sock, _number):
        sock.sendall(b"re:" + line(sock))

    with Server(gone) as server:
        done = different(at(server), root)
    assert "the server's stream is reset, in the recording it was ended" in done.out


def test_an_end_before_its_time_is_still_told(logroot):
    early = [con(), data("c", 0.01, b"a\n"), data("s", 0.02, b"re:a\n"), data("c", 0.2, b"b\n"), end("s", 0.3), end("c", 0.4)]
    root, got = write_logs(logroot, early), []
    with Server(ending_first(got)) as server:
        done = different(at(server), root)
    assert "the server ended its stream before the client had sent all" in done.out


# -- --against --

ONE_LINE = [con(), data("c", 0.01, b"a\n"), data("s", 0.02, b"re:a\n"), end("c", 0.03), end("s", 0.04)]


def answering(how):
    def handler(sock, _number):
        sock.sendall(b"re:" + line(sock))
        recv_until_end(sock)
        if how == "reset":
            reset(sock)
        elif how == "open":
            time.sleep(3)

    return handler


@pytest.mark.core
@pytest.mark.parametrize("first", ["ended", "reset", "open"])
@pytest.mark.parametrize("second", ["ended", "reset", "open"])
def test_ends_of_two_servers_are_compared(logroot, first, second):
    root = write_logs(logroot, ONE_LINE)
    words = {"open": "still open"}
    with Server(answering(first)) as one, Server(answering(second)) as other:
        options = ["--timeout", "500ms", "--against", at(other), at(one)]
        if first == second:
            equal(*options, root)
            return
        done = different(*options, root)
        wanted = f"the second server's stream is {words.get(second, second)}, the first's is {words.get(first, first)}"
        assert wanted in done.out
        equal("-C", "none", *options, root)


def test_ends_that_were_not_recorded_are_not_compared(logroot):
    root = write_logs(logroot, [*ONE_LINE[:3], end("c", 0.03, "err")])
    with Server(answering("ended")) as one, Server(answering("reset")) as other:
        equal("--against", at(other), at(one), root)


# -- the client's end, with --serve --


@pytest.mark.core
@pytest.mark.parametrize("compare", ["bytes", "size", "none"])
@pytest.mark.parametrize("recorded", ["hup", "err"])
@pytest.mark.parametrize("live", ["hup", "err"])
def test_end_of_a_client_is_compared(serve, logroot, recorded, live, compare):
    turns = (("c", b"a\n"), ("s", b"re:a\n"))
    log = dialog(*turns, client_end=recorded, server_end="hup" if recorded == "hup" else None)
    server = serve("-t", "fast", "-C", compare, write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"a\n")
        assert recv_exactly(sock, 5) == b"re:a\n"
        if live == "err":
            reset(sock)
        else:
            sock.shutdown(1)
            assert recv_all(sock) == b""
    if live == recorded or compare == "none":
        server.ends(0)
        return
    words = ("reset", "ended") if live == "err" else ("ended", "reset")
    assert "the client's stream is %s, in the recording it was %s" % words in server.ends(1)
