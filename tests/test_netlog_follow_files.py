"""netlog show -f while --keep and -x delete, rename and compress what is followed."""
import os
import signal
import subprocess

import pytest

from harness.follow import append
from harness.netlog import SAMPLE, con, data, end, entry, write
from harness.peers import EchoServer, connect, recv_exactly
from harness.proc import settled, wait_until

pytestmark = pytest.mark.core

MESSAGES = 40


def log_bytes(first, last):
    """Records first to last - 1 of a connection that sends numbers."""
    return [data("c", i, b"%03d" % i) for i in range(first, last)]


def shown_numbers(follower):
    return [int(line) for line in follower.text().split("\n") if line.startswith("    ")]


def record_numbers(nr, follower):
    """A client sends numbered messages of 300 bytes, and each is awaited at the follower before the next one."""
    sock = connect(nr.address)
    for i in range(MESSAGES):
        message = b"%03d" % i + b"." * 297
        sock.sendall(message)
        assert recv_exactly(sock, len(message)) == message
        wait_until(lambda: follower.text().count(f"    {i:03d}.") >= 2, f"message {i} on both sides")
    sock.close()
    wait_until(lambda: "<s hup" in follower.text() or "c> hup" in follower.text(), "the end")


@pytest.mark.parametrize(
    "options", [("--rotate", "2k", "--keep", "6k"), ("-x", "gzip"), ("--rotate", "2k", "-x", "gzip")], ids=" ".join
)
def test_each_record_is_shown_once(netrecord, logroot, follow, options):
    with EchoServer() as server:
        nr = netrecord(server.address, *options)
        follower = follow("-q", logroot)
        record_numbers(nr, follower)
        nr.stop()
    if "gzip" in options:
        assert not os.path.exists(f"{logroot}_1")
    # one that comes later shows that the directory was looked at again
    write(logroot.parent / "log_9", [con(5)])
    wait_until(lambda: "log_9" in follower.text(), "a later log")
    headers = follower.headers()
    assert len([line for line in headers if "300 bytes" in line]) == 2 * MESSAGES
    assert len([line for line in headers if " con" in line]) == 2
    assert follower.said() == []
    assert follower.stop() == 0


def test_log_that_is_renamed_or_loses_its_first_part_is_no_new_one(folder, follow):
    write(folder / "log_1", SAMPLE)
    write(folder / "log_2", SAMPLE[:1])
    write(folder / "log_2.1", SAMPLE[1:2])
    write(folder / "log4", [con(4)])
    follower = follow(folder / "log")
    wait_until(lambda: len(follower.headers()) == len(SAMPLE) + 3, "what is there")
    subprocess.run(["gzip", folder / "log_1", folder / "log4"], check=True)
    (folder / "log_2").unlink()
    write(folder / "log_4", [con(9)])  # another one than log4
    wait_until(lambda: "log_4" in follower.text(), "a later log")
    assert len(follower.headers()) == len(SAMPLE) + 4
    assert follower.stop() == 0


def test_file_given_is_not_taken_for_a_logroot_once_it_is_gone(folder, follow):
    write(folder / "log_1", SAMPLE)
    write(folder / "log_11", [con(9)])  # as log_1 and 1, spelt as of old
    write(folder / "other_1", SAMPLE[:1])
    follower = follow(folder / "log_1", folder / "other")
    wait_until(lambda: len(follower.headers()) == len(SAMPLE) + 1, "what is there")
    (folder / "log_1").unlink()
    write(folder / "other_2", SAMPLE[:1])
    wait_until(lambda: "other_2" in follower.text(), "a later log")
    assert "log_11" not in follower.text()
    assert follower.stop() == 0


def test_next_part_is_compressed_already(folder, follow):
    write(folder / "log_1", log_bytes(0, 2))
    follower = follow(folder / "log")
    wait_until(lambda: shown_numbers(follower) == [0, 1], "the first part")
    write(folder / "new.gz", log_bytes(2, 4))
    os.rename(folder / "new.gz", folder / "log_1.1.gz")
    subprocess.run(["gzip", folder / "log_1"], check=True)
    wait_until(lambda: shown_numbers(follower) == [0, 1, 2, 3], "the compressed part")
    write(folder / "log_1.2", log_bytes(4, 5))
    wait_until(lambda: shown_numbers(follower) == [0, 1, 2, 3, 4], "the plain part")
    assert follower.stop() == 0


def test_parts_deleted_before_they_were_read_are_counted(folder, follow):
    write(folder / "log_1", log_bytes(0, 2))
    follower = follow(folder / "log")
    wait_until(lambda: shown_numbers(follower) == [0, 1], "the first part")
    # parts 1 to 3 have come and gone; the follower finds the first one gone only when the others are as they are
    write(folder / "log_1.4", log_bytes(8, 10))
    (folder / "log_1").unlink()
    wait_until(lambda: shown_numbers(follower) == [0, 1, 8, 9], "what is left")
    write(folder / "log_1.5", log_bytes(10, 11))
    wait_until(lambda: shown_numbers(follower)[4:] == [10], "the next part")
    assert follower.said() == [f"netlog: {folder}/log_1.4: 3 parts in front of it deleted before they were read"]
    assert follower.stop() == 1


def test_new_log_that_lost_its_beginning_already_says_so(folder, follow):
    write(folder / "log_1", [con(0)])
    follower = follow(folder / "log")
    follower.awaits("0.000000 log_1 c> con")
    write(folder / "log_2.1", log_bytes(3, 5))
    wait_until(lambda: shown_numbers(follower) == [3, 4], "the new log")
    assert follower.said() == [f"netlog: {folder}/log_2.1: 1 part in front of it deleted before it was read"]
    assert follower.stop() == 1


def test_log_deleted_before_its_end_is_told_once(folder, follow):
    write(folder / "log_1", log_bytes(0, 2))
    write(folder / "log_2", [*log_bytes(5, 6), end("c", 7), end("s", 8)])  # has ended: nothing can be missed
    follower = follow(folder / "log")
    wait_until(lambda: len(shown_numbers(follower)) == 3, "what is there")
    (folder / "log_1").unlink()
    (folder / "log_2").unlink()
    wait_until(follower.said, "the message")
    write(folder / "log_3", log_bytes(9, 10))
    wait_until(lambda: shown_numbers(follower)[3:] == [9], "a later log")
    assert follower.said() == [f"netlog: {folder}/log_1: deleted before its end was read"]
    assert follower.stop() == 1


def test_log_with_a_hole_goes_on_behind_it(folder, follow):
    write(folder / "log_1", log_bytes(0, 2))
    write(folder / "log_1.3", log_bytes(6, 8))
    follower = follow(folder / "log")
    wait_until(lambda: shown_numbers(follower) == [0, 1, 6, 7], "what is there")
    write(folder / "log_1.4", log_bytes(8, 9))
    wait_until(lambda: shown_numbers(follower)[4:], "the next part")
    assert shown_numbers(follower) == [0, 1, 6, 7, 8]
    assert follower.stop() == 0


def test_what_waits_for_its_match_is_shown_though_it_was_deleted(folder, follow):
    write(folder / "log_1", [con(0), data("s", 0.5, b"needle")])
    follower = follow("--grep", "needle", folder / "log")
    follower.awaits("0.500000 log_1 <s 6 bytes")
    write(folder / "log_1.1", [data("c", 1, b"nee")])
    write(folder / "log_1.2", [data("c", 2, b"d")])
    wait_until(lambda: follower.has_open(folder / "log_1.2"), "that both parts were opened")
    (folder / "log_1").unlink()
    (folder / "log_1.1").unlink()
    write(folder / "log_1.3", [data("c", 4, b"le")])
    follower.awaits("0.500000 log_1 <s 6 bytes", "1.000000 log_1 c> 3 bytes", "2.000000 log_1 c> 1 byte", "4.000000 log_1 c> 2 bytes")
    assert follower.stop() == 0


def test_connections_whose_files_came_and_went_are_counted(folder, follow):
    index = folder / "log_index.jsonl"
    index.write_text(entry(1, "2024-01-01T00:00:00.000000Z", 0))  # was gone before
    follower = follow(folder / "log")
    wait_until(lambda: follower.has_handler(signal.SIGINT), "it runs")
    write(folder / "log_2", [con(2)])
    append(index, entry(2, "2024-01-01T00:00:02.000000Z", 2, closed=False).encode())
    wait_until(lambda: len(follower.headers()) == 1, "it is shown")
    (folder / "log_2").unlink()
    append(index, "".join(entry(n, "2024-01-01T00:00:03.000000Z", 3, closed=n == 3) for n in (3, 4)).encode())
    wait_until(lambda: len(follower.said()) >= 2, "both messages")
    write(folder / "log_5", [con(5)])
    append(index, entry(5, "2024-01-01T00:00:05.000000Z", 5, closed=False).encode())
    wait_until(lambda: len(follower.headers()) == 2, "a later log")
    (folder / "log_4").write_bytes(con(4))  # not gone at all: its recorder was slow
    wait_until(lambda: len(follower.headers()) == 3, "it is shown")
    assert sorted(follower.said()) == [
        f"netlog: {folder}/log: 2 connections came of which no file is left to read",
        f"netlog: {folder}/log_2: deleted before its end was read",
    ]
    assert follower.stop() == 1


def test_logroot_of_which_only_the_index_is_left_is_waited_for(folder, follow):
    (folder / "log_index.jsonl").write_text(entry(1, "2024-01-01T00:00:00.000000Z", 0))
    follower = follow(folder / "log")
    wait_until(lambda: follower.has_handler(signal.SIGINT), "it runs")
    write(folder / "log_2", [con(2)])
    follower.awaits("2.000000 log_2 c> con")
    assert follower.said() == []
    assert follower.stop() == 0


def test_index_at_rest_is_not_read_again_and_again(folder, follow):
    index = folder / "log_index.jsonl"
    index.write_text("".join(entry(n, "2024-01-01T00:00:00.000000Z", 0) for n in range(1, 1000)))
    write(folder / "log_1000", [con(0)])
    follower = follow(folder / "log")
    follower.awaits("0.000000 log_1000 c> con")
    settled(follower.bytes_read, quiet=1.5)
    write(folder / "log_1001", [con(1)])
    append(folder / "log_1000", data("c", 1, b"a"))
    wait_until(lambda: len(follower.headers()) == 3, "the new log, and what was written to the other")
    settled(follower.bytes_read, quiet=1.5)
    append(index, entry(1002, "2024-01-01T00:00:02.000000Z", 2).encode())
    wait_until(follower.said, "the message")
    assert follower.stop() == 1


def test_other_recordings_are_not_shown_while_one_is_waited_for(folder, follow):
    index = folder / "log_index.jsonl"
    write(folder / "log_1", SAMPLE)
    index.write_text(entry(1, "2024-01-01T00:00:00.000000Z", 0.1, run="run-a"))
    follower = follow("--recording", "run-b", folder / "log")
    wait_until(follower.said, "the message")
    write(folder / "log_2", [con(2)])
    with open(index, "a") as lines:
        lines.write(entry(2, "2024-01-01T00:00:10.000000Z", 2, run="run-b", closed=False))
    follower.awaits("2.000000 log_2 c> con 192.0.2.1:40002 to 192.0.2.2:80")
    assert follower.stop() == 0
