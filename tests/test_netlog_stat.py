"""netlog stat: bytes, rates, turns."""
import re

import pytest

from harness.netlog import SAMPLE, con, data, end, entry, good, run, write

pytestmark = pytest.mark.core


def fields(text):
    """The lines 'name   value' of one block."""
    pairs = [re.split(r"  +", line, maxsplit=1) for line in text.splitlines() if not line.startswith(" ")]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def test_one_log(folder):
    shown = fields(good("stat", write(folder / "log_1")))
    # percentiles are exact to 1%
    assert re.fullmatch(r"min 50\.00 ms, p50 50\.\d\d ms, (p9\S* (49\d|50\d)\.\d\d ms, ){3}max 500\.00 ms", shown.pop("response time"))
    assert shown == {
        "connections": "1",
        "ended": "s hup 1",
        "records": "8",
        "time": "2.40 s",
        "client bytes": "13 in 2 records, 5 a second",
        "server bytes": "18 in 3 records, 7 a second",
        "turns": "2",
    }


def test_percentiles_and_histogram(folder):
    records = [con(0)]
    for i in range(1, 1001):
        # 990 answers after i us, ten slow ones
        delay = i if i <= 990 else 1000000
        records += [data("c", i * 10, b"q"), data("s", i * 10 + delay / 1e6, b"a")]
    text = good("stat", write(folder / "log_1", records))
    times = re.search(r"response time +(.*)", text)[1]
    assert fields(text)["turns"] == "1000"
    values = dict(re.findall(r"(\S+) (\d+) us", times))
    for percent, expected in {"p50": 500, "p90": 900, "p99": 990}.items():
        assert abs(int(values[percent]) - expected) <= expected * 0.01 + 1, times
    assert times.startswith("min 1 us") and times.endswith("max 1.00 s")
    rows = re.findall(r"^ +\d.* to .*?(\d+)(?:  (#+))?$", text, re.M)
    assert sum(int(count) for count, _ in rows) == 1000
    assert max(len(bar) for _, bar in rows) == 40
    assert all(bool(bar) == (int(count) > 0) for count, bar in rows)


def test_several_logs_are_one_block_and_verbose_shows_each(folder):
    write(folder / "log_1")
    write(folder / "log_2", [con(1), data("c", 2, b"x" * 5000), end("c", 3), end("s", 5, "err")])
    write(folder / "log_3", [con(0)])
    total = fields(good("stat", folder / "log"))
    assert total["connections"] == "3"
    assert total["ended"] == "s hup 1, s err 1, no end record 1"
    assert total["records"] == "13"
    assert total["time"] == "5.00 s"
    assert total["client bytes"].startswith("5013 (4.9K) in 3 records")
    assert "max 4.00 s" in total["duration"]
    blocks = good("stat", "-v", folder / "log").split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [f"{folder}/log_{n}:" for n in (1, 2, 3)] + ["total:"]
    assert fields(blocks[3]) == total
    assert fields(blocks[0])["turns"] == "2" and fields(blocks[1])["turns"] == "0"


def test_time_of_several_runs_is_wall_clock(folder):
    for n in (1, 2):
        write(folder / f"log_{n}", [con(0), end("c", 1)])
    (folder / "log_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:00.000000Z", 0, run="a") + entry(2, "2026-11-20T11:00:00.000000Z", 0, run="b", lost=99)
    )
    total = fields(good("stat", folder / "log"))
    assert total["time"] == "1h 00m"
    assert total["lost bytes"] == "99"


def test_time_is_that_of_the_logs_where_a_wall_clock_is_unknown(folder):
    for n in (1, 2):
        write(folder / f"log_{n}", [con(n), end("c", n + 1)])
    (folder / "log_index.jsonl").write_text(entry(1, None, 1.0) + entry(2, "2026-11-20T11:00:00.000000Z", 2.0))
    assert fields(good("stat", folder / "log"))["time"] == "2.00 s"


def test_damaged_log_is_counted_as_far_as_it_goes(folder):
    result = run("stat", write(folder / "log_1", b"".join(SAMPLE)[:-1]))
    assert result.returncode == 1
    shown = fields(result.stdout.decode())
    assert (shown["ended"], shown["records"]) == ("damaged 1", "7")


def test_bytes_that_are_not_there_are_not_counted(folder):
    # a length of 2^64 - 1, of which two would make less than one
    for n in (1, 2):
        write(folder / f"log_{n}", b"".join([con(0), data("c", 0.1, b"hello"), b"s 0.200000 18446744073709551615\nabc"]))
    result = run("stat", folder / "log")
    shown = fields(result.stdout.decode())
    assert result.returncode == 1
    assert (shown["ended"], shown["records"], shown["turns"]) == ("damaged 2", "4", "0")
    assert shown["client bytes"].startswith("10 in 2 records")
    assert shown["server bytes"].startswith("0 in 0 records")
    write(folder / "cut_1", b"".join([con(0), data("c", 0.5, b"hello"), b"s 2.000000 7\nabc"]))
    assert fields(run("stat", folder / "cut_1").stdout.decode())["time"] == "500.00 ms"
