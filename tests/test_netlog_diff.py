"""netlog diff: two recordings compared without a server."""
import json
import os
import pty
import random
import re
import subprocess

import pytest

from harness.netlog import SAMPLE, con, data, end, entry, good, peak, refused, run, write

ROOM = 4096  # KiB: the windows of both directions

ANSWER = b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2026\r\nServer: demo\r\n\r\nhello world"


def dialog(answer=ANSWER, request=b"GET / HTTP/1.1\r\n\r\n", ends=(end("c", 2.0), end("s", 2.5))):
    return [con(0.1), data("c", 0.2, request), data("s", 0.25, answer), *ends]


def report(*args, **options):
    """The JSON report and the exit status."""
    result = run("diff", "-o", "json", *args, **options)
    assert result.stderr == b"", result
    return json.loads(result.stdout), result.returncode


def places(*args, **options):
    """What differs, as (side, offset in the first, size in the first, size in the second)."""
    found, status = report(*args, **options)
    assert status == (1 if found["summary"]["differences"] else 0)
    return [
        (d["side"], d["recorded"]["offset"], d["recorded"]["size"], d["live"]["size"])
        for connection in found["connections"]
        for d in connection["details"]
    ]


@pytest.mark.core
def test_a_recording_is_the_same_as_itself(folder):
    log = write(folder / "log_1")
    for other in (log, write(folder / "other_1.gz")):
        result = run("diff", log, other)
        assert (result.returncode, result.stderr) == (0, b"")
        assert b"1 connection: 1 equal, 0 different" in result.stdout
    assert good("diff", "-q", log, log) == ""


@pytest.mark.core
def test_records_and_times_may_differ(folder):
    """Only the streams of both sides count, not how they were cut into records, nor when they passed."""
    first = write(folder / "a_1")
    joined = [con(5), data("c", 6, b"PING\r\nGET k\r\n"), data("s", 7, b"+PO"), data("s", 9, b"NG\r\n$5\r\nhello\r\n"), end("s", 9), end("c", 9)]
    assert places(first, write(folder / "b_1", joined)) == []


@pytest.mark.core
def test_what_differs_is_told_with_side_and_offset(folder):
    first = write(folder / "a_1", dialog())
    changed = ANSWER.replace(b"demo", b"dEmo").replace(b"hello", b"hello,")
    second = write(folder / "b_1", dialog(changed, b"PUT / HTTP/1.1\r\n\r\n"))
    text = run("diff", first, second)
    assert text.returncode == 1
    server = ANSWER.index(b"demo") + 1, ANSWER.index(b"hello") + 5
    assert b"a_1: client: first 2 bytes at byte 0, second 2 bytes at byte 0" in text.stdout
    assert b"a_1: server: first 1 byte at byte %d, second 1 byte at byte %d" % (server[0], server[0]) in text.stdout
    assert places(first, second) == [("c", 0, 2, 2), ("s", server[0], 1, 1), ("s", server[1], 0, 1)]


def test_every_flipped_byte_is_found_where_it_is(folder):
    first = write(folder / "a_1", dialog())
    for at in random.Random(7).sample(range(len(ANSWER)), 25):
        changed = ANSWER[:at] + bytes([ANSWER[at] ^ 1]) + ANSWER[at + 1 :]
        assert places(first, write(folder / "b_1", dialog(changed))) == [("s", at, 1, 1)]


def test_an_inserted_field_is_one_difference(folder):
    """In a thousand answers, in either recording."""
    answers = [b"VALUE %d %s\r\n" % (i, random.Random(i).randbytes(20).hex().encode()) for i in range(1000)]
    turns = [record for i, answer in enumerate(answers) for record in (data("c", i, b"get\r\n"), data("s", i, answer))]
    first = write(folder / "a_1", [con(), *turns])
    at = sum(map(len, answers[:500])) + 5
    turns[1001] = data("s", 500, answers[500][:5] + b"EXTRA" + answers[500][5:])
    second = write(folder / "b_1", [con(), *turns])
    assert places(first, second) == [("s", at, 0, 5)]
    assert places(second, first) == [("s", at, 5, 0)]


@pytest.mark.core
def test_masks(folder):
    first = write(folder / "a_1", dialog())
    second = write(folder / "b_1", dialog(ANSWER.replace(b"Mon, 01", b"Wednesday, 3")))
    assert run("diff", first, second).returncode == 1
    assert places("-i", "Date: .*\\r\\n", first, second) == []
    assert places("--ignore", "Server: .*", "-i", "Date: [^\\r]*", first, second) == []
    patterns = folder / "patterns"
    patterns.write_text("# volatile\n\nDate: .*\n")
    assert places("-I", patterns, first, second) == []
    text = good("diff", "-I", patterns, first, second)
    assert "masked 23 bytes" in text and "Date: .*" in text
    assert "warning" not in text
    assert "warning: mask that matched nothing: Etag: .*" in good("diff", "-I", patterns, "-i", "Etag: .*", first, second)
    # what is not masked still counts
    third = write(folder / "c_1", dialog(ANSWER.replace(b"Mon, 01", b"Wednesday, 3").replace(b"hello", b"jello")))
    assert places("-I", patterns, first, third) == [("s", ANSWER.index(b"hello"), 1, 1)]


def test_sizes_alone(folder):
    first = write(folder / "a_1", dialog(b"12345"))
    assert places("-C", "size", first, write(folder / "b_1", dialog(b"abcde"))) == []
    assert places("-C", "size", first, write(folder / "b_1", dialog(b"abc"))) == [("s", 3, 2, 0)]


def test_sizes_alone_look_at_no_byte(folder):
    first, second = (write(folder / name, dialog(b"ABCDE")) for name in ("a_1", "b_1"))
    done = run("diff", "-C", "size", "-i", "B+", first, second)
    assert (done.returncode, done.stderr) == (0, b"netlog: --compare size looks at no byte: the patterns mask nothing\n")
    assert b"masked" not in done.stdout


@pytest.mark.core
def test_ends_count(folder):
    first = write(folder / "a_1", dialog())
    for ends, said in (
        ((end("c", 2.0), end("s", 2.5, "err")), "the server ended its stream in the first log, failed in the second"),
        ((end("s", 2.5),), "the client ended its stream in the first log, did not end in the second"),
        ((end("c", 2.0, "err"), end("s", 2.5)), "the client ended its stream in the first log, failed in the second"),
    ):
        found, status = report(first, write(folder / "b_1", dialog(ends=ends)))
        assert status == 1 and found["summary"]["differences"] == 1
        assert found["connections"][0]["reason"] == said
    headless = dialog()[1:]
    found, status = report(first, write(folder / "b_1", headless))
    assert (status, found["connections"][0]["reason"]) == (1, "the beginning is recorded only in the first log")


@pytest.mark.core
def test_connections_of_one_recording_alone(folder):
    for n in (1, 2, 3):
        write(folder / f"a_{n}")
    for n in (1, 2):
        write(folder / f"b_{n}")
    found, status = report(folder / "a", folder / "b")
    assert status == 1
    assert [(c["name"], c["result"], c["reason"]) for c in found["connections"]] == [
        ("a_1", "equal", None),
        ("a_2", "equal", None),
        ("a_3", "different", "is only in the first recording"),
    ]
    found, status = report(folder / "b", folder / "a")
    assert status == 1
    assert (found["connections"][2]["name"], found["connections"][2]["reason"]) == ("a_3", "is only in the second recording")


def test_logs_are_paired_by_number_or_in_order(folder):
    for n in (1, 2, 10):
        write(folder / f"a_{n}", dialog(b"answer %d" % n))
        write(folder / f"b_{n}", dialog(b"answer %d" % n))
        write(folder / f"c_{n + 5}", dialog(b"answer %d" % n))
    assert places(folder / "a", folder / "c") == []
    # the index has them in another order: the numbers are the same, and count
    lines = [entry(n, f"2026-01-01T00:00:{59 - n}.000000Z", 0.1, log=f"b_{n}") for n in (1, 2, 10)]
    (folder / "b_index.jsonl").write_text("".join(lines))
    assert places(folder / "a", folder / "b") == []


def test_damaged_logs_are_trouble(folder):
    first = write(folder / "a_1")
    second = write(folder / "b_1", b"".join(SAMPLE)[:-33])
    found, status = report(first, second)
    assert status == 2
    assert found["connections"][0]["result"] == "failed"
    assert "cut short" in found["connections"][0]["reason"]
    assert report(second, first)[1] == 2
    assert run("diff", "-q", write(folder / "c_1", b"nonsense\n"), first).returncode == 2


@pytest.mark.core
def test_usage(folder):
    log = write(folder / "a_1")
    assert "two recordings are compared, 1 given" in refused("diff", log)
    assert "two recordings are compared, 3 given" in refused("diff", log, log, log)
    assert "no log of that name" in refused("diff", log, folder / "nothing")
    assert "standard input cannot be compared with itself" in refused("diff", "-", "-")
    assert "--ignore: matches the empty string" in refused("diff", "-i", "a*", log, log)
    assert "nothing" in refused("diff", "-I", folder / "nothing", log, log)
    bad = folder / "bad"
    bad.write_text("fine\n(\n")
    assert "bad: line 2: " in refused("diff", "-I", bad, log, log)
    assert "xml is none of text, json, tap, junit" in refused("diff", "-o", "xml", log, log)
    assert "none is neither bytes nor size" in refused("diff", "-C", "none", log, log)


def test_standard_input(folder):
    log = write(folder / "a_1")
    assert run("diff", "-", log, stdin=b"".join(SAMPLE)).returncode == 0
    assert run("diff", log, "-", stdin=b"".join(dialog())).returncode == 1


def test_reports_are_accepted_by_their_readers(folder):
    nasty = bytes(range(256)) + b"]]>&<'\"#\n# ok\nnot ok 7\n"
    first = write(folder / "a_1", dialog(nasty))
    second = write(folder / "b_1", dialog(nasty.replace(b"#", b"\x1b[31m<!--").replace(b"\0", b"]]>")))
    subprocess.run(["jq", "-e", ".connections[0].differences > 0"], input=run("diff", "-o", "json", first, second).stdout, check=True)
    subprocess.run(["xmllint", "--noout", "-"], input=run("diff", "-o", "junit", first, second).stdout, check=True)
    tap = run("diff", "-o", "tap", first, second).stdout
    assert re.findall(rb"(?m)^(?:not )?ok.*", tap) == [b"not ok 1 - a_1"]
    for form in ("text", "json", "tap", "junit"):
        output = run("diff", "-o", form, first, second).stdout
        assert not [c for c in output if c != 10 and not 32 <= c < 127], form


def test_colour_only_on_a_terminal(folder):
    first, second = write(folder / "a_1", dialog()), write(folder / "b_1", dialog(b"x"))
    assert b"\x1b[" not in run("diff", first, second).stdout
    assert b"\x1b[" in run("diff", "--color", first, second).stdout
    ours, theirs = pty.openpty()
    run("diff", first, second, stdout=theirs, env={"NO_COLOR": ""})
    os.close(theirs)
    assert b"\x1b[" in os.read(ours, 65536)
    os.close(ours)


def test_memory_does_not_depend_on_the_size_of_logs(folder):
    """Nor on how differently both directions are interleaved, or on how long nothing is alike."""
    block = random.Random(1).randbytes(1 << 20)
    other = random.Random(2).randbytes(1 << 20)
    with open(folder / "a_1", "wb") as first, open(folder / "b_1", "wb") as second:
        first.write(con())
        second.write(con())
        for side, log in (("c", first), ("s", second)):
            for _ in range(40):
                log.write(data(side, 1, block))
        for side, log in (("s", first), ("c", second)):
            for i in range(40):
                log.write(data(side, 1, other if log is first and 10 < i < 20 else block))
    small, memory = peak("diff", write(folder / "c_1"), folder / "c_1")
    status, large_memory = peak("diff", folder / "a_1", folder / "b_1")
    assert (small, status) == (0, 1)
    assert large_memory < memory + ROOM
