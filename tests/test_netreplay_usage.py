"""What netreplay refuses, and how it ends when there is nothing to play or nothing to compare: never with 0."""
import gzip
import os
import signal
import subprocess

import pytest

from harness import logs
from harness.netlog import con, data, end, entry
from harness.peers import Server, connect, echo, leaving
from harness.proc import Process, run, wait_until
from harness.replay import NETREPLAY, at, equal, expect, refused, replay
from harness.serve import dialog, write_logs
from harness.services import free_port

PING = dialog(("c", b"PING\r\n"), ("s", b"PING\r\n"))


@pytest.fixture
def server():
    with Server(leaving(echo)) as server:
        yield server


# -- the command line --


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["127.0.0.1"],
        ["127.0.0.1", "80"],
        ["127.0.0.1:80"],
        ["127.0.0.1", "no-such-port", "log"],
        ["no.such.host.invalid", "80", "log"],
        ["127.0.0.1:99999", "log"],
        ["--nonsense", "127.0.0.1:80", "log"],
        ["-o", "yaml", "127.0.0.1:80", "log"],
        ["-C", "words", "127.0.0.1:80", "log"],
        ["-i", "(", "127.0.0.1:80", "log"],
        ["-i", "x*", "127.0.0.1:80", "log"],
        ["-i", "", "127.0.0.1:80", "log"],
        ["-I", "missing-file", "127.0.0.1:80", "log"],
        ["--against", "nowhere", "127.0.0.1:80", "log"],
        ["--fresh", "127.0.0.1:80", "log"],
        ["-r", "a", "--update", "b", "127.0.0.1:80", "log"],
        ["--learn", "f", "-n", "1", "127.0.0.1:80", "log"],
        ["--learn", "f", "--update", "b", "127.0.0.1:80", "log"],
        ["--server", "'unclosed", "127.0.0.1:80", "log"],
        ["--server", "", "127.0.0.1:80", "log"],
        ["-b", "127.0.0.1", "127.0.0.1:80", "log"],
        ["-s", "no-such-script.lua", "127.0.0.1:80", "log"],
        ["-i"],
    ],
    ids=" ".join,
)
def test_usage_errors_are_one_line(folder, words):
    refused(*words, cwd=folder)


def test_help_and_version():
    done = equal("--help")
    assert done.out.startswith("usage: netreplay ") and done.err == ""
    assert max(map(len, done.out.splitlines())) <= 100
    for option in ("--timing", "--speed", "--max-gap", "--ignore", "--learn", "--carry", "--compare", "--against", "--update",
                   "--loop", "--clients", "--output", "--record", "--server", "--fresh", "--timeout", "--fail-if", "--shard", "--serve"):
        assert option in done.out
    assert equal("-h").out == done.out
    assert equal("-V").out == equal("--version").out != ""


def test_where_the_server_is(server, folder, logroot):
    root = write_logs(logroot, PING)
    host, port = server.address
    equal(host, port, root)
    equal(f"{host}:{port}", root)
    equal(host, port, root, "-q")  # options may follow operands
    equal("localhost", port, root, "-4")
    with Server(echo, "::1", family=10) as six:
        equal(f"[::1]:{six.address[1]}", root)
        equal("::1", six.address[1], root)
    with Server(echo, family=1, path=folder / "socket"):
        equal(f"unix:{folder}/socket", root)


# -- what is a log --


def test_forms_of_logs(server, folder, logroot):
    root = write_logs(logroot, PING, PING)
    packed = folder / "packed.gz"
    packed.write_bytes(gzip.compress(b"".join(PING)))
    for words in ([root], [f"{root}_1"], [packed], [f"{root}_1", f"{root}_2", packed]):
        done = equal("-o", "json", at(server), *words)
        assert len(done.results) == {"log": 2}.get(words[0].name if hasattr(words[0], "name") else "", len(words)), done
    equal(at(server), "-", stdin=b"".join(PING))
    equal(at(server), "-", stdin=packed.read_bytes())
    old = folder / "old1"  # without the underscore
    old.write_bytes(b"".join(PING))
    equal(at(server), folder / "old")


def test_standard_input_is_played_whole(server):
    log = dialog(*(turn for n in range(2000) for turn in (("c", b"%d\n" % n * 100), ("s", b"%d\n" % n * 100))), pause=0.00001)
    done = equal("-t", "fast", "-o", "json", at(server), "-", stdin=b"".join(log))
    assert done.json["summary"]["compared"] == sum(len(b"%d\n" % n * 100) for n in range(2000))


def test_parts_of_a_split_log(netrecord, logroot):
    with Server(echo) as server:
        nr = netrecord(server.address, "--rotate", "4k")
        with connect(nr.address) as sock:
            for _ in range(30):
                sock.sendall(b"x" * 1000)
                assert len(sock.recv(1000, 0x100)) == 1000
        nr.stop()
        assert len(logs.parts(logroot)[1]) > 3
        done = equal("-o", "json", "-t", "fast", at(server), logroot)
        assert done.json["summary"]["compared"] == 30_000


@pytest.mark.parametrize("what", ["empty directory", "missing file", "missing folder", "empty file", "not a log"])
def test_no_log(server, folder, what):
    (folder / "empty").mkdir()
    (folder / "nothing").touch()
    (folder / "picture").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    path = folder / {
        "empty directory": "empty",
        "missing file": "log_7",
        "missing folder": "none/log",
        "empty file": "nothing",
        "not a log": "picture",
    }[what]
    done = expect(2, at(server), path)
    assert path.name in done.err + done.out
    assert server.accepted == 0


def test_logroot_without_logs(server, folder):
    expect(2, at(server), folder / "log")
    (folder / "log_index.jsonl").write_text(entry(1, "2026-11-21T04:16:41.580000Z", 0.0))
    expect(2, at(server), folder / "log")


@pytest.mark.parametrize(
    "records",
    [
        [con()],
        [con(), end("c", 0.1)],
        [con(), data("c", 0.01, b"hello\n"), end("c", 0.02)],
        [con(), data("c", 0.01, b"hello\n")],
    ],
    ids=["con", "hup", "a request", "no end"],
)
def test_nothing_to_compare(server, logroot, records):
    done = expect(2, "--timeout", "500ms", at(server), write_logs(logroot, records))
    assert "nothing" in done.err + done.out, done


def test_log_with_nothing_to_compare_among_others(server, logroot):
    root = write_logs(logroot, PING, [con(), data("c", 0.01, b"hello\n"), end("c", 0.02)])
    done = replay("-o", "json", "--timeout", "500ms", at(server), root)
    assert done.status == 0 and done.results["log_1"] == "equal", done


def test_damaged_log(server, logroot):
    """Up to the damage it is played; the damage is told, and where it is."""
    log = b"".join(PING)
    for wrong, status in ((b"c 1.000000 nonsense\n", (1, 2)), (b"s 0.030000 100\nPING", (1, 2))):
        cut = write_logs(logroot, [log.replace(PING[-1], wrong)])
        done = replay("-o", "json", at(server), cut)
        assert done.status in status, done
        assert done.results == {"log_1": "failed"} and "log_1" in done.out
        reason = done.connections["log_1"]["reason"]
        assert str(len(log) - len(PING[-1])) in reason, reason
    damaged = logroot.with_name("log_2")
    damaged.write_bytes(b"garbage")
    logroot.with_name("log_1").write_bytes(log)
    done = expect(1, "-o", "json", at(server), logroot)
    assert done.results == {"log_1": "equal", "log_2": "failed"}


def test_damaged_gzip(server, logroot):
    path = logroot.with_name("log_1.gz")
    packed = gzip.compress(b"".join(dialog(*[("c", os.urandom(2000)), ("s", os.urandom(2000))] * 20)))
    path.write_bytes(packed[: len(packed) // 2])
    assert replay("--timeout", "500ms", at(server), path).status in (1, 2)
    path.write_bytes(packed[:-4] + b"oops")
    assert replay("--timeout", "500ms", at(server), path).status in (1, 2)


def test_log_that_cannot_be_read(server, logroot, root):
    write_logs(logroot, PING)
    logroot.with_name("log_1").chmod(0o600)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", NETREPLAY, at(server), f"{logroot}_1"]
    done = run(*words, check=False)
    assert done.returncode == 2 and b"log_1" in done.stderr + done.stdout


def test_some_logs_are_missing(server, folder, logroot):
    root = write_logs(logroot, PING)
    done = replay(at(server), f"{root}_1", folder / "other_1")
    assert done.status in (1, 2) and "other_1" in done.err + done.out


# -- the server --


def test_unreachable_server(logroot):
    root = write_logs(logroot, PING, PING)
    port = free_port()
    for output in ("text", "json", "tap", "junit"):
        done = expect(2, "-o", output, "127.0.0.1", port, root)
        assert "refused" in done.out + done.err
    expect(2, "-C", "none", "127.0.0.1", port, root)
    expect(2, f"unix:{root}.socket", root)


# -- signals, output --


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_signal_ends_it_with_a_report(server, logroot, number):
    root = write_logs(logroot, PING, dialog(("c", b"later\n"), ("s", b"later\n"), start=1000.0))
    process = Process([NETREPLAY, "-o", "json", at(server), root], stdout=subprocess.PIPE)
    try:
        wait_until(lambda: len(server.results) == 1, "the first is over")
        process.signal(getattr(signal, "SIG" + number))
        out = process.child.stdout.read()
        assert process.wait() != 0
        assert b'"log_1"' in out
    finally:
        process.kill()
        process.child.stdout.close()


def test_report_that_cannot_be_written(server, logroot):
    root = write_logs(logroot, PING)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([NETREPLAY, at(server), root], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1, done


def test_no_progress_line_without_a_terminal(server, logroot):
    assert equal(at(server), write_logs(logroot, PING)).err == ""


def test_progress_line_on_a_terminal(server, logroot):
    root = write_logs(logroot, *(dialog(("c", b"%d\n" % n), ("s", b"%d\n" % n), start=0.2 * n) for n in range(8)))
    words = f"{NETREPLAY} {at(server)} {root}"
    done = run("script", "-qec", words, "/dev/null")
    assert b"\r" in done.stdout and b"8" in done.stdout
    quiet = run("script", "-qec", words + " -q -t fast", "/dev/null").stdout
    assert b"\r" not in quiet.replace(b"\r\n", b"")


@pytest.mark.parametrize("side", ["client", "server"])
def test_logroot_that_cannot_be_written_is_told_once(logroot, side):
    root = write_logs(logroot, dialog(("c", b"a"), ("s", b"b")))
    operands = ["--serve", "0", root] if side == "server" else ["127.0.0.1:1", root]
    done = expect(2, "-r", logroot.parent / "nowhere" / "log", *operands)
    lines = [each for each in done.err.splitlines() if "listening on" not in each]
    assert len(lines) == 1 and "nowhere/log" in lines[0], done.err
