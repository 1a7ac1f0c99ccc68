"""Memory of netlog does not depend on the size of records or logs."""
import gzip
import os
import random
import subprocess

import pytest

from harness.netlog import NETLOG, SAMPLE, con, data, end, peak, run, write

GB = 1 << 30
ROOM = 16 * 1024  # KiB that a large log may need more than a small one


def sparse(path, size, side="s"):
    """A log with one record of `size` NULs that take no disk."""
    with open(path, "wb") as log:
        log.write(con(0) + data("c", 1, b"q") + b"%s 2.000000 %d\n" % (side.encode(), size))
        log.truncate(log.tell() + size)
        log.seek(0, os.SEEK_END)
        log.write(end("s", 3))
    return path


@pytest.mark.parametrize("command", [["list"], ["check"], ["stat"], ["cut", "--side", "c"], ["show", "--side", "c"], ["show", "--slow", "2"]])
def test_five_gigabytes_of_one_record_are_passed_over(folder, command):
    small, large = sparse(folder / "a_1", 5000), sparse(folder / "b_1", 5 * GB)
    status, memory = peak(*command, small)
    assert status == 0
    status, large_memory = peak(*command, large)
    assert status == 0
    assert large_memory < memory + ROOM
    assert f"{5 * GB}" in run("stat", large).stdout.decode()
    assert run("check", large).stdout.endswith(b": ok, 4 records, ends with s hup\n")


@pytest.mark.parametrize("command", [["json"], ["cut"], ["show"], ["show", "-x", "--grep", "zz"], ["merge", "-o", "NEW"], ["redact", "-q", "-e", "zz", "-o", "NEW"], ["merge", "-z", "-o", "NEW"]])
def test_payload_is_streamed(folder, command):
    fill = lambda name: [str(folder / name) if word == "NEW" else word for word in command]
    small, large = sparse(folder / "a_1", 5000), sparse(folder / "b_1", 100 << 20)
    status, memory = peak(*fill("small"), small)
    assert status == 0
    status, large_memory = peak(*fill("large"), large)
    assert status == 0
    assert large_memory < memory + ROOM


@pytest.mark.slow
@pytest.mark.parametrize("command", [["json"], ["cut"], ["redact", "-q", "-e", "zz", "-o", "NEW"]])
def test_five_gigabytes_are_streamed(folder, command):
    fill = lambda name: [str(folder / name) if word == "NEW" else word for word in command]
    status, memory = peak(*fill("small"), sparse(folder / "a_1", 5000))
    status, large_memory = peak(*fill("large"), sparse(folder / "b_1", 5 * GB))
    assert status == 0
    assert large_memory < memory + ROOM


def test_many_records_and_matches_need_no_memory(folder):
    turn = data("c", 1, b"needle") + data("s", 2, b"needle" * 20)
    small, large = write(folder / "a_1", con() + turn * 10), write(folder / "b_1", con() + turn * 150000)
    for command in (["stat"], ["show", "--grep", "n"], ["show", "--slow", "500ms"], ["check"]):
        assert peak(*command, large)[1] < peak(*command, small)[1] + ROOM


def test_gzip_bomb_is_streamed(folder):
    bomb = con() + b"s 1.000000 %d\n" % (200 << 20) + bytes(200 << 20)
    log = write(folder / "log_1.gz", bomb)
    for command in (["list"], ["check"], ["cut"]):
        status, memory = peak(*command, log)
        assert status == 0
        assert memory < peak(*command, write(folder / "small_1.gz"))[1] + ROOM


def test_many_logs_with_matches_are_not_all_held_at_once(folder):
    for root, count in (("a", 3), ("b", 600)):
        for n in range(1, count + 1):
            write(folder / f"{root}_{n}", [con(n), data("c", n + 0.1, b"needle" + b"x" * 100000), end("c", n + 0.2)])
    small = peak("show", "--grep", "needle", folder / "a")[1]
    assert peak("show", "--grep", "needle", folder / "b")[1] < small + ROOM


def test_random_damage_never_gives_more_than_a_line(folder):
    generator = random.Random(2010)
    whole = b"".join(SAMPLE)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(generator.randrange(1, 4)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        log = write(folder / "log_1", bytes(damaged))
        command = generator.choice(["list", "show", "check", "stat", "json", "cut"])
        result = run(command, log)
        assert result.returncode in (0, 1)
        told = result.stdout if command == "check" else result.stderr
        if result.returncode == 1:
            assert len(told.splitlines()) == 1 and b": byte " in told
