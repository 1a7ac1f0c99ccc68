"""--compare: does staging answer as production does?"""
import contextlib
import json

import pytest

from harness.mirror import refused
from harness.peers import MIB, Server, connect, pattern, recv_all, recv_exactly, reset
from harness.proc import run, wait_until
from harness.services import Nginx

PAGES = {f"page{n}.html": f"<p>{n}</p>\n".encode() * (1 + 40 * n) for n in range(12)}


def answering(answers):
    """A server that gives one answer for each line it is sent."""

    def serve(sock, _number):
        with sock.makefile("rb") as lines, contextlib.suppress(ConnectionResetError):
            for line in lines:
                answer = answers[line.strip()]
                if answer is reset:
                    reset(sock)
                    return
                sock.sendall(answer)

    return serve


def words(server, *observers):
    return [*server.address, "0", *("%s:%d" % observer.address for observer in observers)]


@pytest.fixture
def compared(mirror):
    """Play lines through netmirror --compare -o json between servers of answers; returns the report."""

    def play(answers, others, lines, *options, status):
        with Server(answering(answers)) as server, Server(answering(others)) as observer:
            nm = mirror("--compare", "-o", "json", *options, *words(server, observer))
            with connect(nm.address) as client:
                for line in lines:
                    client.sendall(line + b"\n")
                    if answers[line] is not reset:
                        assert recv_exactly(client, len(answers[line])) == answers[line]
            nm.stop(expect=status)
            return json.loads(nm.report), nm

    return play


@pytest.mark.core
def test_equal_answers(compared):
    same = {b"a": b"alpha", b"b": pattern(1, 0, 2 * MIB), b"c": b""}
    report, _ = compared(same, same, [b"a", b"b", b"a", b"c"], status=0)
    assert report["summary"]["compared"] == 2 * MIB + 10 and report["summary"]["differences"] == 0


@pytest.mark.core
def test_one_difference_is_told_live_and_in_the_report(compared):
    report, nm = compared({b"a": b"first", b"b": b"the price is 17 EUR", b"c": b"last"},
                          {b"a": b"first", b"b": b"the price is 19 EUR", b"c": b"last"}, [b"a", b"b", b"c"], status=1)
    (connection,) = report["connections"]
    assert connection["differences"] == 1 and connection["result"] == "different"
    (difference,) = connection["details"]
    assert (difference["recorded"]["offset"], difference["live"]["offset"]) == (19, 19)
    assert nm.said(r'connection 1, observer \S+: difference at byte 19: "7" of the server, "9" of the observer')


def test_masks(compared):
    answers = {b"a": b"Date: Monday\nbody 1\n"}
    others = {b"a": b"Date: Tuesday the 3rd\nbody 1\n"}
    report, _ = compared(answers, others, [b"a"] * 3, "-i", "Date: [^\n]*", status=0)
    assert report["summary"]["differences"] == 0
    report, _ = compared(answers, others, [b"a"] * 3, status=1)
    assert report["summary"]["differences"] >= 3


def test_sizes_only(mirror, compared):
    report, _ = compared({b"a": b"12345"}, {b"a": b"abcde"}, [b"a"], "--compare=size", status=0)
    assert report["summary"]["compared"] == 5
    _, nm = compared({b"a": b"12345"}, {b"a": b"abcdef"}, [b"a"], "--compare=size", "-i", "c+", status=1)
    assert nm.said("--compare size looks at no byte: the patterns mask nothing")


def test_an_observer_that_answers_less(compared):
    report, _ = compared({b"a": b"12345", b"b": b"678"}, {b"a": b"12345", b"b": b""}, [b"a", b"b"], status=1)
    assert report["summary"]["differences"] == 1


def test_an_observer_that_answers_much_later(mirror):
    """Longer than the server's own answers fit into any socket."""
    payload, go_on = pattern(2, 0, 12 * MIB), []

    def late(sock, _number):
        recv_exactly(sock, 2)
        wait_until(lambda: go_on, "the client has all")
        sock.sendall(payload)
        recv_all(sock)

    with Server(answering({b"a": payload})) as server, Server(late) as observer:
        nm = mirror("--compare", *words(server, observer))
        with connect(nm.address) as client:
            client.sendall(b"a\n")
            assert recv_exactly(client, len(payload)) == payload
        go_on.append(True)
        nm.stop()
    assert "1 connection: 1 equal" in nm.report and f"{len(payload)} bytes compared, 0 differences" in nm.report


def test_an_observer_that_answers_before_the_server(mirror):
    go_on = []

    def slow(sock, _number):
        recv_exactly(sock, 2)
        wait_until(lambda: go_on, "the observer has answered")
        sock.sendall(b"the answer")
        recv_all(sock)

    with Server(slow) as server, Server(answering({b"a": b"the answer"})) as observer:
        nm = mirror("--compare", *words(server, observer))
        with connect(nm.address) as client:
            client.sendall(b"a\n")
            name = "%s:%d" % observer.address
            wait_until(lambda: nm.counts(name)["bytes received from the observer"] == 10, "it has")
            go_on.append(True)
            assert recv_exactly(client, 10) == b"the answer"
        nm.stop()
    assert "1 connection: 1 equal" in nm.report


@pytest.mark.parametrize("how", ["reset", "refused"])
def test_an_observer_that_fails(mirror, how):
    """One that resets a connection has answered, and otherwise than the server, whenever that ends; one that refuses has not."""
    with Server(answering({b"a": b"x"})) as server, Server(answering({b"a": reset})) as observer:
        if how == "refused":
            observer.close()
        nm = mirror("--compare", *words(server, observer))
        with connect(nm.address) as client:
            for _ in range(3):
                client.sendall(b"a\n")
                assert recv_exactly(client, 1) == b"x"
        nm.stop(expect=1 if how == "reset" else 2)
    counted = "0 equal, 1 different, 0 failed" if how == "reset" else "0 equal, 0 different, 1 failed"
    assert counted in nm.report
    assert ("nothing was compared" in nm.stderr) == (how == "refused")


def test_an_observer_that_ends_early(mirror):
    """What it does not answer any more is missing, though its connection is over long before the server's."""

    def one_line(sock, _number):
        with sock.makefile("rb") as lines:
            lines.readline()
        sock.sendall(b"x")

    with Server(answering({b"a": b"x"})) as server, Server(one_line) as observer:
        nm = mirror("--compare", "-v", *words(server, observer))
        with connect(nm.address) as client:
            client.sendall(b"a\n")
            assert recv_exactly(client, 1) == b"x"
            name = "%s:%d" % observer.address
            wait_until(lambda: nm.counts(name)["bytes received from the observer"] == 1, "the observer has answered")
            while nm.counts(name)["connections open now"] == 1:  # until it notices that nobody reads
                client.sendall(b"a\n")
                assert recv_exactly(client, 1) == b"x"
        nm.stop(expect=1)
    assert "0 equal, 1 different, 0 failed" in nm.report


def test_a_server_that_fails(mirror):
    """What was answered until then is compared; that the rest is not is said."""
    with Server(answering({b"a": b"x", b"b": reset})) as server, Server(answering({b"a": b"x", b"b": b"y"})) as observer:
        nm = mirror("--compare", "-v", *words(server, observer))
        with connect(nm.address) as client:
            client.sendall(b"a\n")
            assert recv_exactly(client, 1) == b"x"
            said = "bytes received from the observer"
            wait_until(lambda: nm.counts("%s:%d" % observer.address)[said] == 1, "the observer has answered too")
            client.sendall(b"b\n")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        nm.stop(expect=0)
    assert "cut off" in nm.report


def cut_short(mirror, answer, how, *, status):
    """The server answers `re:` and each line; the observer with `answer`, and the connection is cut off.
    Returns netmirror, ended."""

    def serve(sock, _number):
        with contextlib.suppress(ConnectionResetError):
            for line in sock.makefile("rb"):
                sock.sendall(b"re:" + line)

    def observe(sock, _number):
        recv_exactly(sock, 4)
        sock.sendall(answer)
        if how == "observer":
            wait_until(lambda: done, "the client has ended")
            reset(sock)
        elif how == "nobody":
            wait_until(lambda: over, "netmirror has ended")
        else:
            with contextlib.suppress(ConnectionResetError):
                recv_all(sock)

    done, over = [], []
    with Server(serve) as server, Server(observe) as observer:
        nm = mirror("--compare", "--grace", "1", *words(server, observer))
        client = connect(nm.address)
        for line in (b"a\n", b"b\n"):
            client.sendall(line)
            assert recv_exactly(client, 5) == b"re:" + line
        said = "bytes received from the observer"
        wait_until(lambda: nm.counts("%s:%d" % observer.address)[said] == len(answer), "the observer has answered")
        if how == "client":
            reset(client)
        else:
            client.close()
        done.append(True)
        nm.stop(expect=status)
        over.append(True)
    return nm


@pytest.mark.core
@pytest.mark.parametrize("how", ["client", "observer", "nobody"])
def test_other_bytes_on_a_connection_that_is_cut_off(mirror, how):
    """They are told by whomever it was reset, and also where the observer stays open."""
    nm = cut_short(mirror, b"completely other\n", how, status=1)
    assert nm.said(r'difference at byte 0: "re:a.*" of the server, "completely other.*" of the observer')
    assert "0 equal, 1 different, 0 failed, 0 skipped" in nm.report and "completely other" in nm.report


def test_a_client_that_resets_after_equal_answers(mirror):
    """All that the server sent was compared; that it was cut off is said."""
    nm = cut_short(mirror, b"re:a\nre:b\n", "client", status=0)
    assert "1 equal, 0 different, 0 failed, 0 skipped" in nm.report and "cut off" in nm.report


def test_a_client_that_resets_before_the_observer_has_answered(mirror):
    """The rest could not be compared, which is no success; it is no difference either."""
    nm = cut_short(mirror, b"re:a\n", "client", status=1)
    assert "0 equal, 0 different, 1 failed, 0 skipped" in nm.report and "0 differences" in nm.report
    assert "cut off before the observer had answered" in nm.report


def test_an_observer_that_resets_within_an_answer(mirror):
    """That it did is the one difference."""
    nm = cut_short(mirror, b"re:a\nre", "observer", status=1)
    assert "7 bytes compared, 1 difference," in nm.report and "the observer's stream is reset" in nm.report


def test_two_observers_are_told_apart(mirror):
    with Server(answering({b"a": b"1"})) as server:
        with Server(answering({b"a": b"1"})) as good, Server(answering({b"a": b"2"})) as bad:
            nm = mirror("--compare", *words(server, good, bad))
            with connect(nm.address) as client:
                client.sendall(b"a\n")
                assert recv_exactly(client, 1) == b"1"
            nm.stop(expect=1)
            assert f"observer {'%s:%d' % bad.address}: " in nm.report
            assert f"observer {'%s:%d' % good.address}: " not in nm.report
    assert "2 connections: 1 equal, 1 different" in nm.report


def test_nothing_compared_is_no_success(mirror):
    with Server(answering({})) as server:
        nm = mirror("--compare", *words(server, server))
        nm.stop(expect=2)
        assert "nothing was compared" in nm.stderr


def test_options_without_compare():
    assert "need --compare" in refused("-i", "x", "127.0.0.1", "9", "0")
    assert "neither bytes nor size" in refused("--compare=words", "127.0.0.1", "9", "0")
    assert "--ignore (" in refused("--compare", "-i", "(", "127.0.0.1", "9", "0")


def fetch(address, *paths):
    """With curl, over one connection; the bodies."""
    urls = [f"http://127.0.0.1:{address[1]}/{path}" for path in paths]
    return run("curl", "-s", "--http1.1", *urls).stdout


@pytest.fixture
def twins(folder):
    """Two nginx with the same pages, of different age."""
    with Nginx(folder / "one") as one, Nginx(folder / "two") as two:
        for server in (one, two):
            for name, page in PAGES.items():
                (server.folder / "www" / name).write_bytes(page)
            run("touch", "-d", "2020-01-01" if server is one else "2021-02-03", *(server.folder / "www" / n for n in PAGES))
        yield one, two


@pytest.mark.parametrize("changed", [None, "page7.html"])
def test_two_nginx_of_the_same_content(mirror, twins, changed):
    """They differ in nothing but what masks cover; with one page changed, in exactly that page."""
    one, two = twins
    if changed:
        (two.folder / "www" / changed).write_bytes(PAGES[changed].replace(b"7", b"8", 1))
        run("touch", "-d", "2021-02-03", two.folder / "www" / changed)
    masks = ["-i", r"Date: [^\r]*", "-i", r"Last-Modified: [^\r]*", "-i", r'ETag: "[0-9a-f]+-']
    nm = mirror("--compare", "-o", "json", *masks, "127.0.0.1", str(one.port), "0", f"127.0.0.1:{two.port}")
    for name, page in PAGES.items():
        assert fetch(nm.address, name) == page
    assert fetch(nm.address, *PAGES) == b"".join(PAGES.values())
    nm.stop(expect=1 if changed else 0)
    report = json.loads(nm.report)
    differing = [c for c in report["connections"] if c["result"] == "different"]
    if not changed:
        assert not differing and report["summary"]["differences"] == 0
        assert report["summary"]["compared"] > sum(map(len, PAGES.values())) * 2
        return
    # the connection that fetched it, and the one that fetched all
    assert [c["differences"] for c in differing] == [1, 1]
    for connection in differing:
        (difference,) = connection["details"]
        assert difference["recorded"]["size"] == difference["live"]["size"] == 1
