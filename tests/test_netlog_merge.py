"""netlog merge: recordings joined under one logroot, on one clock."""
import json
import os
import stat

import pytest

from harness import logs
from harness.netlog import SAMPLE, con, data, end, entry, good, refused, run, write

pytestmark = pytest.mark.core


def test_two_recordings_share_one_clock(folder):
    # a ran from 10:00:00 (its time 0) on, b from 10:00:30 on
    write(folder / "a_1", [con(1), data("c", 2, b"a1"), end("c", 3)])
    write(folder / "a_2", [con(50), data("c", 51, b"a2"), end("c", 52)])
    write(folder / "b_1", [con(0.5), data("s", 2, b"b1"), end("s", 3, "err")])
    (folder / "a_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:01.000000Z", 1, log="a_1", run="a") + entry(2, "2026-11-20T10:00:50.000000Z", 50, log="a_2", run="a")
    )
    (folder / "b_index.jsonl").write_text(entry(1, "2026-11-20T10:00:30.500000Z", 0.5, log="b_1", run="b", lost=5))
    good("merge", "-o", folder / "new", folder / "b", folder / "a")
    merged = {n: (folder / f"new_{n}").read_bytes() for n in (1, 2, 3)}
    assert merged == {
        1: b"".join([con(1), data("c", 2, b"a1"), end("c", 3)]),
        2: b"".join([con(30.5), data("s", 32, b"b1"), end("s", 33, "err")]),
        3: b"".join([con(50), data("c", 51, b"a2"), end("c", 52)]),
    }
    index = logs.closed(folder / "new")
    assert {n: (e["log"], e["run"], e["time"], e["client"], e["start"], e["lost"]) for n, e in index.items()} == {
        1: ("new_1", "a", 1, "192.0.2.1:40001", "2026-11-20T10:00:01.000000Z", 0),
        2: ("new_2", "b", 30.5, "192.0.2.1:40001", "2026-11-20T10:00:30.500000Z", 5),
        3: ("new_3", "a", 50, "192.0.2.1:40002", "2026-11-20T10:00:50.000000Z", 0),
    }
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.glob("new_*")} == {0o600}


def test_wall_clock_that_was_set_does_not_tear_a_run_apart(folder):
    write(folder / "a_1", [con(0), end("c", 20)])
    write(folder / "a_2", [con(10), end("c", 11)])
    (folder / "a_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:00.000000Z", 0, log="a_1", run="a") + entry(2, "2026-11-20T10:00:42.000000Z", 10, log="a_2", run="a")
    )
    good("merge", "-o", folder / "new", folder / "a")
    assert (folder / "new_2").read_bytes() == con(10) + end("c", 11)


def test_without_an_index_all_start_together(folder):
    write(folder / "a_1", [con(1), end("c", 4)])
    write(folder / "b_1", [con(0.5), end("c", 2)])
    good("merge", "-o", folder / "new", folder / "a", folder / "b")
    assert (folder / "new_1").read_bytes() == con(0.5) + end("c", 2)
    assert (folder / "new_2").read_bytes() == con(1) + end("c", 4)
    assert not (folder / "new_index.jsonl").exists()


def test_unindexed_beside_indexed_is_said_with_verbose(folder):
    write(folder / "a_1", [con(1), end("c", 4)])
    write(folder / "b_1", [con(0.5), end("c", 2)])
    (folder / "a_index.jsonl").write_text(entry(1, "2026-11-20T10:00:01.000000Z", 1, log="a_1"))
    result = run("merge", "-v", "-o", folder / "new", folder / "a", folder / "b")
    assert result.returncode == 0
    assert result.stderr.decode() == f"netlog: {folder}/b_1: not in an index, taken as if recorded from the earliest start on\n"
    assert (folder / "new_1").read_bytes() == con(0.5) + end("c", 2)


def test_parts_are_joined_and_gzip_is_read(folder):
    write(folder / "a_1", SAMPLE[:3])
    write(folder / "a_1.1.gz", SAMPLE[3:5])
    write(folder / "a_1.2", SAMPLE[5:])
    write(folder / "a_2.gz", [con(9), *SAMPLE[1:]])
    good("merge", "-o", folder / "new", folder / "a")
    assert (folder / "new_1").read_bytes() == b"".join(SAMPLE)
    assert (folder / "new_2").read_bytes() == con(9) + b"".join(SAMPLE[1:])
    assert sorted(p.name for p in folder.glob("new_*")) == ["new_1", "new_2"]


def test_gzip_is_written_on_request(folder):
    payload = os.urandom(200000)
    records = [con(), data("s", 1, payload), data("c", 2, b"a" * 1000000)]
    write(folder / "a_1", records)
    good("merge", "-z", "-o", folder / "new", folder / "a")
    assert logs.gzip_is_whole(folder / "new_1.gz")
    assert logs.read_file(folder / "new_1.gz") == b"".join(records)
    assert (folder / "new_1.gz").stat().st_size < 300000


def test_nothing_is_overwritten(folder):
    write(folder / "a_1")
    write(folder / "new_1", b"precious")
    write(folder / "new_5.gz", b"precious")
    (folder / "new_index.jsonl").write_text(entry(7, "2026-11-20T10:00:00.000000Z", 1))
    good("merge", "-o", folder / "new", folder / "a")
    assert (folder / "new_8").read_bytes() == b"".join(SAMPLE)
    assert "merged into itself" in refused("merge", "-o", folder / "a", folder / "a")
    assert (folder / "new_1").read_bytes() == b"precious"


@pytest.mark.parametrize("command", [["merge"], ["redact", "-q", "-e", "x"]])
def test_index_that_ends_in_mid_line_loses_nothing(folder, command):
    # as a recorder that was killed may leave it
    write(folder / "a_1")
    (folder / "a_index.jsonl").write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1, log="a_1"))
    unfinished = '{"event":"open","n":1,"sta'
    (folder / "new_index.jsonl").write_text(unfinished)
    good(*command, "-o", folder / "new", folder / "a")
    first, rest = (folder / "new_index.jsonl").read_text().split("\n", 1)
    assert first == unfinished
    assert [json.loads(line)["event"] for line in rest.splitlines()] == ["open", "close"]
    good(*command, "-o", folder / "new", folder / "a")
    assert (folder / "new_index.jsonl").read_text().count("\n") == 5


def test_a_logroot_is_not_merged_into_itself_however_it_is_spelled(folder):
    write(folder / "a_1")
    (folder / "link").symlink_to(folder)
    (folder / "sub").mkdir()
    spellings = ["a", "./a", ".//a", "sub/../a", "link/a", folder / "a"]
    for one in spellings:
        for other in spellings:
            assert "merged into itself" in refused("merge", "-o", one, other, cwd=folder)
    assert [path.name for path in folder.glob("a_*")] == ["a_1"]
    good("merge", "-o", "sub/a", "a", cwd=folder)
    good("merge", "-o", "ab", "a", cwd=folder)
    assert (folder / "sub" / "a_1").exists() and (folder / "ab_1").exists()


def test_whole_records_of_damaged_logs_are_merged(folder):
    write(folder / "a_1", b"".join(SAMPLE)[:-3])
    write(folder / "a_2", [con(5), b"c 6.000000 100\nxxxx"])
    write(folder / "a_3", [con(7), end("c", 8)])
    result = run("merge", "-o", folder / "new", folder / "a")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 2 and result.stderr.count(b"cut short") == 2
    assert (folder / "new_1").read_bytes() == b"".join(SAMPLE[:-1])
    assert (folder / "new_2").read_bytes() == con(5)
    assert (folder / "new_3").read_bytes() == con(7) + end("c", 8)


def test_new_logroot_is_needed_and_its_directory_must_exist(folder):
    write(folder / "a_1")
    assert "no new logroot given (-o)" in refused("merge", folder / "a")
    assert "no log given" in refused("merge", "-o", folder / "new")
    refused("merge", "-o", folder / "missing" / "new", folder / "a")


def test_full_disk_leaves_no_half_log(folder):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    import subprocess

    write(folder / "a_1", [con(), data("c", 1, b"x" * 100000)])
    write(folder / "a_2", [con(2), data("c", 3, b"x" * 3000000)])
    small = folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        assert "No space left" in refused("merge", "-o", small / "new", folder / "a")
        assert [p.name for p in small.iterdir()] == ["new_1"]
    finally:
        subprocess.run(["umount", small], check=True)
