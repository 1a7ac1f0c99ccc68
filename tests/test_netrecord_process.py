"""The process among others: its descriptors, its children, its standard streams, the files in its way."""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import logs
from harness.peers import Server, connect, echo, exchange, get_nothing, pattern, recv_exactly
from harness.proc import BIN, PATIENCE, links, run, settled, wait_until
from harness.services import accepts, free_port


@pytest.fixture
def server():
    with Server(echo) as server:
        yield server


def script(folder, text):
    path = folder / "script"
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path


def children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def test_exec_inherits_nothing(netrecord, server, folder, logroot):
    """No socket or log is open in the command, no signal is blocked or ignored, and its stdin is empty."""
    told = folder / "told"
    signals = f'while read -r line; do [[ $line != Sig* ]] || echo "$line"; done </proc/$$/status >{told}.signals'
    command = script(folder, f"{signals}; readlink /proc/$$/fd/* >{told}.fds; cat >{told}.stdin; : >{told}")
    nr = netrecord(server.address, "-x", command)
    with connect(nr.address) as other:
        other.sendall(b"open meanwhile")
        assert recv_exactly(other, 14) == b"open meanwhile"
        assert exchange(nr.address, b"x") == b"x"
        wait_until(told.exists, "the command ran")
    inherited = [line for line in (folder / "told.fds").read_text().splitlines() if re.match("socket|anon_inode", line)]
    assert inherited == []
    assert str(logroot) not in (folder / "told.fds").read_text()
    masks = dict(line.split(":\t") for line in (folder / "told.signals").read_text().splitlines())
    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) & 1 << (signal.SIGPIPE - 1) == 0
    assert (folder / "told.stdin").read_bytes() == b""
    nr.stop()


def test_exec_runs_at_the_usual_priority(netrecord, server, folder):
    """The thread that starts it may be one that only runs on idle processors."""
    told = folder / "told"
    nr = netrecord(server.address, "-x", script(folder, f"cat /proc/$$/stat >{told}.part; mv {told}.part {told}"))
    for number in range(3):  # what it has written once, it may rest before the next
        assert exchange(nr.address, b"x") == b"x"
        wait_until(told.exists, "the command ran")
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
        assert int(told.read_text().rpartition(")")[2].split()[38]) == os.SCHED_OTHER
        told.unlink()
    nr.stop()


def test_logs_and_connections_have_tables_of_their_own(netrecord, server, logroot):
    """The thread that writes logs holds no connection open, and the other no log."""
    nr = netrecord(server.address)
    with connect(nr.address) as sock:
        sock.sendall(b"x")
        assert recv_exactly(sock, 1) == b"x"
        wait_until(lambda: len(logs.index(logroot)) == 1, "the log is there")
        tables = {int(task.name): {what for _, what in links(task / "fd")} for task in Path(f"/proc/{nr.pid}/task").iterdir()}
        connections = tables.pop(nr.pid)
        (written,) = tables.values()
    assert len([what for what in connections if what.startswith("socket:")]) == 4, "two that listen, two of the connection"
    assert f"{logroot}_1" not in connections  # the other thread closes it when it is idle
    assert not [what for what in written if what.startswith("socket:")]
    nr.stop()


def test_exec_leaves_no_zombies(netrecord, server, folder):
    nr = netrecord(server.address, "-x", "/bin/true", "--rotate", "500")
    for _ in range(20):
        assert exchange(nr.address, pattern(1, 0, 2000)) == pattern(1, 0, 2000)
    wait_until(lambda: children(nr.pid) == [], "all children are collected")
    nr.stop()


def test_exec_that_hangs_stops_neither_traffic_nor_the_end(netrecord, server, folder, logroot):
    command = script(folder, f'echo $$ >>{folder}/pids; exec sleep 1000')
    nr = netrecord(server.address, "-x", command, "--grace", "1s")
    try:
        for number in range(10):
            assert exchange(nr.address, pattern(number, 0, 5000)) == pattern(number, 0, 5000)
        wait_until((folder / "pids").exists, "the command runs")
        nr.signal(signal.SIGINT)
        nr.wait()
    finally:
        for pid in map(int, (folder / "pids").read_text().split()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    assert [log.bytes("s") for log in logs.load_all(logroot).values()] == [pattern(n, 0, 5000) for n in range(10)]
    assert len(logs.closed(logroot)) == 10


def test_failing_exec_is_told(netrecord, server, folder):
    nr = netrecord(server.address, "-x", script(folder, "exit 7"))
    assert exchange(nr.address, b"x") == b"x"
    nr.wait_said(r"script.* 7")
    nr.stop()


@pytest.mark.core
@pytest.mark.parametrize("verbose", ["-q", "-v", "-vvv"])
def test_closed_stderr_does_no_harm(netrecord, server, logroot, verbose):
    """Whoever read the messages is gone: neither SIGPIPE nor a message into a connection."""
    nr = netrecord(server.address, verbose)
    nr.abandon_stderr()
    for number in range(20):
        assert exchange(nr.address, pattern(number, 0, 3000)) == pattern(number, 0, 3000)
    nr.signal(signal.SIGUSR1)
    assert exchange(nr.address, b"after") == b"after"
    nr.signal(signal.SIGTERM)
    assert nr.child.wait(30) == 0
    assert len(logs.load_all(logroot)) == 21


def stderr_of(kind):
    """Two descriptors: where it is read, and a stderr that soon has no room."""
    if kind == "terminal":
        return pty.openpty()
    if kind == "socket":
        pair = socket.socketpair()
        pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return [end.detach() for end in pair]
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    return reading, writing


def read_until(descriptor, pattern, text=b""):
    """Read on behind `text` until the pattern is there."""
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(pattern, text)):
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"{pattern} did not come behind {text[-1000:]}"
        text += os.read(descriptor, 65536)
    return found


@pytest.mark.parametrize("kind", ["pipe", "terminal", "socket"])
def test_stderr_that_nobody_reads_stops_nothing(server, logroot, kind):
    reading, writing = stderr_of(kind)
    words = [BIN / "netrecord", "-vv", "-b", "127.0.0.1", *map(str, server.address), "0", logroot]
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writing)
    try:
        address = ("127.0.0.1", int(read_until(reading, rb"listening on \S+:(\d+)\s")[1]))
        for _ in range(500):
            assert exchange(address, b"goes on") == b"goes on"
        child.send_signal(signal.SIGUSR1)
        assert exchange(address, b"goes on") == b"goes on"
        text = b""
        while select.select([reading], [], [], 0)[0]:
            text += os.read(reading, 65536)
        exchange(address, b"one more to tell of")
        assert int(read_until(reading, rb"netrecord: (\d+) messages lost: nobody read them\s", text)[1]) > 100
        for _ in range(500):
            exchange(address, b"goes on")
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 0
        assert os.get_blocking(writing), "O_NONBLOCK is set for all who share it"
    finally:
        child.kill()
        child.wait()
        os.close(reading)
        os.close(writing)
    assert len(logs.closed(logroot)) == 1002


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_started_without_standard_streams(server, logroot, closed):
    """What is opened first gets number 0, 1 or 2, and messages must not go into it."""
    port = free_port()
    words = [BIN / "netrecord", "-vv", "-b", "127.0.0.1", "127.0.0.1", server.address[1], port, logroot]
    command = f"exec \"$@\" {closed}"
    child = subprocess.Popen(["sh", "-c", command, "sh", *map(str, words)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: accepts(port), "it listens")
        for number in range(10):
            assert exchange(("127.0.0.1", port), pattern(number, 0, 3000)) == pattern(number, 0, 3000)
        child.send_signal(signal.SIGUSR1)
        assert exchange(("127.0.0.1", port), b"after") == b"after"
        child.terminate()
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
    sent = sorted(log.bytes("c") for log in logs.load_all(logroot).values())
    assert sent[-10:] == sorted([b"after", *(pattern(number, 0, 3000) for number in range(10))])[-10:]


@pytest.mark.parametrize("option", ["-v", "-vv", "-vvv"])
def test_messages_hold_no_control_characters(netrecord, server, option):
    """What passes never reaches the terminal raw, however much is told of it."""
    nr = netrecord(server.address, option)
    payload = bytes(range(256)) + b"\x1b]0;title\x07\x1b[31m\r\n" * 20
    assert exchange(nr.address, payload) == payload
    nr.stop()
    assert len(nr.lines) > 1
    for line in nr.lines:
        assert line.isprintable() and line.isascii(), repr(line)


def test_logroot_with_control_characters(netrecord, folder):
    root = folder / "odd\x1b[31m\nname"
    nr = netrecord(("127.0.0.1", free_port()), "-v", root=root)
    get_nothing(nr.address)
    nr.stop()
    assert len(logs.parts(root)) == 1
    assert "\x1b" not in nr.stderr


@pytest.mark.parametrize("kind", ["fifo", "directory", "dangling link", "socket"])
def test_index_that_is_no_file(folder, kind):
    """Refused at the start, and never waited for."""
    index = folder / "log_index.jsonl"
    if kind == "fifo":
        os.mkfifo(index)
    elif kind == "directory":
        index.mkdir()
    elif kind == "dangling link":
        index.symlink_to(folder / "elsewhere")
    else:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(index))
    done = run(BIN / "netrecord", "127.0.0.1", free_port(), "0", folder / "log", check=False)
    assert done.returncode == 2
    assert b"log_index.jsonl" in done.stderr and done.stderr.count(b"\n") == 1
    assert not (folder / "elsewhere").exists()


def test_fifo_in_the_place_of_a_log(netrecord, server, folder, logroot):
    """Its number is taken; nobody opens it."""
    os.mkfifo(folder / "log_1")
    nr = netrecord(server.address)
    assert exchange(nr.address, b"x") == b"x"
    nr.stop()
    assert logs.load(logroot, 2).bytes("c") == b"x"


def test_memory_does_not_grow_with_connections(netrecord, server):
    """Whatever one megabyte of each of four hundred connections took is used again, within the queue's bound."""
    nr = netrecord(server.address)
    for _ in range(400):
        assert len(exchange(nr.address, pattern(1, 0, 1 << 20))) == 1 << 20
    assert settled(nr.memory) < (64 + 32) << 20
    nr.stop()


def test_client_that_sends_while_the_server_is_being_connected_to(netrecord, logroot):
    """Bytes wait in the kernel, not in memory."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        nr = netrecord(listener.getsockname(), "--connect-timeout", "1h")
        before = nr.memory()
        sock = connect(nr.address)
        sock.setblocking(False)
        sent, deadline = 0, time.monotonic() + 1
        while time.monotonic() < deadline:
            try:
                sent += sock.send(bytes(100_000))
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < 32 << 20
        assert nr.memory() - before < 4 << 20
        nr.stop(signal.SIGINT)
        sock.close()
        for filler in fillers:
            filler.close()


def test_unix_listener_of_systemd(server, folder, logroot, netrecord):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "listener"))
        listener.listen()
        shell = f'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&{listener.fileno()}'
        nr = netrecord(server.address, wrap=["bash", "-c", shell, "bash"], pass_fds=[listener.fileno()])
        assert nr.listening == [f"unix:{folder}/listener"]
        assert exchange(str(folder / "listener"), b"through a socket") == b"through a socket"
        nr.stop()
    (event,) = logs.closed(logroot).values()
    assert event["client"].startswith("unix:")
    assert logs.load(logroot, 1).bytes("s") == b"through a socket"
