"""netlog check: where a log is damaged, and --repair."""
import gzip
import os
import stat
from pathlib import Path

import pytest

from harness import logs
from harness.netlog import NETLOG, SAMPLE, boundaries, con, data, end, good, refused, run, write

pytestmark = pytest.mark.core

OLD = Path(__file__).parent / "data" / "2010"
WHOLE = b"".join(SAMPLE)


def longest_whole(size):
    return max(b for b in boundaries(SAMPLE) if b <= size)


def test_sound_logs(folder):
    log = write(folder / "log_1")
    assert good("check", log) == f"{log}: ok, 8 records, ends with s hup\n"
    assert good("check", "-q", log) == ""
    other = write(folder / "log_2", SAMPLE[:-2])
    assert good("check", folder / "log") == ""
    assert good("check", "-v", folder / "log") == (
        f"{log}: ok, 8 records, ends with s hup\n{other}: ok, 6 records, no end record\n"
    )
    assert good("check", write(folder / "log_3", b"")) == f"{folder}/log_3: ok, 0 records, empty\n"


def test_logs_of_2010():
    assert good("check", OLD / "time-equal-usec_1").endswith(": ok, 8 records, ends with c hup\n")
    assert good("check", OLD / "dead-server_1").endswith(": ok, 1 records, no end record\n")
    result = run("check", OLD / "sig-TERM_1")
    assert (result.returncode, result.stderr) == (1, b"")
    assert result.stdout.decode() == (
        f"{OLD}/sig-TERM_1: byte 8192: cut short: 27 of 40 bytes of data are there (record at byte 8151)\n"
    )


def test_every_prefix_is_sound_at_record_boundaries_only(folder):
    log = folder / "log_1"
    for size in range(len(WHOLE) + 1):
        write(log, WHOLE[:size])
        result = run("check", log)
        sound = size in boundaries(SAMPLE)
        assert result.returncode == (0 if sound else 1), size
        if not sound:
            assert f": byte {size}: cut short" in result.stdout.decode()
        assert run("check", "-", stdin=WHOLE[:size]).returncode == result.returncode


def test_repair_keeps_the_longest_whole_prefix_and_loses_nothing(folder):
    for size in range(1, len(WHOLE)):
        log, saved = folder / f"log_{size}", folder / f"log_{size}.damaged"
        write(log, WHOLE[:size])
        keep = longest_whole(size)
        good("check", "--repair", log)
        assert log.read_bytes() == WHOLE[:keep], size
        if keep == size:
            assert not saved.exists()
        else:
            assert saved.read_bytes() == WHOLE[keep:size], size
            assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        good("check", log)


def test_repair_says_what_it_did(folder):
    log = write(folder / "log_1", WHOLE + b"junk")
    result = run("check", "--repair", log)
    assert result.returncode == 0
    lines = result.stdout.decode().splitlines()
    assert lines[0].startswith(f"{log}: byte {len(WHOLE)}: ")
    assert lines[1] == f"{log}: repaired, 8 whole records kept; the 4 bytes from byte {len(WHOLE)} on are now in {log}.damaged"
    assert len(lines) == 2


def test_repair_of_gzip_keeps_the_old_file(folder):
    for damage in (gzip.compress(WHOLE)[:-9], gzip.compress(WHOLE) + b"junk", gzip.compress(WHOLE + b"junk")):
        log, saved = folder / "log_1.gz", folder / "log_1.gz.damaged"
        log.write_bytes(damage)
        saved.unlink(missing_ok=True)
        assert run("check", log).returncode == 1
        kept = good("check", "--repair", log)
        assert saved.read_bytes() == damage
        content = gzip.decompress(log.read_bytes())
        assert WHOLE.startswith(content) and len(content) in boundaries(SAMPLE)
        if damage.endswith(b"junk"):
            assert content == WHOLE
        assert f"now {saved}" in kept
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        good("check", log)
        assert sorted(p.name for p in folder.iterdir()) == ["log_1.gz", "log_1.gz.damaged"]


def test_gzip_of_members_cut_in_the_last_one_keeps_the_others(folder):
    batches = [gzip.compress(b"".join(SAMPLE[i : i + 2])) for i in range(0, 8, 2)]
    for size in range(len(b"".join(batches[:3])) + 1, len(b"".join(batches))):
        (folder / "log_1.gz").write_bytes(b"".join(batches)[:size])
        (folder / "log_1.gz.damaged").unlink(missing_ok=True)
        result = run("check", "--repair", folder / "log_1.gz")
        assert result.returncode == 0, size
        content = gzip.decompress((folder / "log_1.gz").read_bytes())
        assert WHOLE.startswith(content) and len(content) >= boundaries(SAMPLE)[6]
        assert len(content) in boundaries(SAMPLE)


def test_repair_never_overwrites_what_it_saved_before(folder):
    log = write(folder / "log_1", WHOLE[:-2])
    write(folder / "log_1.damaged", b"precious")
    assert "log_1.damaged: File exists" in refused("check", "--repair", log)
    assert log.read_bytes() == WHOLE[:-2]
    assert (folder / "log_1.damaged").read_bytes() == b"precious"


def test_repair_does_not_follow_links(folder):
    target = write(folder / "target", WHOLE[:-2])
    (folder / "log_1").symlink_to(target)
    refused("check", "--repair", folder / "log_1")
    assert target.read_bytes() == WHOLE[:-2]


def test_standard_input_is_checked_and_cannot_be_repaired():
    assert good("check", "-", stdin=WHOLE) == "-: ok, 8 records, ends with s hup\n"
    assert "standard input cannot be repaired" in refused("check", "--repair", "-", stdin=WHOLE[:-1])


HEADERS = [
    b"x 1.000000 con\n",
    b"\n",
    b"c 1.000000\n",
    b"c  1.000000 5\n",
    b"c 1.0 5\n",
    b"c 1.00000000 5\n",
    b"c 1,000000 5\n",
    b"c 1.000000 -5\n",
    b"c 1.000000 0x10\n",
    b"c 1.000000 5 \n",
    b"c 1.000000 5\r\n",
    b"s 1.000000 con\n",
    b"c 1.000000 hupp\n",
    b"c 99999999999999999999.000000 5\n",
    b"c 1.000000 18446744073709551616\n",
    b"c 1.000000 99999999999999999999999999999\n",
    b"c 1.000000 " + b"1" * 5000,
    b"c 1.000000 5" + b"\0" * 100,
    b"\x1b]0;owned\x07",
    b"\x80\x9b31m",
    b"\0" * 1000,
]


@pytest.mark.parametrize("header", HEADERS)
def test_what_is_no_header_is_told_with_its_offset(folder, header):
    log = write(folder / "log_1", WHOLE + header + WHOLE)
    result = run("check", log)
    assert (result.returncode, result.stderr) == (1, b"")
    lines = result.stdout.decode("ascii").splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"{log}: byte {len(WHOLE)}: ") and lines[0].isprintable()
    for command in ("list", "show", "stat", "json", "cut"):
        result = run(command, log)
        assert result.returncode == 1
        assert result.stderr.decode("ascii") == f"netlog: {lines[0]}\n"
    good("check", "--repair", log)
    assert log.read_bytes() == WHOLE


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**32 + 5, 2**63 - 1, 2**63, 2**64 - 1])
def test_huge_lengths_are_cut_short_not_wrapped(folder, size):
    log = write(folder / "log_1", WHOLE + b"s 3.000000 %d\nhello" % size)
    result = run("check", log)
    assert result.returncode == 1
    assert f"5 of {size} bytes of data are there" in result.stdout.decode()
    for command in ("list", "show", "stat", "json", "cut"):
        result = run(command, log)
        assert result.returncode == 1
        assert f"5 of {size} bytes" in result.stderr.decode()
        assert run(command, "-", stdin=log.read_bytes()).returncode == 1
    good("check", "--repair", log)
    assert log.read_bytes() == WHOLE


def test_split_log_is_checked_as_one_and_named_by_part(folder):
    write(folder / "log_1", SAMPLE[:2])
    write(folder / "log_1.1", SAMPLE[2:4])
    last = write(folder / "log_1.2", SAMPLE[4:])
    assert good("check", folder / "log") == f"{folder}/log_1: ok, 8 records in 3 parts, ends with s hup\n"
    last.write_bytes(b"".join(SAMPLE[4:])[:-1])
    line = run("check", folder / "log").stdout.decode()
    assert line.startswith(f"{last}: byte {last.stat().st_size}: cut short")
    assert line.endswith(f"(byte {len(WHOLE) - 1} of all parts)\n")
    good("check", "--repair", folder / "log")
    assert last.read_bytes() == b"".join(SAMPLE[4:-1])
    assert (folder / "log_1").read_bytes() == b"".join(SAMPLE[:2])


def test_parts_behind_damage_are_set_aside(folder):
    write(folder / "log_1", SAMPLE[:2])
    middle = write(folder / "log_1.1", b"".join(SAMPLE[2:4]) + b"junk\n")
    last = write(folder / "log_1.2", SAMPLE[4:])
    assert run("check", folder / "log").stdout.decode().startswith(f"{middle}: byte {len(b''.join(SAMPLE[2:4]))}: ")
    lines = good("check", "--repair", folder / "log").splitlines()
    assert f"{last}: renamed to {last}.damaged, because it follows the damage" in lines
    assert middle.read_bytes() == b"".join(SAMPLE[2:4])
    assert (folder / "log_1.1.damaged").read_bytes() == b"junk\n"
    assert (folder / "log_1.2.damaged").read_bytes() == b"".join(SAMPLE[4:])
    assert good("check", folder / "log") == f"{folder}/log_1: ok, 4 records in 2 parts, no end record\n"


@pytest.mark.parametrize("damage", ["checksum", "cut", "nothing readable"])
def test_damaged_gzip_part_is_the_one_named_and_repaired(folder, damage):
    """Every record of it can be read, or none: it must not be taken for the part behind it."""
    write(folder / "log_1", SAMPLE[:2])
    middle, last = folder / "log_1.1.gz", write(folder / "log_1.2", SAMPLE[4:])
    packed = bytearray(gzip.compress(b"".join(SAMPLE[2:4])))
    if damage == "checksum":
        packed[-6] ^= 255
    elif damage == "cut":
        del packed[-4:]
    else:
        packed[10] = 255
    middle.write_bytes(packed)
    keeps = 2 if damage == "nothing readable" else 4
    offset = len(b"".join(SAMPLE[:keeps])) - len(b"".join(SAMPLE[:2]))
    what = "cut short inside a gzip member" if damage == "cut" else "damaged gzip data"
    told = f"{middle}: byte {offset}: {what} (byte {len(b''.join(SAMPLE[:keeps]))} of all parts)"
    assert run("check", folder / "log").stdout.decode() == told + "\n"
    for command in ("show", "stat", "json", "cut", "pcap"):
        assert f"netlog: {told}\n" in run(command, folder / "log").stderr.decode(), command
    assert good("check", "--repair", folder / "log").splitlines() == [
        told,
        f"{last}: renamed to {last}.damaged, because it follows the damage",
        f"{middle}: repaired, {keeps} whole records kept; the damaged file is now {middle}.damaged",
    ]
    assert (folder / "log_1.1.gz.damaged").read_bytes() == packed
    assert gzip.decompress(middle.read_bytes()) == b"".join(SAMPLE[2:keeps])
    assert good("check", folder / "log") == f"{folder}/log_1: ok, {keeps} records in 2 parts, no end record\n"


def test_lost_bytes_are_told(folder):
    from harness.netlog import entry

    write(folder / "log_1")
    (folder / "log_index.jsonl").write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1, lost=77))
    assert "77 bytes that passed are not recorded" in good("check", folder / "log")


def test_the_independent_reader_agrees(folder):
    assert len(logs.parse(WHOLE).records) == len(SAMPLE)
    assert logs.parse(WHOLE[:-1]).whole == longest_whole(len(WHOLE) - 1)


def test_damage_in_one_log_does_not_hide_that_of_another(folder):
    for n in range(1, 4):
        write(folder / f"log_{n}", WHOLE[:-n])
    result = run("check", folder / "log")
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 3
    good("check", "--repair", folder / "log")
    assert good("check", "-v", folder / "log").count(": ok, 7 records") == 3


def test_a_part_is_read_with_those_that_follow_it(folder):
    parts = [write(folder / name, piece) for name, piece in (
        ("log_1", SAMPLE[:2]), ("log_1.1", b"".join(SAMPLE[2:4]) + b"s 9.5"), ("log_1.2", SAMPLE[4:]))]
    lines = good("check", "--repair", parts[1]).splitlines()
    assert lines[0].startswith(f"{parts[1]}: byte ")
    assert f"{parts[2]}: renamed to {parts[2]}.damaged, because it follows the damage" in lines
    assert good("check", folder / "log") == f"{folder}/log_1: ok, 4 records in 2 parts, no end record\n"


def test_parts_named_one_by_one_are_read_once(folder):
    parts = [write(folder / name, piece) for name, piece in (
        ("log_1", SAMPLE[:2]), ("log_1.1", SAMPLE[2:4]), ("log_1.2", SAMPLE[4:]))]
    assert good("check", *parts) == f"{folder}/log_1: ok, 8 records in 3 parts, ends with s hup\n"
    assert good("show", *parts) == good("show", folder / "log")


def test_repair_that_cannot_set_a_later_part_aside_cuts_nothing(folder):
    first = write(folder / "log_1", b"".join(SAMPLE[:2]) + b"c 1.1")
    for name, piece in (("log_1.1", SAMPLE[2:4]), ("log_1.2", SAMPLE[4:]), ("log_1.1.damaged", b"precious")):
        write(folder / name, piece)
    assert "log_1.1.damaged: File exists" in refused("check", "--repair", folder / "log")
    assert first.read_bytes() == b"".join(SAMPLE[:2]) + b"c 1.1"
    assert (folder / "log_1.1.damaged").read_bytes() == b"precious"
    assert run("check", folder / "log").returncode == 1


def test_what_is_no_log_is_not_repaired(folder):
    from harness.netlog import entry

    write(folder / "log_1", WHOLE[:-2])
    index = write(folder / "log_index.jsonl", entry(1, "2026-11-20T10:00:00.000000Z", 0.1).encode())
    before = index.read_bytes()
    done = run("check", "--repair", folder / "log_1", index)
    assert done.returncode == 1
    assert done.stderr.decode() == f"netlog: {index}: not repaired: no log, for it does not begin with a record\n"
    assert index.read_bytes() == before and not (folder / "log_index.jsonl.damaged").exists()
    assert "repaired, 7 whole records kept" in done.stdout.decode()


def test_missing_middle_part_is_told(folder):
    write(folder / "log_1", SAMPLE[:2])
    later = write(folder / "log_1.2", SAMPLE[4:])
    done = run("check", folder / "log")
    assert done.returncode == 1
    assert done.stderr.decode() == f"netlog: {later}: parts before it are missing: it is taken for a log of its own\n"


def test_logs_that_only_the_index_knows_are_not_checked_sound(folder):
    from harness.netlog import entry

    (folder / "log_index.jsonl").write_text(entry(1, "2026-11-20T10:00:00.000000Z", 0.1))
    for options in ((), ("--recording", "run-a")):
        assert refused("check", *options, folder / "log") == "netlog: no log is left of the 1 connections that the index knows"


def test_logroot_without_a_name_of_its_own(folder):
    """netrecord ... logs/ writes logs/_1 and so on."""
    write(folder / "_1")
    write(folder / "17", b"no log")
    assert good("check", f"{folder}/") == f"{folder}/_1: ok, 8 records, ends with s hup\n"
