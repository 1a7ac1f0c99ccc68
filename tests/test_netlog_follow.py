"""netlog show -f: growing logs and new ones."""
import gzip
import signal
import subprocess

import pytest

from harness.follow import append
from harness.netlog import NETLOG, SAMPLE, con, data, end, entry, good, write
from harness.proc import wait_until

pytestmark = pytest.mark.core


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_is_shown_until_interrupted(folder, follow, number):
    log = write(folder / "log_1", SAMPLE[:3])
    follower = follow(log)
    first = ["0.100000 log_1 c> con", "0.200000 log_1 c> 6 bytes", "0.250000 log_1 <s 7 bytes after 50.00 ms"]
    follower.awaits(*first)
    append(log, *SAMPLE[3:5])
    follower.awaits(*first, "1.000000 log_1 c> 7 bytes", "1.500000 log_1 <s 6 bytes after 500.00 ms")
    assert follower.stop(number) == 0
    assert follower.text().endswith("    $5\\r\n    he\n")
    assert follower.errors.read_text() == ""


def test_record_is_shown_only_when_it_is_whole(folder, follow):
    log = write(folder / "log_1", SAMPLE[:1])
    follower = follow(log)
    follower.awaits("0.100000 log_1 c> con")
    for byte in data("c", 1, b"first\nsecond"):
        append(log, bytes([byte]))
        assert "fir" not in follower.text() or "second" in follower.text()
    follower.awaits("0.100000 log_1 c> con", "1.000000 log_1 c> 12 bytes")
    wait_until(lambda: follower.text().endswith("    first\n    second\n"), "the payload")


def test_new_logs_of_the_root_are_shown_from_their_beginning(folder, follow):
    write(folder / "log_1", SAMPLE)
    follower = follow("--side", "c", folder / "log")
    old = ["0.100000 log_1 c> con", "0.200000 log_1 c> 6 bytes", "1.000000 log_1 c> 7 bytes", "2.000000 log_1 c> hup"]
    follower.awaits(*old)
    write(folder / "log_2", [con(5), data("c", 6, b"x")])
    follower.awaits(*old, "5.000000 log_2 c> con", "6.000000 log_2 c> 1 byte")
    append(folder / "log_2", end("c", 7))
    follower.awaits(*old, "5.000000 log_2 c> con", "6.000000 log_2 c> 1 byte", "7.000000 log_2 c> hup")
    assert follower.stop() == 0


def test_logroot_without_logs_is_waited_for(folder, follow):
    follower = follow(folder / "log")
    wait_until(lambda: "waiting for it" in follower.errors.read_text(), "the message")
    write(folder / "log_1", [con(1)])
    follower.awaits("1.000000 log_1 c> con")
    assert follower.stop() == 0


def test_further_parts_are_followed(folder, follow):
    write(folder / "log_1", SAMPLE[:1])
    follower = follow(folder / "log")
    follower.awaits("0.100000 log_1 c> con")
    write(folder / "log_1.1", SAMPLE[1:2])
    follower.awaits("0.100000 log_1 c> con", "0.200000 log_1 c> 6 bytes")
    append(folder / "log_1.1", SAMPLE[2])
    write(folder / "log_1.2", SAMPLE[3])
    wait_until(lambda: len(follower.headers()) == 4, "the other parts")


def test_gzip_is_followed_member_by_member(folder, follow):
    log = folder / "log_1.gz"
    append(log, gzip.compress(b"".join(SAMPLE[:2])))
    follower = follow(log)
    wait_until(lambda: len(follower.headers()) == 2, "the first member")
    member = gzip.compress(b"".join(SAMPLE[2:]))
    append(log, member[:20])
    append(log, member[20:])
    wait_until(lambda: len(follower.headers()) == len(SAMPLE), "the second member")
    assert follower.stop() == 0


def test_grep_while_following(folder, follow):
    log = write(folder / "log_1", [con(0), data("c", 1, b"needle"), data("c", 2, b"nee")])
    follower = follow("--grep", "needle", log)
    follower.awaits("1.000000 log_1 c> 6 bytes")
    append(log, data("c", 3, b"hay"), data("c", 4, b"need"), data("s", 5, b"zzz"), data("c", 6, b"l"), data("c", 7, b"e!"), data("c", 8, b"hay"))
    expected = ["1.000000 log_1 c> 6 bytes", "4.000000 log_1 c> 4 bytes", "6.000000 log_1 c> 1 byte", "7.000000 log_1 c> 2 bytes"]
    follower.awaits(*expected)
    append(log, data("s", 9, b"needle"))
    follower.awaits(*expected, "9.000000 log_1 <s 6 bytes after 1.00 s")


def test_grep_completes_what_was_there_before(folder, follow):
    log = write(folder / "log_1", [con(0), data("c", 1, b"nee")])
    follower = follow("--grep", "needle", folder / "log", "-")
    append(log, data("c", 2, b"dle"))
    follower.awaits("1.000000 log_1 c> 3 bytes", "2.000000 log_1 c> 3 bytes")


def test_grep_over_large_growing_records(folder, follow):
    log = write(folder / "log_1", [con(0)])
    follower = follow("--grep", "needle", log)
    append(log, data("c", 1, b"x" * 300000), data("c", 2, b"x" * 300000 + b"needle" + b"x" * 300000), data("c", 3, b"x"))
    follower.awaits("2.000000 log_1 c> 600006 bytes")
    wait_until(lambda: len(follower.text()) > 600000, "the payload")


def test_slow_while_following(folder, follow):
    log = write(folder / "log_1", [con(0), data("c", 1, b"q")])
    follower = follow("--slow", "1", log)
    append(log, data("s", 3, b"late"), data("s", 4, b"more"), data("c", 5, b"q"), data("s", 5.5, b"soon"), data("c", 6, b"q"))
    slow = ["1.000000 log_1 c> 1 byte", "3.000000 log_1 <s 4 bytes after 2.00 s", "4.000000 log_1 <s 4 bytes"]
    follower.awaits(*slow)
    append(log, data("s", 8, b"late"))
    follower.awaits(*slow, "6.000000 log_1 c> 1 byte", "8.000000 log_1 <s 4 bytes after 2.00 s")


def test_log_that_turns_out_to_be_none_is_told_once(folder, follow):
    log = write(folder / "log_1", SAMPLE[:1])
    other = write(folder / "log_2", SAMPLE[:1])
    follower = follow(folder / "log")
    wait_until(lambda: len(follower.headers()) == 2, "what is there")
    append(log, b"junk\n")
    append(other, SAMPLE[1])
    wait_until(lambda: len(follower.headers()) == 3, "the other log")
    wait_until(lambda: follower.errors.read_text(), "the message")
    append(other, SAMPLE[2])
    wait_until(lambda: len(follower.headers()) == 4, "more of the other log")
    assert follower.stop() == 1
    assert len(follower.errors.read_text().splitlines()) == 1


def test_reader_that_goes_away_ends_it(folder):
    log = write(folder / "log_1", SAMPLE[:1])
    child = subprocess.Popen([NETLOG, "show", "-f", log], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    append(log, SAMPLE[1])
    assert child.wait(30) == 2
    assert child.stderr.read() == b""
