"""When the disk is full, hangs or fails, or descriptors run out: traffic goes on, and nothing is hidden."""
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from harness import logs
from harness.peers import Many, Server, connect, echo, exchange, get_nothing, hold, pattern, recv_all, recv_exactly, recv_until_end
from harness.netlog import con, data, end
from harness.proc import BIN, Process, run, wait_until
from harness.services import free_port


def talk(sock, data):
    sock.sendall(data)
    assert recv_exactly(sock, len(data)) == data


def metric(path, name):
    """The value of a counter in the metrics file; 0 if it is not there yet."""
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        return 0
    found = re.search(rf"^netrecord_{name}(?:_total)? (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


@pytest.fixture
def small_disk(root, folder):
    """A file system of one megabyte."""
    place = folder / "disk"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "netrecord-test", place)
    yield place
    run("umount", "-l", place)


@pytest.mark.core
@pytest.mark.parametrize("options", [(), ("-z",), ("--rotate", "100k")], ids=" ".join)
def test_full_disk_never_stops_traffic(netrecord, small_disk, folder, options):
    chunk, rounds = 50_000, 40  # four megabytes, both directions together
    root, metrics = small_disk / "log", folder / "metrics"
    with Server(echo) as server:
        nr = netrecord(server.address, *options, "--metrics", metrics, root=root)
        with connect(nr.address) as sock:
            for number in range(rounds):
                talk(sock, pattern(1, number * chunk, chunk))
            nr.wait_said(r"[Nn]o space left")
            wait_until(lambda: metric(metrics, "lost_bytes") > 0, "the loss is in the metrics at once")
            assert any(str(root) in line and "lo" in line for line in nr.lines), nr.stderr

            ended = logs.load(root, 1)
            assert not ended.cut, "the log ends within a record"
            assert pattern(1, 0, rounds * chunk).startswith(ended.bytes("c"))
            assert pattern(1, 0, rounds * chunk).startswith(ended.bytes("s"))
            assert len(ended.bytes("c")) < rounds * chunk
            assert "-z" in options or ended.bytes("c"), "only a gzip batch may be lost as a whole"

            run("mount", "-o", "remount,size=64m", small_disk)

            talk(sock, b"the disk has room again")
            assert exchange(nr.address, b"a new connection") == b"a new connection"
            wait_until(lambda: 2 in logs.closed(root), "the new connection is recorded")
            assert logs.load(root, 1).size == ended.size, "a log that had ended was gone on with"
        server.wait_results(2)
        nr.stop(expect=1)
    closes = logs.closed(root)
    log = logs.load(root, 1)
    passed = rounds * chunk + len(b"the disk has room again")
    assert (closes[1]["client_bytes"], closes[1]["server_bytes"]) == (passed, passed)
    assert closes[1]["lost"] == 2 * passed - len(log.bytes("c")) - len(log.bytes("s"))
    assert closes[1]["end"] == "s hup"
    assert closes[2]["lost"] == 0
    assert logs.load(root, 2).bytes("s") == b"a new connection"
    assert metric(metrics, "lost_bytes") == closes[1]["lost"]


def test_log_that_cannot_even_be_created(netrecord, root, folder):
    """A file system without an inode left: the connection is served, counted as lost, and later told in the index."""
    place = folder / "disk"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "nr_inodes=4,mode=755", "netrecord-test", place)
    try:
        metrics = folder / "metrics"
        with Server(echo) as server:
            nr = netrecord(server.address, "--metrics", metrics, root=place / "log")
            assert exchange(nr.address, b"recorded") == b"recorded"
            (place / "ballast").touch()
            for _ in range(3):
                assert exchange(nr.address, b"not recorded") == b"not recorded"
            wait_until(lambda: metric(metrics, "lost_bytes") == 3 * 24, "72 bytes are counted as lost")
            assert nr.said(r"log_\d+: .*[Nn]o space left"), nr.stderr
            (place / "ballast").unlink()
            assert exchange(nr.address, b"again") == b"again"
            nr.stop(expect=1)
        closes = logs.closed(place / "log")
        recorded = {n: log.bytes("s") for n, log in logs.load_all(place / "log").items()}
        assert [event["lost"] for _, event in sorted(closes.items())] == [0, 24, 24, 24, 0]
        assert sorted(recorded.values()) == [b"again", b"recorded"]
        assert set(recorded) == {n for n, event in closes.items() if not event["lost"]}
    finally:
        run("umount", "-l", place)


def test_full_disk_with_close_ends_the_connection(netrecord, small_disk):
    root = small_disk / "log"
    server = Server(echo)
    nr = netrecord(server.address, "--on-log-error", "close", root=root)
    sock = connect(nr.address)
    with pytest.raises((ConnectionResetError, BrokenPipeError, EOFError)):
        for number in range(200):
            talk(sock, pattern(1, number * 50_000, 50_000))
    sock.close()
    wait_until(lambda: not logs.load(root, 1).cut, "the log ends at a whole record")
    nr.stop(expect=1)
    server.close(quiet=True)
    assert pattern(1, 0, 1 << 20).startswith(logs.load(root, 1).bytes("c"))


def test_logroot_that_becomes_unwritable(netrecord, folder):
    """The directory is deleted under the recorder: no log can be created, traffic passes and is counted."""
    place = folder / "gone"
    place.mkdir()
    metrics = folder / "metrics"
    with Server(echo) as server:
        nr = netrecord(server.address, "--metrics", metrics, root=place / "log")
        place.rmdir() if not any(place.iterdir()) else run("rm", "-r", place)
        assert exchange(nr.address, pattern(1, 0, 10_000)) == pattern(1, 0, 10_000)
        wait_until(lambda: metric(metrics, "lost_bytes") == 20_000, "20,000 bytes are counted as lost")
        nr.stop(signal.SIGINT, expect=1)
    assert re.search(r"netrecord: .*log.*", nr.stderr.split("listening", 1)[1])


FULL = 65536


@pytest.fixture
def full_index(logroot):
    """An index as large as a file may be; the words in front of a command that see to that."""
    Path(f"{logroot}_index.jsonl").write_bytes(b"\n" * FULL)
    return "prlimit", f"--fsize={FULL}"


def test_index_that_is_not_complete_is_no_success(netrecord, logroot, full_index):
    with Server(echo) as server:
        nr = netrecord(server.address, wrap=full_index)
        assert exchange(nr.address, b"recorded") == b"recorded"
        server.wait_results(1)
        assert "the last connections are missing" in nr.stop(signal.SIGINT, expect=1)
    assert logs.load(logroot, 1).bytes("s") == b"recorded"


def test_index_of_a_mirror_that_is_not_complete(mirror, logroot, full_index):
    with Server(echo) as server:
        nm = mirror("-l", logroot, *map(str, server.address), "0", wrap=full_index)
        assert exchange(nm.address, b"recorded") == b"recorded"
        server.wait_results(1)
        assert "the last connections are missing" in nm.stop(signal.SIGINT, expect=1)


@pytest.mark.parametrize("serve", [(), ("--serve",)], ids=["client", "server"])
def test_index_of_a_replay_that_is_not_complete(folder, logroot, full_index, serve):
    said = [con(), data("c", 0, b"question"), data("s", 0, b"answer"), end("c", 0), end("s", 0)]
    (folder / "played_1").write_bytes(b"".join(said))
    words = [*full_index, BIN / "netreplay", "-r", logroot]
    with Server(lambda sock, _: (recv_exactly(sock, 8), sock.sendall(b"answer"), recv_all(sock))) as server:
        replay = Process([*words, *(serve or server.address), *(["0"] if serve else []), folder / "played_1"])
        if serve:
            (port,) = replay.wait_said(r"listening on \S+:(\d+)")
            assert exchange(("127.0.0.1", int(port)), b"question") == b"answer"
        else:
            server.wait_results(1)
        assert replay.wait() == 1, replay.stderr
    assert "the last connections are missing" in replay.stderr


@pytest.fixture(scope="module")
def hang_library(tmp_path_factory):
    """The double of a hanging file system, for LD_PRELOAD."""
    library = tmp_path_factory.mktemp("hang") / "hang.so"
    source = Path(__file__).parent / "doubles" / "hang.c"
    run("cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl")
    return library


@pytest.fixture
def hanging(netrecord, folder, hang_library):
    """A recorder whose log file system hangs while the flag file exists."""

    def start(target, *options):
        place = folder / "place"
        place.mkdir()
        flag = folder / "flag"
        env = {"LD_PRELOAD": str(hang_library), "HANG_ROOT": str(place), "HANG_FLAG": str(flag)}
        metrics = ["--metrics", str(folder / "metrics")]
        return netrecord(target, *metrics, *options, root=place / "log", env=env), flag, place / "log"

    return start


def test_hanging_disk_never_stops_traffic(hanging, folder):
    with Server(echo) as server:
        nr, flag, root = hanging(server.address, "--log-stall", "1s")
        with connect(nr.address) as sock:
            talk(sock, b"before")
            wait_until(lambda: logs.so_far(root, 1, "s") == b"before", "recorded")
            flag.touch()
            before = nr.memory()
            total = 0
            while total < 100_000_000:
                talk(sock, pattern(1, total, 100_000))
                total += 100_000
            assert nr.memory() - before < 160 << 20
            wait_until(lambda: metric(folder / "metrics", "lost_bytes") > 0, "the loss is counted while it hangs")
            assert nr.said(r"netrecord: .*log_1: .*recording ends"), nr.stderr
            assert exchange(nr.address, b"a new connection") == b"a new connection"
            flag.unlink()
            talk(sock, b"after")
        wait_until(lambda: 1 in logs.closed(root), "the index is written once the disk works again")
        server.wait_results(2)
        nr.stop(expect=1)
    log = logs.load(root, 1)
    assert not log.cut
    assert (b"before" + pattern(1, 0, total)).startswith(log.bytes("c"))
    passed = 2 * (total + len(b"beforeafter"))
    assert logs.closed(root)[1]["lost"] == passed - len(log.bytes("c")) - len(log.bytes("s")) > 0


def test_short_hang_loses_nothing(hanging):
    """Shorter than --log-stall: traffic may wait, but the log has no gap."""
    with Server(echo) as server:
        nr, flag, root = hanging(server.address, "--log-stall", "1m")
        with connect(nr.address) as sock:
            talk(sock, b"before")
            flag.touch()
            for number in range(100):
                talk(sock, pattern(1, number * 10_000, 10_000))
            time.sleep(0.3)
            flag.unlink()
            talk(sock, b"after")
        server.wait_results(1)
        nr.stop()
    log = logs.load(root, 1)
    assert log.bytes("c") == log.bytes("s") == b"before" + pattern(1, 0, 1_000_000) + b"after"
    assert logs.closed(root)[1]["lost"] == 0


def test_slow_disk_slows_the_traffic_and_loses_nothing(hanging):
    """Half of what waits takes longer to write than --log-stall, but it is written."""
    with Server(echo) as server:
        nr, flag, root = hanging(server.address, "--log-stall", "1.5s")
        with connect(nr.address) as sock:
            talk(sock, b"before")
            flag.write_text("7")
            for number in range(600):
                talk(sock, pattern(1, number * 100_000, 100_000))
            nr.signal(signal.SIGUSR1)
            (held,) = nr.wait_said("memory held by the log queue now: ([0-9]+)")
            assert int(held) > 16 << 20, "it was full"
            flag.unlink()
        server.wait_results(1)
        nr.stop()
    log = logs.load(root, 1)
    assert log.bytes("c") == log.bytes("s") == b"before" + pattern(1, 0, 60_000_000)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_hanging_disk_does_not_keep_it_from_ending(hanging, number):
    server = Server(echo)
    nr, flag, _ = hanging(server.address, "--log-stall", "1s", "--grace", "1s")
    sock = connect(nr.address)
    talk(sock, b"before")
    flag.touch()
    talk(sock, b"while it hangs")
    nr.signal(number)
    assert recv_until_end(sock)[0] == b""
    assert nr.wait(20) in (1, 2), "what could not be written is no success"
    sock.close()
    server.close(quiet=True)


@pytest.mark.core
def test_descriptor_limit_without_spin(netrecord, logroot):
    """64 descriptors, 500 clients: most wait in the backlog, at rest, and all are served in the end."""
    count = 500

    def serve(sock, _number):
        data = recv_all(sock)
        sock.sendall(data)

    with Server(serve) as server:
        nr = netrecord(server.address, nofile=64)
        socks = [connect(nr.address) for _ in range(count)]
        for number, sock in enumerate(socks):
            sock.sendall(pattern(number, 0, 1000))
        wait_until(lambda: server.accepted >= 10, "the first ones are served")
        time.sleep(0.3)
        assert server.accepted < count
        used = nr.cpu_seconds()
        time.sleep(1.0)
        used = nr.cpu_seconds() - used
        assert used < 0.25, f"{used} s of processor time in a second of waiting"
        for number, sock in enumerate(socks):
            sock.shutdown(socket.SHUT_WR)
        for number, sock in enumerate(socks):
            assert recv_all(sock) == pattern(number, 0, 1000)
            sock.close()
        assert nr.descriptors() <= 64
        server.wait_results(count)
        nr.stop()
    sent = sorted(log.bytes("c") for log in logs.load_all(logroot).values())
    assert sent == sorted(pattern(number, 0, 1000) for number in range(count))
    assert all(event["lost"] == 0 for event in logs.closed(logroot).values())


@pytest.mark.core
@pytest.mark.parametrize("hot", [False, True], ids=["idle", "half-closed"])
def test_no_spin_at_rest(netrecord, hot):
    """Idle connections, and ones of which one side has ended, use no processor time."""
    with Server(hold) as server:
        nr = netrecord(server.address)
        socks = [connect(nr.address) for _ in range(50)]
        for sock in socks:
            sock.sendall(b"x")
            if hot:
                sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: server.accepted == 50, "all are connected")
        if hot:
            server.wait_results(50)
        time.sleep(0.3)
        used = nr.cpu_seconds()
        time.sleep(1.0)
        assert nr.cpu_seconds() - used < 0.15
        for sock in socks:
            sock.close()
        nr.stop(signal.SIGINT)


@pytest.mark.core
def test_no_spin_when_a_reset_waits_behind_a_slow_reader(netrecord):
    """A reset client's socket is ready for ever while its bytes wait for the slow server."""
    with Server(lambda sock, _: time.sleep(2.5)) as server:
        nr = netrecord(server.address)
        sock = connect(nr.address)
        sock.setblocking(False)
        sent = 0
        while sent < 64 << 20:
            try:
                sent += sock.send(b"x" * 100_000)
            except BlockingIOError:
                time.sleep(0.2)
                try:
                    sent += sock.send(b"x")
                except BlockingIOError:
                    break
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        time.sleep(0.2)
        used = nr.cpu_seconds()
        time.sleep(1.0)
        assert nr.cpu_seconds() - used < 0.25
        server.wait_results(1)
        nr.stop(signal.SIGINT)


def test_refusing_server_under_many_clients(netrecord, logroot):
    """Two hundred clients of a server that is not there: all end, nothing leaks."""
    nr = netrecord(("127.0.0.1", free_port()))
    before = nr.descriptors()
    Many(lambda _: get_nothing(nr.address), 200).run()
    wait_until(lambda: len(logs.closed(logroot)) == 200, "all are closed")
    wait_until(lambda: nr.descriptors() <= before + 2, "descriptors are given back")
    nr.stop()
    assert all(event["end"] == "refused" for event in logs.closed(logroot).values())


@pytest.mark.core
def test_metrics_file(netrecord, logroot, folder):
    metrics = folder / "metrics.prom"
    with Server(echo) as server:
        nr = netrecord(server.address, "--metrics", metrics)
        for _ in range(3):
            assert exchange(nr.address, pattern(1, 0, 1000)) == pattern(1, 0, 1000)
        with connect(nr.address) as sock:
            talk(sock, b"open")
            wait_until(lambda: metric(metrics, "client_bytes") == 3004, "the file is renewed by itself")
        server.wait_results(4)
        nr.stop()
    values = prometheus(metrics.read_text())
    assert values["netrecord_client_bytes_total"] == values["netrecord_server_bytes_total"] == 3004
    assert values["netrecord_lost_bytes_total"] == 0
    assert 4 in values.values() and all(name.startswith("netrecord_") for name in values)
    assert [path.name for path in folder.iterdir() if "metrics" in path.name] == ["metrics.prom"]


def prometheus(text):
    """The samples of a file in Prometheus text format, each announced by its TYPE."""
    values, types = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        elif not line.startswith("#"):
            name, value = line.split(" ")
            assert name not in values
            values[name] = float(value)
    for name in values:
        assert types[name] == ("counter" if name.endswith("_total") else "gauge")
    return values


def test_metrics_file_that_cannot_be_written_is_told_at_start(folder):
    done = run(BIN / "netrecord", "--metrics", folder / "no" / "m", "127.0.0.1", "1", "0", folder / "log", check=False)
    assert done.returncode == 2
    assert b"metrics" in done.stderr or b"no/m" in done.stderr
