"""Many logs, and large ones: memory is bound by how many connections there are at a time."""
import random
import resource
import subprocess
import sys

import pytest

from harness.netlog import con, data, end
from harness.peers import MIB, EchoServer, Server, echo
from harness.proc import run
from harness.replay import NETREPLAY, at, equal
from harness.scripted import Scripted


# A child's peak begins with what its parent holds when it is made: so that is a small process of its own.
MEASURE = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak(*argv):
    """Run netreplay; returns its exit status and the peak of its memory in bytes (of some MB at least)."""
    done = run(sys.executable, "-S", "-c", MEASURE, NETREPLAY, *argv, patience=600)
    status, kilobytes = map(int, done.stdout.split())
    return status, kilobytes * 1024


def write(root, count, size, span=0.02, step=0.001):
    """`count` logs of an echoed message of `size` bytes; some span/step of them overlap at any time."""
    payload = random.Random(count).randbytes(size)
    for n in range(1, count + 1):
        begin, text = (n - 1) * step, b"%d\n" % n + payload
        records = [con(begin), data("c", begin + span / 4, text), data("s", begin + span / 2, text)]
        records += [end("c", begin + span), end("s", begin + span + 0.0001)]
        root.with_name(f"{root.name}_{n}").write_bytes(b"".join(records))
    return root


@pytest.mark.parametrize("timing", ["recorded", "fast"])
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_logs_in_one_process(folder, count, timing):
    few = write(folder / "few", 50, 10_000)
    many = write(folder / "many", count, 10_000)
    there, most = set(), 0

    def session(sock, number):
        nonlocal most
        there.add(number)
        most = max(most, len(there))
        echo(sock)
        there.discard(number)

    with Server(session) as server:
        status, small = peak("-t", timing, at(server), few)
        assert status == 0
        status, large = peak("-t", timing, at(server), many)
        assert status == 0 and server.accepted == count + 50
    # a log costs its name and place in the plan; the rest is what connections that are there at a time need
    assert large < small + 4 * MIB + count * 1024 + most * 100 * 1024, (small, large, most)


@pytest.mark.parametrize("size", [50 * MIB, pytest.param(600 * MIB, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_log(folder, size):
    turn = random.randbytes(MIB)
    path = folder / "log_1"
    with open(path, "wb") as log:
        log.write(con())
        for n in range(size // MIB):
            log.write(data("c", 0.001 * n, b"go\n"))
            log.write(data("s", 0.001 * n + 0.0005, turn))
        log.write(end("c", 0.001 * size // MIB + 1) + end("s", 0.001 * size // MIB + 1))
    with Scripted([(b"go\n", turn)] * (size // MIB)) as server:
        status, most = peak("-t", "fast", at(server), path)
        assert status == 0
        assert server.wait_results(1) == ["done"]
    assert most < 24 * MIB, most


@pytest.mark.parametrize("clients", [100, pytest.param(1500, marks=pytest.mark.slow)])
def test_many_copies_at_once(folder, clients):
    root = write(folder / "log", 4, 1000, span=0.4)
    with EchoServer() as server:
        done = equal("-c", clients, "--timeout", "1m", "-o", "json", at(server), root, patience=300)
    assert done.json["summary"]["connections"]["equal"] == 4 * clients == server.accepted


def test_more_connections_than_descriptors(folder):
    """It raises its limit as far as it may; beyond that connections fail, and are told to."""
    root = write(folder / "log", 200, 10, span=0.9, step=0.0001)

    def low():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    with Server(echo) as server:
        done = subprocess.run([NETREPLAY, at(server), root], capture_output=True, preexec_fn=low, timeout=120)
        assert done.returncode in (1, 2), done
        assert b"descriptors" in done.stdout + done.stderr or b"open files" in done.stdout + done.stderr
