"""netlog show -f: what is written, split and deleted while it still shows what was there when it was started."""
import os
import re

import pytest

from harness.follow import append
from harness.netlog import con, data, end, entry, write
from harness.proc import wait_until

pytestmark = pytest.mark.core

LONG = b"x" * 1000000


def test_turn_answered_meanwhile_is_shown_once(folder, follow):
    log = write(folder / "log_1", [con(0), data("c", 1, b"q"), data("s", 3, LONG), data("c", 4, b"q")])
    follower = follow("--slow", "1", log, stalled=True)
    append(log, data("s", 6, b"late"))
    follower.go_on()
    follower.awaits(
        "1.000000 log_1 c> 1 byte",
        "3.000000 log_1 <s 1000000 bytes after 2.00 s",
        "4.000000 log_1 c> 1 byte",
        "6.000000 log_1 <s 4 bytes after 2.00 s",
    )
    assert follower.stop() == 0


def test_match_completed_meanwhile_is_shown_once(folder, follow):
    log = write(folder / "log_1", [con(0), data("c", 1, 2 * (b"needle" + LONG)), data("c", 2, b"nee")])
    follower = follow("--grep", "needle", log, stalled=True)
    append(log, data("c", 3, b"dle"))
    follower.go_on()
    follower.awaits("1.000000 log_1 c> 2000012 bytes", "2.000000 log_1 c> 3 bytes", "3.000000 log_1 c> 3 bytes")
    assert follower.stop() == 0


def test_part_that_comes_after_the_parts_were_looked_for_is_shown(folder, follow):
    """The index is a FIFO: the follower waits for it when it has read the directory, and has not read the logs."""
    write(folder / "log_1", [con(0), data("c", 1, b"a")])
    index = folder / "log_index.jsonl"
    os.mkfifo(index)
    follower = follow(folder / "log")
    with open(index, "wb"):
        wait_until(lambda: follower.has_open(index), "the look whether anything is there")
    wait_until(lambda: not follower.has_open(index), "its end")
    with open(index, "wb"):
        index.unlink()
        write(folder / "log_1.1", [data("c", 2, b"b")])
    write(folder / "log_1.2", [data("c", 3, b"c")])
    follower.awaits(*(f"{i}.000000 log_1 c> {what}" for i, what in enumerate(["con"] + ["1 byte"] * 3)))
    assert follower.stop() == 0


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_parts_deleted_meanwhile_are_counted_and_the_others_shown(folder, follow, closed):
    write(folder / "log_1", [con(0), data("c", 1, LONG)])
    for i in range(1, 5):
        write(folder / f"log_1.{i}", [data("c", i + 1, b"a")] + ([end("c", 9), end("s", 9)] if closed and i == 4 else []))
    write(folder / "log_2", [con(7)])
    (folder / "log_index.jsonl").write_text(
        entry(1, "2024-01-01T00:00:00.000000Z", 0, closed=closed) + entry(2, "2024-01-01T00:00:07.000000Z", 7, closed=False)
    )
    follower = follow(folder / "log", stalled=True)
    for name in ("log_1", "log_1.1", "log_1.2"):
        (folder / name).unlink()
    follower.go_on()
    ends = ["9.000000 log_1 c> hup", "9.000000 log_1 <s hup"] if closed else []
    wait_until(lambda: len(follower.headers()) >= 5 + len(ends), "what is left")
    # what is met again only when all else was shown comes behind it
    assert [re.sub("con .*", "con", line) for line in follower.headers()] == [
        "0.000000 log_1 c> con",
        "1.000000 log_1 c> 1000000 bytes",
        "7.000000 log_2 c> con",
        "4.000000 log_1 c> 1 byte",
        "5.000000 log_1 c> 1 byte",
        *ends,
    ]
    assert follower.said() == [f"netlog: {folder}/log_1.3: 2 parts in front of it deleted before they were read"]
    append(folder / "log_2", data("c", 10, b"b"))
    wait_until(lambda: follower.headers()[-1] == "10.000000 log_2 c> 1 byte", "the other log")
    assert follower.stop() == 1


def test_log_deleted_meanwhile_is_told_and_the_others_are_shown(folder, follow):
    write(folder / "log_1", [con(0), data("c", 1, LONG)])
    write(folder / "log_1.1", [data("c", 2, b"a")])
    write(folder / "log_2", [con(7)])
    follower = follow(folder / "log", stalled=True)
    (folder / "log_1").unlink()
    (folder / "log_1.1").unlink()
    follower.go_on()
    wait_until(follower.said, "the message")
    assert follower.said() == [f"netlog: {folder}/log_1: deleted before its end was read"]
    append(folder / "log_2", data("c", 10, b"b"))
    wait_until(lambda: follower.headers()[-2:] == ["7.000000 log_2 c> con", "10.000000 log_2 c> 1 byte"], "the other log")
    assert follower.stop() == 1


def test_parts_before_a_hole_deleted_meanwhile_are_told(folder, follow):
    write(folder / "log_1", [con(0), data("c", 1, LONG)])
    write(folder / "log_1.1", [data("c", 2, b"a")])
    write(folder / "log_1.3", [data("c", 4, b"a")])
    follower = follow(folder / "log", stalled=True)
    (folder / "log_1").unlink()
    (folder / "log_1.1").unlink()
    follower.go_on()
    follower.awaits("0.000000 log_1 c> con", "1.000000 log_1 c> 1000000 bytes", "4.000000 log_1.3 c> 1 byte")
    append(folder / "log_1.3", data("c", 5, b"b"))
    wait_until(lambda: "5.000000" in follower.headers()[-1], "what comes")
    assert follower.said() == [f"netlog: {folder}/log_1: deleted before its end was read"]
    assert follower.stop() == 1
