"""netlog show -f of what comes through standard input and pipes."""
import gzip
import os

import pytest

from harness.netlog import SAMPLE, con, data, write
from harness.proc import wait_until

pytestmark = pytest.mark.core

TWO = ["0.100000 - c> con", "0.200000 - c> 6 bytes"]


@pytest.fixture
def piped(pipe, follow):
    """A follower of the pipe as its standard input."""

    def start(*args):
        return follow(*args, stdin=pipe.end)

    return start


def test_standard_input_is_followed_until_it_ends(pipe, piped):
    pipe.send(*SAMPLE[:2])
    follower = piped("-")
    follower.awaits(*TWO)
    message = SAMPLE[2]
    pipe.send(message[:-3])
    pipe.send(message[-3:], SAMPLE[3])
    follower.awaits(*TWO, "0.250000 - <s 7 bytes after 50.00 ms", "1.000000 - c> 7 bytes")
    pipe.close()
    assert follower.child.wait(30) == 0
    assert follower.said() == []


def test_compressed_standard_input_is_followed(pipe, piped):
    follower = piped("-")
    pipe.send(gzip.compress(b"".join(SAMPLE[:2])))
    follower.awaits(*TWO)
    pipe.send(gzip.compress(SAMPLE[3]))
    follower.awaits(*TWO, "1.000000 - c> 7 bytes")
    pipe.close()
    assert follower.child.wait(30) == 0


def test_standard_input_that_ends_inside_a_record_is_damaged(pipe, piped):
    follower = piped("-")
    pipe.send(*SAMPLE[:2], SAMPLE[2][:-2])
    pipe.close()
    assert follower.child.wait(30) == 1
    assert follower.headers() == TWO
    assert follower.said() == ["netlog: -: byte 52: cut short: 5 of 7 bytes of data are there (record at byte 34)"]


def test_standard_input_with_grep_over_records(pipe, piped):
    follower = piped("--grep", "needle", "-")
    pipe.send(con(0), data("c", 1, b"nee"), data("s", 2, b"x"), data("c", 3, b"dle"))
    follower.awaits("1.000000 - c> 3 bytes", "3.000000 - c> 3 bytes")
    pipe.close()
    assert follower.child.wait(30) == 0


def test_more_than_a_pipe_holds_and_no_copy_of_it_is_kept(pipe, piped, folder):
    follower = piped("--side", "s", "-")
    block = data("c", 1, b"x" * 60000)
    pipe.send(con(0))
    for _ in range(500):
        pipe.send(block)
    pipe.send(data("s", 2, b"end"))
    wait_until(lambda: "<s 3 bytes" in follower.text(), "the last record")
    copies = [
        os.stat(f"/proc/{follower.child.pid}/fd/{fd}")
        for fd in os.listdir(f"/proc/{follower.child.pid}/fd")
        if "netlog." in os.readlink(f"/proc/{follower.child.pid}/fd/{fd}")
    ]
    assert len(copies) == 1 and copies[0].st_size > 30_000_000 and copies[0].st_blocks * 512 < 4_000_000
    pipe.close()
    assert follower.child.wait(30) == 0


def test_standard_input_beside_a_logroot(pipe, piped, folder):
    write(folder / "log_1", SAMPLE[:1])
    follower = piped(folder / "log", "-")
    follower.awaits("0.100000 log_1 c> con")
    pipe.send(con(3))
    follower.awaits("0.100000 log_1 c> con", "3.000000 - c> con")
    pipe.close()
    # the logroot goes on
    write(folder / "log_2", [con(5)])
    follower.awaits("0.100000 log_1 c> con", "3.000000 - c> con", "5.000000 log_2 c> con")
    assert follower.stop() == 0


def test_named_pipe_is_followed_until_it_ends(folder, follow):
    os.mkfifo(folder / "pipe")
    follower = follow(folder / "pipe")
    with open(folder / "pipe", "wb", buffering=0) as pipe:
        pipe.write(b"".join(SAMPLE[:2]))
        follower.awaits(*(line.replace(" - ", " pipe ") for line in TWO))
    assert follower.child.wait(30) == 0


def test_file_as_standard_input_is_followed_as_it_grows(folder, follow):
    log = write(folder / "log_1", SAMPLE[:2])
    with open(log, "rb") as file:
        follower = follow("-", stdin=file)
    follower.awaits(*TWO)
    with open(log, "ab") as file:
        file.write(SAMPLE[3])
    follower.awaits(*TWO, "1.000000 - c> 7 bytes")
    assert follower.stop() == 0
