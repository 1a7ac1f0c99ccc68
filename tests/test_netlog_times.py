"""Times that no recorder writes: whatever a damaged log or index holds, sums and differences stay at their ends."""
import re
import signal
import subprocess

import pytest

from harness.netlog import NETLOG, con, entry, good, run, write
from harness.proc import wait_until

pytestmark = pytest.mark.core

FIRST, LAST = -9223372034, 9223372034  # of what both a log and the index can hold
LONGEST = "2562047h 47m"


def record(side, time, payload=None):
    what = b"hup" if payload is None else b"%d\n%s" % (len(payload), payload)
    return b"%s %d.000000 %s" % (side, time, what) + (b"\n" if payload is None else b"")


FORWARD = [con(FIRST), record(b"c", FIRST, b"a"), record(b"s", LAST, b"b"), record(b"c", LAST)]
BACKWARD = [con(LAST), record(b"c", LAST, b"a"), record(b"s", FIRST, b"b"), record(b"c", FIRST)]
# wall clock and time of two connections
INDEXES = {
    "none": [],
    "late": [("2262-01-01T00:00:00Z", -9223372036.0), ("2026-01-01T00:00:00Z", 0.0)],
    "early": [("1678-01-01T00:00:00Z", 9223372036.0), ("2026-01-01T00:00:00Z", 0.0)],
    "far": [("1678-01-01T00:00:00Z", 9223372036.0), ("2262-01-01T00:00:00Z", -9223372036.0)],
}


def recording(folder, index):
    write(folder / "log_1", FORWARD)
    write(folder / "log_2", BACKWARD)
    write(folder / "log_3", [con(0), record(b"c", 1, b"a"), record(b"s", 2, b"b"), record(b"c", 3)])
    lines = [
        entry(n, start, time, run=f"run-{n}", duration=duration, connect=duration)
        for n, ((start, time), duration) in enumerate(zip(INDEXES[index], (9223372036.0, -9223372036.0)), start=1)
    ]
    if lines:
        (folder / "log_index.jsonl").write_text("".join(lines))
    return folder / "log"


@pytest.mark.parametrize("index", INDEXES)
def test_every_command_copes(folder, index):
    root = recording(folder, index)
    for command in ("list", "show -v", "show --slow 1", "stat -v", "check", "json", "html", "pcap -w -", "pcap -F pcap -w -"):
        assert run(*command.split(), root).returncode == 0, command
    assert run("diff", f"{root}_1", root).returncode in (0, 1)
    for command in ("merge", "redact -e a"):
        assert run(*command.split(), "-o", folder / "new", root).returncode == 0, command
    good("list", folder / "new")
    assert run("check", folder / "new").returncode == 0, "what is written can be read again"


@pytest.mark.parametrize("index", INDEXES)
def test_following(folder, index):
    root = recording(folder, index)
    with open(folder / "out", "wb") as out:
        child = subprocess.Popen([NETLOG, "show", "-f", "-v", root], stdout=out, stderr=subprocess.PIPE)
        try:
            # the one that no index says is closed is followed
            wait_until(lambda: b"c> hup" in (folder / "out").read_bytes(), "the log is shown")
            write(folder / "log_4", FORWARD)
            wait_until(lambda: b"log_4 <s 1 byte" in (folder / "out").read_bytes(), "the new log is shown")
        finally:
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (0, b"")


def test_longest_duration_and_response(folder):
    root = write(folder / "log_1", FORWARD)
    assert re.search(rf"^1 +-9223372034\.000000 +{LONGEST} ", good("list", root), re.M)
    assert f"9223372034.000000 <s 1 byte after {LONGEST}\n" in good("show", root)
    shown = good("stat", root)
    assert re.search(rf"^time +{LONGEST}$", shown, re.M)
    assert re.search(rf"^response time +min {LONGEST}, .* max {LONGEST}$", shown, re.M)
    assert re.search(rf" -{LONGEST} ", good("list", write(folder / "back_1", BACKWARD)))


def test_wall_clock_is_exact_where_it_can_be(folder):
    write(folder / "log_1", [con(FIRST), record(b"c", FIRST + 1)])
    (folder / "log_index.jsonl").write_text(entry(1, "2262-01-01T00:00:00.000000Z", float(FIRST)))
    assert good("show", "-v", folder / "log").startswith("2262-01-01 00:00:00.000000 -9223372034.000000 c> con")
    assert re.search(r"^time +1\.00 s$", good("stat", folder / "log"), re.M)
