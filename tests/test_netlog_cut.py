"""netlog cut: a part of a log."""
import os
import pty
import subprocess
from pathlib import Path

import pytest

from harness.netlog import NETLOG, SAMPLE, con, data, good, refused, run, write

pytestmark = pytest.mark.core

OLD = Path(__file__).parent / "data" / "2010"


def cut(*args, **options):
    result = run("cut", *args, **options)
    assert (result.returncode, result.stderr) == (0, b""), result
    return result.stdout


def test_all_of_it_is_the_log_itself(folder):
    whole = b"".join(SAMPLE)
    assert cut(write(folder / "log_1")) == cut("-", stdin=whole) == cut(write(folder / "log_2.gz")) == whole
    assert cut(OLD / "redis-raw_1") == (OLD / "redis-raw_1").read_bytes()


def test_from_is_included_and_to_is_not(folder):
    log = write(folder / "log_1")
    pick = lambda *numbers: b"".join(SAMPLE[n] for n in numbers)
    assert cut("--from", "1", log) == pick(0, 3, 4, 5, 6, 7)
    assert cut("--to", "1", log) == pick(0, 1, 2)
    assert cut("--from", "250ms", "--to", "1.6s", log) == pick(0, 2, 3, 4)
    assert cut("--from", "1h", log) == pick(0)


def test_one_side(folder):
    log = write(folder / "log_1")
    assert cut("--side", "c", log) == b"".join(r for r in SAMPLE if r.startswith(b"c"))
    assert cut("--side", "s", log) == SAMPLE[0] + b"".join(r for r in SAMPLE if r.startswith(b"s"))


def test_bug_of_2010_is_not_written_again(folder):
    text = cut("--from", "1", OLD / "time-equal-usec_1")
    assert text.startswith(b"c 0.000000 con\nc 1.000000 6\nPING\r\ns 1.000001 7\n")
    assert text.endswith(b"c 5.000000 hup\n")
    log = write(folder / "log_1", b"c -1.100000 con\n")
    assert cut(log) == log.read_bytes()


def test_exactly_one_log_is_taken(folder):
    write(folder / "log_1")
    write(folder / "log_2")
    assert "2 logs, but cut takes one" in refused("cut", folder / "log")
    assert "2 logs, but cut takes one" in refused("cut", folder / "log_1", folder / "log_2")


def test_terminal_is_refused(folder):
    main, terminal = pty.openpty()
    result = subprocess.run([NETLOG, "cut", write(folder / "log_1")], stdout=terminal, stderr=subprocess.PIPE)
    os.close(terminal)
    os.close(main)
    assert result.returncode == 2
    assert result.stderr == b"netlog: a log may hold anything: not written to a terminal\n"


def test_binary_payload_and_parts(folder):
    payload = os.urandom(300000)
    first, second = [con(), data("s", 1, payload)], [data("c", 2, payload[::-1])]
    write(folder / "log_1", first)
    write(folder / "log_1.1", second)
    assert cut(folder / "log") == b"".join(first + second)
