"""netlog list: one row a connection."""
import json
import re
import shutil
from pathlib import Path

import pytest

from harness.netlog import SAMPLE, con, data, end, entry, good, refused, run, write

pytestmark = pytest.mark.core

OLD = Path(__file__).parent / "data" / "2010"


def rows(*args, **options):
    """Cells of each row but the header; columns are two blanks apart."""
    return [re.split(r"  +", line.strip()) for line in good("list", "-q", *args, **options).splitlines()]


def test_without_an_index_the_log_itself_tells(folder):
    write(folder / "log_1")
    assert good("list", folder / "log") == (
        "n  start     duration  client  server  c bytes  s bytes  end\n"
        "1  0.100000    2.40 s  -       -            13       18  s hup\n"
    )


def test_with_an_index_addresses_and_wall_clock_are_shown_and_the_log_is_not_read(folder):
    write(folder / "log_1", b"this is no log, but the index has all that is needed")
    (folder / "log_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:00.123456Z", 0.1, client_bytes=5, server_bytes=123456789, end="s err")
    )
    assert rows(folder / "log") == [
        ["1", "2026-11-20 10:00:00.123", "1.50 s", "192.0.2.1:40001", "192.0.2.2:80", "5", "118M", "s err"]
    ]
    assert rows(folder / "log", env={"TZ": "XXX-2"})[0][1] == "2026-11-20 12:00:00.123"


def test_ends_are_told_apart(folder):
    write(folder / "log_1", SAMPLE)
    write(folder / "log_2", SAMPLE[:-2])
    write(folder / "log_3", b"".join(SAMPLE)[:-3])
    write(folder / "log_4", [con(), end("s", 1, "err")])
    write(folder / "log_5", b"")
    result = run("list", "-q", folder / "log")
    assert result.returncode == 1
    assert result.stderr.decode().startswith(f"netlog: {folder}/log_3: byte ")
    assert [line.split()[-1] for line in result.stdout.decode().splitlines()] == ["hup", "-", "cut", "err", "-"]


def test_open_connection_is_counted_from_its_log(folder):
    write(folder / "log_1", SAMPLE[:4])
    (folder / "log_index.jsonl").write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1, closed=False))
    (row,) = rows(folder / "log")
    assert row[1:] == ["2026-11-20 10:00:00.000", "900.00 ms", "192.0.2.1:40001", "192.0.2.2:80", "13", "7", "-"]


def test_lost_bytes_are_shown_only_where_there_are_some(folder):
    write(folder / "log_1")
    index = folder / "log_index.jsonl"
    index.write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1))
    assert "lost" not in good("list", folder / "log")
    index.write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1, lost=4096))
    assert good("list", folder / "log").splitlines()[0].endswith("end    lost")
    assert rows(folder / "log")[0][-1] == "4.0K"


def test_connection_whose_file_is_gone_is_shown_as_such(folder):
    write(folder / "log_2")
    (folder / "log_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:00.000000Z", 0.1) + entry(2, "2026-11-20T11:00:00.000000Z", 0.2)
    )
    listed = rows(folder / "log")
    assert [(row[0], row[-1]) for row in listed] == [("2", "c hup"), ("1", "(file is gone)")]
    assert rows(folder / "log", "--recording", "run-a") == listed
    (folder / "log_2").unlink()
    assert [row[-1] for row in rows(folder / "log")] == ["(file is gone)"] * 2
    assert [row[-1] for row in rows(folder / "log", "--recording", "run-a")] == ["(file is gone)"] * 2


def test_logs_of_several_roots_are_named(folder):
    write(folder / "a_1")
    write(folder / "b_1.gz")
    shown = rows(folder / "a", folder / "b_1.gz", "-", stdin=b"".join(SAMPLE))
    assert [(row[0], row[-1]) for row in shown] == [("1", f"{folder}/a_1"), ("1", f"{folder}/b_1.gz"), ("-", "-")]
    assert len({tuple(row[1:-1]) for row in shown}) == 1


def test_verbose_adds_run_and_log(folder):
    write(folder / "log_1")
    (folder / "log_index.jsonl").write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1))
    assert rows("-v", folder / "log")[0][-2:] == ["run-a", f"{folder}/log_1"]


def test_columns_are_aligned(folder):
    for n in range(1, 13):
        write(folder / f"log_{n}", [con(n * 100), data("c", n * 100, b"x" * 10 ** (n // 3))])
    lines = good("list", folder / "log").splitlines()
    column = lines[0].index("client")
    assert all(line[column - 1 : column + 1] == " -" for line in lines[1:])
    assert not [line for line in lines if line != line.rstrip()]


def test_without_operand_the_current_directory_is_listed(folder):
    assert "no logs in the current directory" in refused("list", cwd=folder)
    write(folder / "web_1")
    write(folder / "web_2.gz")
    write(folder / "photo_1", b"\x89PNG not a log")
    (folder / "db_index.jsonl").write_text(entry(7, "2026-11-20T10:00:00.000000Z", 0.1, log="db_7"))
    assert [(row[0], row[-1]) for row in rows(cwd=folder)] == [("1", "web_1"), ("2", "web_2.gz"), ("7", "db_7")]


def test_logs_of_2010(folder):
    for name in ("dead-server_1", "http-keepalive_3", "redis-raw_1", "time-equal-usec_1"):
        shutil.copy(OLD / name, folder)
    assert [row[:3] + row[5:8] for row in rows(*sorted(folder.iterdir()))] == [
        ["1", "0.123500", "0 ns", "0", "0", "-"],
        ["3", "0.160268", "481 us", "110", "1.2K", "c hup"],
        ["1", "0.112614", "412 us", "126", "130", "s hup"],
        ["1", "0.000000", "5.00 s", "18", "21", "c hup"],
    ]


def test_split_log_is_one_row(folder):
    write(folder / "log_1", SAMPLE[:3])
    write(folder / "log_1.1", SAMPLE[3:5])
    write(folder / "log_1.2.gz", SAMPLE[5:])
    (row,) = rows(folder / "log")
    write(folder / "whole_1")
    assert row == rows(folder / "whole")[0]


def test_thousands_of_logs_are_listed_in_number_order(folder):
    for n in range(1, 3001):
        write(folder / f"log_{n}")
    assert [row[0] for row in rows(folder / "log")] == [str(n) for n in range(1, 3001)]


def test_hostile_index_reaches_the_terminal_as_text_only(folder):
    write(folder / "log_1")
    line = entry(1, "2026-11-20T10:00:00.000000Z", 0.1, end="\x1b[31m").replace("192.0.2.2:80", "\\u001b]0;x\\u0007")
    (folder / "log_index.jsonl").write_text(line)
    shown = run("list", "-v", folder / "log").stdout
    assert not [c for c in shown if c != 10 and not 32 <= c < 127]


def test_start_that_the_index_does_not_know_is_shown_as_without_an_index(folder):
    write(folder / "log_1")
    write(folder / "log_2", [con(7), end("c", 8)])
    (folder / "log_index.jsonl").write_text(entry(1, None, 0.1) + entry(2, None, 7.0, closed=False) + entry(3, None, 9.0))
    assert [row[:2] for row in rows(folder / "log")] == [["1", "0.100000"], ["2", "7.000000"], ["3", "9.000000"]]
    assert good("show", "-v", folder / "log_1") == good("show", folder / "log_1")
    assert "1970" not in good("show", "-v", folder / "log")


def test_log_of_unknown_start_stays_behind_those_of_lower_numbers(folder):
    for n in (1, 2, 3):
        write(folder / f"log_{n}")
    unknown = [json.dumps(json.loads(line) | {"start": None}) for line in entry(2, "2026-11-20T10:30:00.000000Z", 0.1).splitlines()]
    known = [entry(n, f"2026-11-20T1{n}:00:00.000000Z", 0.1) for n in (1, 3)]
    (folder / "log_index.jsonl").write_text("\n".join([known[0].rstrip(), *unknown, known[1]]))
    assert [row[0] for row in rows(folder / "log")] == ["1", "2", "3"]
