"""netlog show: what passed, readable, and safe on a terminal."""
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from harness.netlog import NETLOG, SAMPLE, con, data, end, entry, good, run, write

pytestmark = pytest.mark.core

OLD = Path(__file__).parent / "data" / "2010"

TRANSCRIPT = """\
0.100000     c> con
0.200000     c> 6 bytes
    PING\\r
0.250000     <s 7 bytes after 50.00 ms
    +PONG\\r
1.000000     c> 7 bytes
    GET k\\r
1.500000     <s 6 bytes after 500.00 ms
    $5\\r
    he
1.600000     <s 5 bytes
    llo\\r
2.000000     c> hup
2.500000     <s hup
"""


def headers(*args, **options):
    """The header lines: time, side, what."""
    lines = good("show", *args, **options).splitlines()
    return [re.sub(r" after .*", "", re.sub(r"  +", " ", line)) for line in lines if not line.startswith(" ")]


def test_transcript(folder):
    assert good("show", write(folder / "log_1")) == TRANSCRIPT
    assert good("show", write(folder / "log_2.gz")) == TRANSCRIPT
    assert good("show", "-", stdin=b"".join(SAMPLE)) == TRANSCRIPT


def test_split_log_reads_as_one(folder):
    write(folder / "log_1", SAMPLE[:3])
    write(folder / "log_1.1", SAMPLE[3:5])
    write(folder / "log_1.2.gz", SAMPLE[5:])
    assert good("show", folder / "log") == TRANSCRIPT


def test_times_of_2010():
    times = [line.split()[0] for line in headers(OLD / "time-equal-usec_1")]
    assert times == "0.000000 0.000000 0.000001 1.000000 1.000001 4.000000 4.000001 5.000000".split()
    result = run("show", OLD / "sig-TERM_1")
    assert result.returncode == 1
    assert result.stdout.count(b"c> 40 bytes") == result.stdout.count(b"<s 5 bytes") + 1


def test_negative_times_of_2010(folder):
    log = write(folder / "log_1", b"c -1.100000 con\nc -1.1000000 hup\n")
    assert headers(log) == ["-0.900000 c> con", "0.000000 c> hup"]


def test_hexdump_is_laid_out_as_by_hexdump(folder):
    payload = bytes(range(256)) + b"tail"
    log = write(folder / "log_1", [con(), data("s", 1, payload)])
    dump = [line[4:] for line in good("show", "-x", log).splitlines() if line.startswith("    ")]
    (folder / "payload").write_bytes(payload)
    reference = subprocess.run(["od", "-A", "x", "-t", "x1z", "-v", folder / "payload"], stdout=subprocess.PIPE, text=True)
    expected = []
    for line in reference.stdout.splitlines()[:-1]:
        offset, rest = line.split(" ", 1)
        octets, text = rest.split(">", 1)
        octets = octets.split()
        cells = " ".join(octets[:8]).ljust(23) + "  " + " ".join(octets[8:]).ljust(23)
        expected.append(f"{int(offset, 16):08x}  {cells}  |{text[:-1]}|")
    assert dump == expected


def test_side_and_time_select_records(folder):
    log = write(folder / "log_1")
    times = lambda *args: [line.split()[0] for line in headers(*args, log)]
    every = times()
    assert times("--side", "c") == ["0.100000", "0.200000", "1.000000", "2.000000"]
    assert times("--side=s") == ["0.250000", "1.500000", "1.600000", "2.500000"]
    assert times("--from", "1") == times("--from", "1s") == times("--from=1000ms") == every[3:]
    assert times("--to", "1") == every[:3]
    assert times("--from", "250ms", "--to", "1.6") == ["0.250000", "1.000000", "1.500000"]
    assert "after 50.00 ms" in good("show", "--from", "250ms", log)


def test_grep_shows_records_that_match(folder):
    log = write(folder / "log_1")
    times = lambda *args: [line.split()[0] for line in headers(*args, log)]
    assert times("--grep", "P[IO]NG") == ["0.200000", "0.250000"]
    assert times("--grep", "PING", "--side", "s") == []
    assert times("--grep", "nothing") == []
    assert times("--grep", r"k\r\n") == ["1.000000"]
    assert times("--grep", "^PING") == ["0.200000"]
    assert times("--grep", "^GET") == []
    assert times("--grep", r"llo\r\n$") == ["1.600000"]


def test_grep_finds_what_spans_records_of_one_side(folder):
    log = write(folder / "log_1")
    spanning = [line.split()[0] for line in headers("--grep", "hello", log)]
    assert spanning == ["1.500000", "1.600000"]
    assert headers("--grep", "PING.*PONG", log) == []
    dribble = [con()] + [data("c", 1 + i, b"needle"[i : i + 1]) for i in range(6)] + [data("s", 9, b"needle ")]
    log = write(folder / "log_2", [*dribble, data("c", 10, b"n"), data("c", 11, b"eedles")])
    assert [line.split()[0] for line in headers("--grep", "needle", "--side", "c", log)] == [
        *[f"{i}.000000" for i in range(1, 7)], "10.000000", "11.000000",
    ]
    assert len(headers("--grep", "needle", "-", stdin=log.read_bytes())) == 9
    assert len(headers("--grep", "needle", log, log)) == 18


def test_grep_over_large_records(folder):
    filler = b"x" * 300000
    log = write(folder / "log_1", [con(), data("c", 1, filler + b"nee"), data("c", 2, b"dle" + filler), data("c", 3, filler)])
    assert [line.split()[0] for line in headers("--grep", "needle", log)] == ["1.000000", "2.000000"]
    assert good("show", "--grep", "needle", "--color=always", log).count("\033[1;31mnee\033[0m") == 1


def test_slow_shows_whole_turns(folder):
    log = write(folder / "log_1", [
        con(0), data("s", 0.5, b"hello"),
        data("c", 1, b"a"), data("s", 1.1, b"A"),
        data("c", 2, b"b1"), data("c", 2.2, b"b2"), data("s", 4, b"B1"), data("s", 9, b"B2"),
        data("c", 10, b"c"), data("s", 10.9, b"C"),
        data("c", 11, b"d"), data("s", 13, b"D"), end("c", 14),
    ])
    times = lambda *args: [float(line.split()[0]) for line in headers(*args, log)]
    assert times("--slow", "1.8") == [2, 2.2, 4, 9, 11, 13, 14]
    assert times("--slow", "1801ms") == [11, 13, 14]
    assert times("--slow", "500ms", "--side", "s") == [4, 9, 10.9, 13]
    assert times("--slow", "1", "--grep", "[bD]") == [2, 2.2, 13]
    assert times("--slow", "1h") == []
    assert times("--slow", "0") == times()[2:]


def test_several_logs_interleave_with_a_column(folder):
    write(folder / "log_1", [con(0), data("c", 1, b"one"), data("c", 3, b"three")])
    write(folder / "log_2", [con(0.5), data("c", 2, b"two"), end("c", 2.5)])
    assert headers(folder / "log") == [
        "0.000000 log_1 c> con",
        "0.500000 log_2 c> con",
        "1.000000 log_1 c> 3 bytes",
        "2.000000 log_2 c> 3 bytes",
        "2.500000 log_2 c> hup",
        "3.000000 log_1 c> 5 bytes",
    ]


def test_several_runs_interleave_by_wall_clock(folder):
    write(folder / "log_1", [con(5), end("c", 6)])
    write(folder / "log_2", [con(1), end("c", 2)])
    (folder / "log_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:01.000000Z", 5, run="a") + entry(2, "2026-11-20T10:00:00.500000Z", 1, run="b")
    )
    assert headers("-v", folder / "log") == [
        "2026-11-20 10:00:00.500000 1.000000 log_2 c> con 192.0.2.1:40002 to 192.0.2.2:80",
        "2026-11-20 10:00:01.000000 5.000000 log_1 c> con 192.0.2.1:40001 to 192.0.2.2:80",
        "2026-11-20 10:00:01.500000 2.000000 log_2 c> hup",
        "2026-11-20 10:00:02.000000 6.000000 log_1 c> hup",
    ]


HOSTILE = (
    bytes(range(256)) * 2
    + b"\x1b]0;title\x07\x1b[2J\x1bc\x9b31m\xc2\x9b31m\x7f\x08\x08\r\x0c\x0e\x85\xe2\x80\xae"
    + b"\xc0\xaf\xed\xa0\x80\xf8\x88\x80\x80\x80\xff\xfe"
    + b"\n0.000000     <s 9 bytes\n"
)


def on_terminal(*args, env=None):
    """What a terminal would get from netlog, stderr included."""
    main, terminal = pty.openpty()
    child = subprocess.Popen([NETLOG, *map(str, args)], stdout=terminal, stderr=terminal, env={**os.environ, **(env or {})})
    os.close(terminal)
    seen = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    child.wait()
    return seen.replace(b"\r\n", b"\n")


SGR = re.compile(rb"\x1b\[(36|33|1;31|0)m")


@pytest.mark.parametrize("options", [[], ["-x"], ["--grep", r"[^a]"], ["-v"], ["--slow", "0"]])
def test_hostile_payload_cannot_control_a_terminal(folder, options):
    name = folder / "\x1b[31mlog\x07_1"
    write(name, [con(), data("c", 1, HOSTILE), data("s", 2, HOSTILE), b"\x1b[41m junk"])
    for env in ({}, {"NO_COLOR": "1"}, {"LC_ALL": "C.UTF-8"}):
        seen = on_terminal("show", *options, name, name, env=env)
        assert b"<s" in seen
        plain = SGR.sub(b"", seen)
        if "NO_COLOR" in env:
            assert plain == seen
        assert not [c for c in plain if c not in (9, 10) and not 32 <= c < 127], plain


@pytest.mark.parametrize("command", ["list", "check", "stat", "json"])
def test_hostile_log_cannot_control_a_terminal_by_other_commands(folder, command):
    name = folder / "\x1b[31mlog\x07\xc2\x9b_1"
    write(name, [con(), data("c", 1, HOSTILE), b"\x1b[41m junk"])
    seen = on_terminal(command, name)
    assert len(seen) > 10
    assert not [c for c in seen if c not in (9, 10) and not 32 <= c < 127], seen


def test_payload_cannot_pass_for_a_header(folder):
    log = write(folder / "log_1", [con(), data("c", 1, b"x\n1.000000     <s 5 bytes\n\n")])
    assert len(headers(log)) == 2


def test_escapes_are_unambiguous(folder):
    log = write(folder / "log_1", [con(), data("c", 1, b"\\x41 A \x00\x1b\x7f\xff\t\a\b\f\v\r")])
    assert good("show", log).splitlines()[-1] == r"    \\x41 A \x00\x1b\x7f\xff" + "\t" + r"\a\b\f\v\r"


def test_colour_only_on_terminals_and_on_request(folder):
    log = write(folder / "log_1")
    plain = good("show", log)
    assert "\033" not in plain
    assert "\033" not in good("show", "--color=auto", log)
    coloured = good("show", "--color=always", log)
    assert SGR.sub(b"", coloured.encode()) == plain.encode() and coloured != plain
    assert good("show", "--color", log) == good("show", "--colour=always", log) == coloured
    assert on_terminal("show", log, env={"NO_COLOR": ""}) == coloured.encode()
    assert on_terminal("show", log, env={"NO_COLOR": "1"}) == plain.encode()
    assert on_terminal("show", "--color=never", log) == plain.encode()
    assert on_terminal("show", "--color=always", log, env={"NO_COLOR": "1"}) == coloured.encode()


def test_match_is_highlighted_across_lines_and_records(folder):
    log = write(folder / "log_1", [con(), data("c", 1, b"ab\ncd"), data("c", 2, b"ef")])
    shown = good("show", "--grep", r"b\ncde", "--color=always", log)
    assert "    a\033[1;31mb\033[0m\n    \033[1;31mcd\033[0m\n" in shown
    assert "    \033[1;31me\033[0mf\n" in shown
    assert "\033[1;31m62\033[0m \033[1;31m0a\033[0m \033[1;31m63" in good("show", "-x", "--grep", r"b\ncde", "--color=always", log)


def test_nuls_and_empty_records(folder):
    log = write(folder / "log_1", [con(), data("c", 1, b""), data("c", 2, b"\0\0")])
    assert good("show", log).splitlines()[1:] == ["1.000000     c> 0 bytes", "2.000000     c> 2 bytes", r"    \x00\x00"]
    assert headers("--grep", r"\x00", log) == ["2.000000 c> 2 bytes"]
