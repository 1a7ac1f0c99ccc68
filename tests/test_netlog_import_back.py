"""Logs, to a capture by netlog pcap, and back by netlog import: nothing is lost and nothing moves."""
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import logs, netlog
from harness.netlog import good

MICROSECONDS = st.one_of(st.just(0), st.integers(1, 2000), st.integers(1, 3_000_000))
SIZES = st.one_of(st.integers(1, 40), st.sampled_from([1459, 1460, 1461, 2920, 4096, 65535, 65536, 150_000]))
STEPS = st.lists(st.tuples(st.sampled_from("cs"), st.sampled_from(["data"] * 6 + ["hup"]), SIZES, MICROSECONDS), max_size=12)
ENDS = st.sampled_from(["", "c err", "s err", "c hup, s hup", "s hup, c hup", "c hup, s err"])


def payload(seed, size):
    """Bytes that differ from place to place and from record to record."""
    unit = b"%d\x00\xff\r\n" % (seed * 7919 + size)
    return (unit * (size // len(unit) + 1))[:size]


def log_of(begin, steps, ends):
    """Records (side, kind, microseconds, bytes) that a recorder could have written."""
    records, over, now = [("c", "con", begin, b"")], set(), begin
    last = [(side, kind, 0, 1) for side, kind in (end.split() for end in ends.split(", ") if end)]
    for side, kind, size, pause in [*steps, *last]:
        now += pause
        if "err" in over or len(over) == 2 or (side in over and kind != "err"):
            continue
        records.append((side, kind, now, payload(len(records), size) if kind == "data" else b""))
        if kind != "data":
            over.add("err" if kind == "err" else side)
    return records


def written(records):
    out = []
    for side, kind, time, content in records:
        out.append(netlog.con(time / 1e6) if kind == "con" else netlog.data(side, time / 1e6, content) if kind == "data" else netlog.end(side, time / 1e6, kind))
    return b"".join(out)


def joined(records):
    """Data of one side at the same time as one record: a record may be many segments."""
    out = []
    for side, kind, time, content in records:
        if out and kind == "data" and out[-1][:3] == (side, kind, time):
            out[-1] = (side, kind, time, out[-1][3] + content)
        else:
            out.append((side, kind, time, content))
    return out


def read(log):
    return joined((r.side, r.kind, round(r.time * 1e6), r.data) for r in log.records)


def back(folder, recordings, *options):
    """What comes back of logs, in the order in which they began."""
    for n, records in enumerate(recordings, 1):
        netlog.write(folder / f"log_{n}", written(records))
    good("pcap", *options, "-w", folder / "capture", folder / "log")
    good("import", folder / "capture", folder / "back")
    return [read(log) for log in logs.load_all(folder / "back").values()]


def expected(recordings):
    zero = min(records[0][2] for records in recordings)
    return [joined((side, kind, time - zero, content) for side, kind, time, content in records) for records in recordings]


@given(
    st.lists(st.tuples(st.integers(0, 5_000_000), STEPS, ENDS), min_size=1, max_size=3),
    st.sampled_from([(), ("-F", "pcap"), ("--client", "[::1]", "--server", "[2001:db8::1]:80"), ("--mss", "100")]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_logs_come_back(connections, options):
    recordings = [log_of(*connection) for connection in connections]
    folder = Path(tempfile.mkdtemp(prefix="netrecord-test-"))
    try:
        found = back(folder, recordings, *options)
        # two that begin in the same microsecond have no order
        assert sorted(found, key=repr) == sorted(expected(recordings), key=repr)
        begins = [log[0][2] for log in found]
        assert begins == sorted(begins)
    finally:
        shutil.rmtree(folder)


@pytest.mark.core
def test_one_log_comes_back(folder):
    recording = log_of(1_250_000, [("c", "data", 10, 5), ("s", "data", 70_000, 100), ("c", "hup", 1, 3), ("s", "data", 5, 9)], "s hup")
    assert back(folder, [recording]) == expected([recording])


def test_index_comes_back(folder):
    """Addresses, wall clock, and the time that the server took to accept."""
    recording = log_of(250_000, [("c", "data", 10, 5000), ("s", "data", 20, 100)], "c hup, s hup")
    start = "2026-11-21T03:02:01.123456Z"
    entry = netlog.entry(1, start, 0.25, client="[2001:db8::9]:4711", server="[::1]:6379", duration=0.0051, connect=0.002)
    (folder / "log_index.jsonl").write_text(entry)
    assert back(folder, [recording]) == expected([recording])
    found = logs.closed(folder / "back")[1]
    assert (found["start"], found["client"], found["server"]) == (start, "[2001:db8::9]:4711", "[::1]:6379")
    assert found["connect"] == 0.002 and found["end"] == "s hup"


@pytest.mark.slow
def test_more_than_four_gigabytes(folder):
    """Sequence numbers wrap, twice where they begin high; the bytes come back."""
    size, piece = (4 << 30) + (100 << 20), bytes(range(256)) * 4096
    with open(folder / "log_1", "wb") as file:
        file.write(netlog.con(1))
        for n in range(size // len(piece)):
            file.write(b"s %.6f %d\n" % (1 + n / 1000, len(piece)))
            file.write(piece)
        file.write(netlog.end("s", 20) + netlog.end("c", 21))
    good("pcap", "-w", folder / "capture", folder / "log_1")
    good("import", folder / "capture", folder / "back")
    good("diff", "-q", folder / "log_1", folder / "back_1")
    closing = logs.closed(folder / "back")[1]
    assert closing["server_bytes"] == size // len(piece) * len(piece) and closing["end"] == "c hup"
