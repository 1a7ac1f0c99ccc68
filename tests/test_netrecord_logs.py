"""What stands on the disk: logs, parts, index, and what never happens to them."""
import contextlib
import json
import os
import re
import socket
import stat
import subprocess
from datetime import datetime, timezone

import pytest

from harness import logs
from harness.peers import Many, Server, connect, echo, exchange, pattern, recv_all, recv_exactly
from harness.proc import Netrecord, netlog, run, wait_until


def record(netrecord, *options, count=1, size=1000, root=None):
    """Record `count` echoed connections of their own bytes, one after the other."""
    settings = {"root": root} if root else {}
    with Server(echo) as server:
        nr = netrecord(server.address, *options, **settings)
        for number in range(count):
            payload = pattern(number + 1, 0, size)
            assert exchange(nr.address, payload) == payload
        nr.stop()
    return nr


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_files_are_for_the_owner_only(netrecord, logroot, folder):
    mask = os.umask(0)
    try:
        record(netrecord, count=2)
        record(netrecord, "-z", "--rotate", "500", count=2)
    finally:
        os.umask(mask)
    assert {"log_1", "log_2", "log_3.gz", "log_4.gz", "log_index.jsonl"} <= set(modes(folder))
    assert set(modes(folder).values()) == {0o600}


@pytest.mark.core
def test_index_tells_what_happened(netrecord, logroot, folder):
    began = datetime.now(timezone.utc)
    with Server(echo) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            client = "{}:{}".format(*sock.getsockname())
            sock.sendall(b"question")
            assert recv_exactly(sock, 8) == b"question"
            opened = wait_until(lambda: logs.index(logroot), "the opening is in the index")
            assert [event["event"] for event in opened] == ["open"]
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b""
        nr.stop()
    opening, closing = logs.index(logroot)
    log = logs.load(logroot, 1)
    for event in (opening, closing):
        assert event["n"] == 1
        assert event["log"] == "log_1"
        assert event["client"] == client
        assert event["server"] == "127.0.0.1:{}".format(server.address[1])
        assert event["run"] == opening["run"] != ""
        assert event["start"] == opening["start"]
        assert abs(event["time"] - log.records[0].time) < 1.5e-6
    assert (opening["event"], closing["event"]) == ("open", "close")
    start = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})(Z|[+-]\d\d:\d\d)", opening["start"])
    assert start, opening["start"]
    moment = datetime.fromisoformat(opening["start"].replace("Z", "+00:00"))
    assert began <= moment <= datetime.now(timezone.utc)
    assert closing["end"] == "s hup"
    assert (closing["client_bytes"], closing["server_bytes"], closing["lost"]) == (8, 8, 0)
    assert 0 <= closing["connect"] <= closing["duration"]
    assert log.records[-1].time - log.records[0].time < closing["duration"] + 2e-6
    assert closing["duration"] <= (datetime.now(timezone.utc) - began).total_seconds()
    assert not closing.get("scripted", False)


def test_no_index(netrecord, folder):
    record(netrecord, "--no-index", count=2)
    assert sorted(path.name for path in folder.iterdir()) == ["log_1", "log_2"]


@pytest.mark.core
@pytest.mark.parametrize("options", [(), ("-z",), ("--no-index",)], ids=["plain", "gzip", "no-index"])
def test_earlier_recording_is_never_overwritten(netrecord, logroot, folder, options):
    record(netrecord, *options, count=3)
    before = {path: logs.read_file(path) for _, paths in logs.parts(logroot).items() for _, path in paths}
    record(netrecord, *options, count=2)
    assert sorted(logs.parts(logroot)) == [1, 2, 3, 4, 5]
    for path, content in before.items():
        assert logs.read_file(path) == content
    if "--no-index" not in options:
        runs = [event["run"] for event in logs.closed(logroot).values()]
        assert runs[0] == runs[1] == runs[2] != runs[3] == runs[4]


@pytest.mark.parametrize(
    "name, after",
    [("log_7", 8), ("log_7.gz", 8), ("log_7.3", 8), ("log_7.3.gz", 8), ("log7", 8), ("log_007x", 1), ("log_x", 1)],
)
def test_numbers_go_on_after_the_highest(netrecord, logroot, folder, name, after):
    (folder / name).write_bytes(b"precious")
    record(netrecord)
    assert (folder / name).read_bytes() == b"precious"
    assert (folder / f"log_{after}").exists()


def test_numbers_go_on_after_those_of_the_index(netrecord, logroot, folder):
    """Logs may have been moved away; the index still knows their numbers."""
    record(netrecord, count=4)
    for _, paths in logs.parts(logroot).items():
        for _, path in paths:
            path.unlink()
    record(netrecord)
    assert list(logs.parts(logroot)) == [5]


def test_link_in_the_way_is_not_followed(netrecord, logroot, folder):
    """A number may be taken by a dangling link, at which O_CREAT must not create anything."""
    (folder / "log_1").symlink_to(folder / "elsewhere")
    record(netrecord)
    assert not (folder / "elsewhere").exists()
    assert (folder / "log_2").exists()


@pytest.mark.core
@pytest.mark.parametrize("level", ["-z", "-z1", "--gzip=9"])
def test_gzip_logs_are_gzip_files(netrecord, logroot, folder, level):
    size = 400_000
    with Server(echo) as server:
        nr = netrecord(server.address, level)
        text = (b"a line that compresses well\n" * (size // 28))[:size]
        assert exchange(nr.address, text) == text
        nr.stop()
    path = folder / "log_1.gz"
    run("gzip", "-t", path)
    unpacked = run("zcat", path).stdout
    assert logs.parse(unpacked).bytes("c") == text
    assert logs.gzip_is_whole(path)
    assert path.stat().st_size < len(unpacked) / 5


def test_netlog_reads_what_was_written(netrecord, logroot):
    record(netrecord, count=3)
    record(netrecord, "-z", "--rotate", "300", count=3)
    assert netlog("check", logroot).returncode == 0
    rows = [json.loads(line) for line in netlog("json", logroot).stdout.splitlines()]
    for number in range(1, 7):
        mine = [row for row in rows if row["n"] == number]
        assert sum(row["size"] for row in mine if row["side"] == "c" and row["type"] == "data") == 1000
        assert [row["type"] for row in mine if row["type"] != "data"] == ["con", "hup", "hup"]


@pytest.mark.core
@pytest.mark.parametrize("options", [(), ("-z",)], ids=["plain", "gzip"])
def test_rotate_splits_at_records(netrecord, logroot, folder, options):
    total = 200_000
    with Server(echo) as server:
        nr = netrecord(server.address, "--rotate", "20k", *options)
        with connect(nr.address) as sock:
            for at in range(0, total, 1000):
                sock.sendall(pattern(1, at, 1000))
                assert recv_exactly(sock, 1000) == pattern(1, at, 1000)
        server.wait_results(1)
        nr.stop()
    parts = logs.parts(logroot)[1]
    suffix = ".gz" if options else ""
    assert [path.name for _, path in parts] == [f"log_1{'.%d' % i if i else ''}{suffix}" for i in range(len(parts))]
    assert len(parts) >= (2 if options else 20)
    for number, path in parts:
        data = logs.read_file(path)
        assert path.stat().st_size <= 20 * 1024 or options
        assert re.match(rb"[cs] \d+\.\d{6} (con|hup|err|\d+)\n", data), "a part begins in the middle of a record"
    assert logs.load(logroot, 1).bytes("c") == logs.load(logroot, 1).bytes("s") == pattern(1, 0, total)


@pytest.mark.core
def test_keep_deletes_the_oldest_parts_also_of_open_connections(netrecord, logroot, folder):
    """The flight recorder: what is left is the end of the recording, within the bound."""
    keep, rotate, total = 100 * 1024, 10 * 1024, 600_000
    with Server(echo) as server:
        nr = netrecord(server.address, "--rotate", "10k", "--keep", "100k")
        assert exchange(nr.address, b"an old connection") == b"an old connection"
        with connect(nr.address) as sock:
            for at in range(0, total, 1000):
                sock.sendall(pattern(1, at, 1000))
                assert recv_exactly(sock, 1000) == pattern(1, at, 1000)
            wait_until(lambda: 1 not in logs.parts(logroot), "the old connection's log is deleted")
            wait_until(lambda: stored(logroot) <= keep + 2 * rotate, "deleted while the connection is open")
        server.wait_results(2)
        nr.stop()
    parts = logs.parts(logroot)[2]
    numbers = [number for number, _ in parts]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) and numbers[0] > 0
    assert keep / 2 < stored(logroot) <= keep + 2 * rotate
    tail = b"".join(path.read_bytes() for _, path in parts)
    assert tail.endswith(b" hup\n")
    assert pattern(1, total - 1000, 1000) in tail


def test_keep_without_rotate_deletes_whole_logs(netrecord, logroot):
    """A finished log is its only part; those of open connections stay."""
    with Server(echo) as server:
        nr = netrecord(server.address, "--keep", "50k")
        with connect(nr.address) as staying:
            staying.sendall(b"from the beginning")
            assert recv_exactly(staying, 18) == b"from the beginning"
            for number in range(20):
                assert exchange(nr.address, pattern(number, 0, 5000)) == pattern(number, 0, 5000)
            wait_until(lambda: len(logs.closed(logroot)) == 20, "all others are closed")
            wait_until(lambda: stored(logroot) <= 50 * 1024 + 1000, "the oldest are deleted")
        server.wait_results(21)
        nr.stop()
    left = sorted(logs.parts(logroot))
    assert left[0] == 1 and 3 <= len(left) <= 7
    assert left[1:] == list(range(left[1], 22))


@pytest.mark.parametrize("command", ["gzip", "gzip -k"])
def test_keep_deletes_parts_that_were_compressed(netrecord, logroot, folder, command):
    """Also those of which both are there, as while gzip(1) is at work."""
    script = folder / "script"
    script.write_text(f'#!/bin/sh\nexec {command} "$1"\n')
    script.chmod(0o755)
    with Server(echo) as server:
        nr = netrecord(server.address, "--rotate", "20k", "--keep", "60k", "-x", script)
        with connect(nr.address) as sock:
            for _ in range(100):
                data = os.urandom(3000)  # that no .gz is smaller
                sock.sendall(data)
                assert recv_exactly(sock, 3000) == data
        server.wait_results(1)
        nr.stop()
    left = list(folder.glob("log_1*"))
    assert 0 < sum(path.stat().st_size for path in left) <= (2 if "-k" in command else 1) * 64 * 1024, left
    assert not {"log_1", "log_1.gz"} & {path.name for path in left}


def stored(logroot):
    total = 0
    for paths in logs.parts(logroot).values():
        for _, path in paths:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                total += path.stat().st_size
    return total


def test_exec_gets_each_finished_part_once(netrecord, folder):
    """No shell is between: a logroot with a space and a semicolon arrives as one argument."""
    root = folder / "odd; name $HOME" / "log"
    root.parent.mkdir()
    told = folder / "told"
    script = folder / "script"
    script.write_text(f'#!/bin/sh\nprintf "%s|%s\\n" "$#" "$1" >> "{told}"\nwc -c < "$1" >> "{told}.sizes"\n')
    script.chmod(0o755)
    record(netrecord, "-x", script, "--rotate", "600", count=3, root=root)
    names = told.read_text().splitlines()
    assert all(name.startswith("1|") for name in names)
    names = [name[2:] for name in names]
    expected = [str(path) for _, paths in logs.parts(root).items() for _, path in paths]
    assert sorted(names) == sorted(expected) and len(names) > 3
    sizes = [int(line) for line in (folder / "told.sizes").read_text().split()]
    assert sorted(sizes) == sorted(os.path.getsize(name) for name in names), "told before it was finished"


def test_exec_that_hangs_or_fails_harms_nothing(netrecord, logroot, folder):
    script = folder / "script"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    record(netrecord, "-x", script, count=3)
    record(netrecord, "-x", folder / "does-not-exist", count=3)
    assert len(logs.load_all(logroot)) == 6


@pytest.mark.parametrize("second", [(), ("-z",), ("--rotate", "300")], ids=["plain+plain", "plain+gzip", "plain+rotate"])
def test_two_recorders_on_one_logroot_never_share_a_log(netrecord, logroot, second):
    count = 100
    with Server(echo) as server:
        pair = [netrecord(server.address), netrecord(server.address, *second)]

        def talk(number):
            payload = pattern(number, 0, 500 + number)
            assert exchange(pair[number % 2].address, payload) == payload

        Many(talk, 2 * count).run()
        for nr in pair:
            nr.stop()
    found = logs.parts(logroot)
    assert len(found) == 2 * count
    assert all(logs.load(logroot, n).records[0].kind == "con" for n in found)
    if "--rotate" not in second:
        assert all(len(paths) == 1 for paths in found.values()), "a number was used by both"
    sent = sorted(log.bytes("c") for log in logs.load_all(logroot).values())
    assert sent == sorted(pattern(number, 0, 500 + number) for number in range(2 * count))
    events = logs.closed(logroot)
    assert sorted(events) == sorted(found)
    assert len({event["run"] for event in events.values()}) == 2


def test_logroot_relative_and_without_directory(folder, backend):
    with Server(echo) as server:
        with Netrecord(server.address, "log", cwd=folder) as nr:
            assert exchange(nr.address, b"x") == b"x"
            nr.stop()
    assert logs.load(folder / "log", 1).bytes("c") == b"x"


def test_directory_renamed_under_the_recorder(netrecord, folder):
    """The recorder holds the directory, not its name: it goes on where the directory now is."""
    root = folder / "before" / "log"
    root.parent.mkdir()
    with Server(echo) as server:
        nr = netrecord(server.address, root=root)
        assert exchange(nr.address, b"one") == b"one"
        root.parent.rename(folder / "after")
        root.parent.mkdir()
        assert exchange(nr.address, b"two") == b"two"
        nr.stop()
    assert logs.load(folder / "after" / "log", 2).bytes("c") == b"two"
    assert list(root.parent.iterdir()) == []


def test_log_taken_away_is_counted_as_lost(netrecord, logroot, folder):
    """A log moved or replaced while its descriptor is parked is never written through its name."""
    with Server(echo) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"first")
            assert recv_exactly(sock, 5) == b"first"
            wait_until(lambda: logs.so_far(logroot, 1, "s"), "the first bytes are logged")
            (folder / "log_1").rename(folder / "moved")
            (folder / "log_1").write_bytes(b"not yours")
            sock.sendall(b"second")
            assert recv_exactly(sock, 6) == b"second"
        server.wait_results(1)
        nr.stop()
    assert (folder / "log_1").read_bytes() == b"not yours"
    moved = logs.parse((folder / "moved").read_bytes())
    lost = logs.closed(logroot)[1]["lost"]
    assert len(moved.bytes("c")) + len(moved.bytes("s")) + lost == 22
    assert b"firstsecond".startswith(moved.bytes("c"))


def test_output_on_stderr_only(netrecord, folder):
    with Server(echo) as server:
        nr = netrecord(server.address, stdout=subprocess.PIPE)
        exchange(nr.address, b"x")
        nr.stop()
        assert nr.child.stdout.read() == b""
        nr.child.stdout.close()
