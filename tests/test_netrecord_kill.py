"""kill -9 at random moments: what is on the disk is a beginning of what passed."""
import json
import random
import re
import shutil
import signal
import time

import pytest

from harness import logs
from harness.proc import netlog, wait_until
from harness.traffic import HELLO, Traffic


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def matches(traffic, log):
    """The log's bytes are a prefix of what its connection's two ends sent."""
    sent, answered = log.bytes("c"), log.bytes("s")
    if len(sent) < HELLO.size:
        assert not answered, f"{log.name}: an answer without the question"
        return
    (number,) = HELLO.unpack_from(sent)
    for side, data in (("c", sent), ("s", answered)):
        assert len(data) <= traffic.sent[side][number], f"{log.name}: more than was sent"
        assert data == traffic.stream(number, side, 0, len(data)), f"{log.name}: not what was sent"


def check_says(path, log):
    """netlog check finds the same end as the independent reader."""
    done = netlog("check", path, check=False)
    if not log.cut:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1, f"{path} is cut at {log.whole} of {log.size}, but check is content"
    told = {int(number) for number in re.findall(rb"byte (\d+)", done.stdout + done.stderr)}
    assert told & {log.whole, log.size}, (log.whole, log.size, done.stdout, done.stderr)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [(), ("-z",), ("--rotate", "50k")], ids=["plain", "gzip", "rotate"])
@pytest.mark.parametrize("rounds", [1, slow(20)])
def test_logs_are_prefixes_of_what_passed(netrecord, folder, options, rounds):
    chance = random.Random()
    connections, cut = 200, 0
    for number in range(rounds):
        root = folder / f"round{number}" / "log"
        root.parent.mkdir()
        with Traffic(connections) as traffic:
            nr = netrecord(traffic.address, *options, root=root)
            traffic.start(nr.address)
            wait_until(
                lambda: traffic.busy() == connections and len(logs.parts(root)) == connections, "all are recorded"
            )
            time.sleep(chance.random())
            nr.signal(signal.SIGKILL)
            assert nr.wait() == -signal.SIGKILL
        assert not traffic.wrong
        for n, paths in logs.parts(root).items():
            log = logs.load(root, n)
            matches(traffic, log)
            cut += log.cut
            if n % 10 == 0 or log.cut:
                check_says(paths[0][1], log)
        assert len(logs.parts(root)) == connections
        assert_only_the_queue_is_missing(traffic, root)
        shutil.rmtree(root.parent)


def assert_only_the_queue_is_missing(traffic, root):
    """The logs are not merely valid: what passed is there, but for what may wait to be written (64M)."""
    logged = sum(len(log.bytes("c")) + len(log.bytes("s")) for log in logs.load_all(root).values())
    passed = sum(traffic.got["c"]) + sum(traffic.got["s"])
    assert logged > 0 and passed - logged <= 64 << 20, (logged, passed)


def test_repair_keeps_whole_records(netrecord, folder, logroot):
    """As --repair is made for exactly this: a log cut by a kill becomes a log of its whole records."""
    with Traffic(50) as traffic:
        nr = netrecord(traffic.address)
        traffic.start(nr.address)
        wait_until(lambda: traffic.busy() == 50 and 1 in logs.parts(logroot), "all are busy, and recorded")
        nr.signal(signal.SIGKILL)
        nr.wait()
    (_, path), *_ = logs.parts(logroot)[1]
    data = path.read_bytes()
    cut = data[: logs.parse(data).whole] + b"c 99.000000 1000\nonly part of it"
    path.write_bytes(cut)
    assert netlog("check", path, check=False).returncode == 1
    netlog("check", "--repair", path, check=False)
    assert path.read_bytes() == data[: logs.parse(data).whole]
    assert netlog("check", path).returncode == 0


def test_recording_goes_on_after_a_kill(netrecord, logroot):
    """The next run continues the numbering, and the index that the kill may have cut is still appended to."""
    with Traffic(20) as traffic:
        nr = netrecord(traffic.address)
        traffic.start(nr.address)
        wait_until(lambda: traffic.busy() == 20 and len(logs.index(logroot)) == 20, "all connections are busy")
        nr.signal(signal.SIGKILL)
        nr.wait()
    index = logroot.with_name("log_index.jsonl")
    index.write_bytes(index.read_bytes()[:-10])
    with Traffic(5) as traffic:
        nr = netrecord(traffic.address)
        traffic.start(nr.address)
        wait_until(lambda: traffic.busy() == 5, "all connections are busy")
        nr.stop(signal.SIGINT)
    assert sorted(logs.parts(logroot)) == list(range(1, 26))
    lines = index.read_text().splitlines()
    good = [line for line in lines if is_json(line)]
    assert len(good) == len(lines) - 1, "only the line that was cut is damaged"
    assert sum('"open"' in line for line in good) == 19 + 5
    assert sum('"close"' in line for line in good) == 5


def is_json(line):
    try:
        json.loads(line)
        return True
    except ValueError:
        return False
