"""netrecord -w: a capture while it happens, which never stands in the way of traffic or recording."""
import os
import pty
import signal
import socket
import subprocess
import threading

import pytest

from harness import logs, tshark
from harness.netlog import good
from harness.peers import Many, Server, connect, echo, exchange, get_nothing, hold, leaving, pattern, recv_exactly, reset
from harness.proc import BIN, run, settled, wait_until

MEGABYTE = 1 << 20
STALL = 64 * MEGABYTE  # both ways more than the queue and a pipe hold


@pytest.fixture
def live(folder):
    return folder / "live.pcapng"


def exported(folder, logroot):
    good("pcap", "-w", folder / "later.pcapng", logroot)
    return folder / "later.pcapng"


def packets(path):
    """What each connection's packets are, without their times: a list of lists."""
    found = {}
    names = ["tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.len", "tcp.flags", "tcp.seq", "tcp.ack"]
    for stream, source, target, *rest in tshark.fields(path, *names):
        found.setdefault(stream, []).append((int(source), int(target), *rest))
    return sorted(found.values())


def same_bytes(logroot, capture):
    recorded = logs.load_all(logroot)
    found = tshark.streams(capture, len(recorded))
    assert sorted((stream.sent["c"], stream.sent["s"]) for stream in found) == sorted(
        (log.bytes("c"), log.bytes("s")) for log in recorded.values()
    )


def test_next_request_waits_for_the_one_before_to_be_seen(netrecord):
    """The reader of a pipe sees each record at once, not when some buffer is full."""
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", "-", stdout=subprocess.PIPE)
        wanted = ["-Y", "tcp.payload", "-T", "fields", "-e", "tcp.payload"]
        reader = subprocess.Popen(
            ["tshark", "-n", "-l", "-r", "-", *wanted],
            stdin=recorder.child.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        recorder.child.stdout.close()
        try:
            with connect(recorder.address) as sock:
                for n in range(100):
                    sock.sendall(b"request %d" % n)
                    for _ in range(2):
                        assert bytes.fromhex(reader.stdout.readline().decode()) == b"request %d" % n
                    assert recv_exactly(sock, len(b"request %d" % n)) == b"request %d" % n
            recorder.stop()
            assert reader.stdout.readline() == b"", "nothing was sent any more"
            assert reader.wait(30) == 0
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()


@pytest.mark.core
def test_same_packets_as_of_the_logs(folder, netrecord, logroot, live):
    """Many connections at once, ended in every way."""

    def serve(sock, _):
        request = sock.recv(100)
        sock.sendall(pattern(1, 0, 5000))
        if request == b"reset":
            reset(sock)
        elif request == b"close":
            sock.close()
        else:
            leaving(echo)(sock)

    def client(number, _=0):
        with connect(recorder.address) as sock:
            sock.sendall([b"reset", b"close", b"half", b"leave", b"fail"][number % 5])
            recv_exactly(sock, 5000)
            if number % 5 == 2:
                sock.sendall(pattern(number, 0, 70_000))
                sock.shutdown(socket.SHUT_WR)
                recv_exactly(sock, 70_000)
            if number % 5 == 4:
                reset(sock)
            else:
                leaving(hold)(sock) if number % 5 != 3 else None

    with Server(serve) as server:
        recorder = netrecord(server.address, "-w", live)
        Many(leaving(client), 40).run()
        wait_until(lambda: len(logs.closed(logroot)) == 40, "all are over")
        recorder.stop()
    assert live.stat().st_mode & 0o777 == 0o600
    assert tshark.complaints(live) == []
    assert packets(live) == packets(exported(folder, logroot))
    same_bytes(logroot, live)


def test_server_that_refuses(folder, netrecord, logroot, live):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        recorder = netrecord(sock.getsockname(), "-w", live)
        get_nothing(recorder.address)
        wait_until(lambda: logs.closed(logroot), "it is over")
        recorder.stop()
    assert [flags for _, _, _, flags, *_ in packets(live)[0]] == ["0x0002", "0x0014"]
    assert packets(live) == packets(exported(folder, logroot))


def test_unix_server_and_ipv6_client(netrecord, folder, live):
    with Server(echo, family=socket.AF_UNIX, path=folder / "sock"):
        recorder = netrecord(f"unix:{folder}/sock", "-b", "::1", "-w", live)
        assert exchange(("::1", recorder.port), b"hello") == b"hello"
        recorder.stop()
    assert tshark.complaints(live) == []
    assert {source for source, in tshark.fields(live, "ipv6.src")} == {"::1", "::ffff:198.51.100.1"}


def test_name_of_the_server(netrecord, live):
    with Server(echo) as server:
        recorder = netrecord(("localhost", server.address[1]), "-4", "-w", live)
        exchange(recorder.address, b"hello")
        recorder.stop()
    assert "127.0.0.1\tlocalhost" in tshark.tshark("-r", live, "-q", "-z", "hosts")


@pytest.mark.core
def test_reader_that_goes_away(netrecord, logroot):
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", "-", stdout=subprocess.PIPE)
        with connect(recorder.address) as sock:
            sock.sendall(b"one")
            assert recv_exactly(sock, 3) == b"one"
            recorder.child.stdout.close()
            sock.sendall(b"two")
            assert recv_exactly(sock, 3) == b"two"
        assert exchange(recorder.address, b"three") == b"three"
        assert "the live capture ends" in recorder.stop()
    assert [log.bytes("s") for log in logs.load_all(logroot).values()] == [b"onetwo", b"three"]


@pytest.mark.slow
def test_reader_that_stalls(folder, netrecord, logroot):
    """What does not fit ends its connection in the capture; the recording knows nothing of it."""
    sent = pattern(3, 0, STALL)
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", "-", "--metrics", folder / "metrics", stdout=subprocess.PIPE)
        with connect(recorder.address) as sock:
            writer = threading.Thread(target=sock.sendall, args=(sent,))
            writer.start()
            assert recv_exactly(sock, STALL) == sent
            writer.join()
            recorder.wait_said("too slow: connection #1 ends in the capture")
            # once it is read again, new connections are in it again
            capture = []
            reader = threading.Thread(target=lambda: capture.extend(iter(lambda: recorder.child.stdout.read1(MEGABYTE), b"")))
            reader.start()
            settled(lambda: len(capture))
            assert exchange(recorder.address, b"later") == b"later"
            sock.sendall(b"still recorded")
            assert recv_exactly(sock, 14) == b"still recorded"
        recorder.stop()
        reader.join()
    log = logs.load(logroot, 1)
    assert log.bytes("c") == log.bytes("s") == sent + b"still recorded"
    assert "netrecord_capture_dropped_total 1\n" in (folder / "metrics").read_text()
    (folder / "live").write_bytes(b"".join(capture))
    up, down, *later = tshark.sent_in_order(folder / "live").values()
    assert 0 < len(up) < STALL and sent.startswith(up) and sent.startswith(down)
    assert later == [b"later", b"later"]
    marked = tshark.fields(folder / "live", "frame.comment", "tcp.flags.reset", where=f"tcp.flags.reset==1 or {tshark.SUSPICIOUS}")
    assert marked == [("the reader was too slow: not captured any further", "1")]


def test_end_does_not_wait_for_a_reader_that_stalls(netrecord, logroot):
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", "-", stdout=subprocess.PIPE)
        exchange(recorder.address, pattern(1, 0, MEGABYTE))
        assert "the live capture is not complete" in recorder.stop(signal.SIGINT)
    assert logs.load(logroot, 1).bytes("s") == pattern(1, 0, MEGABYTE)


def test_fifo_whose_reader_comes_late_or_never(folder, netrecord, logroot):
    os.mkfifo(folder / "fifo")
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", folder / "fifo")
        assert exchange(recorder.address, b"early") == b"early"
        with open(folder / "fifo", "rb") as fifo:
            recorder.stop()
            (folder / "live").write_bytes(fifo.read())
        assert tshark.streams(folder / "live", 1)[0].sent == {"c": b"early", "s": b"early"}
        never = netrecord(server.address, "-w", folder / "fifo")
        assert exchange(never.address, b"alone") == b"alone"
        assert "not complete" in never.stop()
    assert logs.load(logroot, 2).bytes("s") == b"alone"


@pytest.mark.core
def test_disk_full(netrecord, logroot):
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", "/dev/full")
        assert exchange(recorder.address, b"hello") == b"hello"
        assert "/dev/full: No space left on device" in recorder.stop()
    assert logs.load(logroot, 1).bytes("s") == b"hello"


def test_commands_do_not_write_into_the_capture(folder, netrecord, logroot):
    (folder / "say").write_text("#!/bin/sh\necho noise from $1\n")
    (folder / "say").chmod(0o755)
    with Server(echo) as server, open(folder / "live", "wb") as file:
        recorder = netrecord(server.address, "-w", "-", "-x", folder / "say", stdout=file)
        exchange(recorder.address, b"hello")
        assert f"noise from {logroot}_1" in recorder.stop()
    assert tshark.streams(folder / "live", 1)[0].sent == {"c": b"hello", "s": b"hello"}


def test_terminal_is_refused(folder):
    master, slave = pty.openpty()
    try:
        words = [BIN / "netrecord", "-w", "-", "127.0.0.1", "9", "0", folder / "log"]
        done = subprocess.run(words, stdout=slave, stderr=subprocess.PIPE, timeout=30, check=False)
        assert done.returncode == 2 and b"terminal" in done.stderr
        words = [BIN / "netlog", "pcap", folder / "log_1"]
        (folder / "log_1").write_bytes(b"c 0.000000 con\n")
        done = subprocess.run(words, stdout=slave, stderr=subprocess.PIPE, timeout=30, check=False)
        assert done.returncode == 2 and b"terminal" in done.stderr
    finally:
        os.close(master)
        os.close(slave)


def test_tcpdump_reads_it_while_it_is_written(netrecord, live):
    """A file, too, has every record as soon as it has passed."""
    with Server(echo) as server:
        recorder = netrecord(server.address, "-w", live)
        with connect(recorder.address) as sock:
            for n in range(20):
                sock.sendall(b"%d" % n)
                recv_exactly(sock, len(b"%d" % n))
                wait_until(lambda: tshark.tcpdump_lines(live) == 3 + 4 * (n + 1), "it is in the file")
    assert run("tcpdump", "-r", live).returncode == 0
