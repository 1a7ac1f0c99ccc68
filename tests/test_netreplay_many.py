"""Many logs, and large ones: memory is bound by how many connections there are at a time."""
import os
import random
import resource
import subprocess

import pytest

from harness.netlog import con, data, end
from harness.peers import MIB, Server, echo
from harness.replay import NETREPLAY, at, equal
from harness.scripted import Scripted

pytestmark = pytest.mark.slow


def peak(*argv):
    """Run netreplay; returns its exit status and the peak of its memory in bytes."""
    child = subprocess.Popen([NETREPLAY, *map(str, argv)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_maxrss * 1024


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
    with Server(echo) as server:
        status, small = peak("-t", timing, at(server), few)
        assert status == 0
        status, large = peak("-t", timing, at(server), many)
        assert status == 0 and server.accepted == count + 50
    # besides what a connection needs, a log costs its name and place in the plan
    assert large < small + 8 * MIB + count * 1024, (small, large)


@pytest.mark.parametrize("clients", [100, pytest.param(1500, marks=pytest.mark.slow)])
def test_many_copies_at_once(folder, clients):
    root = write(folder / "log", 4, 1000, span=0.4)
    with Server(echo) as server:
        done = equal("-c", clients, "-o", "json", at(server), root, patience=300)
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
