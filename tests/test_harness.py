"""The harness itself: that its reader finds faults, and that CI does not pass over skipped tests."""
import gzip
import os
import shutil
import sys
from itertools import accumulate
from pathlib import Path

import pytest

from harness import logs
from harness.proc import BIN, run

RECORDS = [
    b"c 0.000001 con\n",
    b"c 0.500000 5\nhello",
    b"s 0.500000 3\nc 1",
    b"c 1.000000 hup\n",
    b"s 1.250000 err\n",
]
GOOD = b"".join(RECORDS)
ENDS = [0, *accumulate(map(len, RECORDS))]


def test_reader_reads_what_is_good():
    log = logs.parse(GOOD)
    assert (log.bytes("c"), log.bytes("s"), log.cut) == (b"hello", b"c 1", False)
    assert log.shape() == "c con, c data, s data, c hup, s err"


@pytest.mark.parametrize("length", range(1, len(GOOD)))
def test_reader_knows_where_a_cut_log_is_whole(length):
    log = logs.parse(GOOD[:length])
    assert log.whole == max(end for end in ENDS if end <= length)
    assert log.cut == (length not in ENDS)


@pytest.mark.parametrize(
    "damage",
    [
        (b"con", b"hup"),  # begins without con
        (b"0.500000 5", b"0.500000 4"),  # a length that is wrong
        (b"0.500000 5", b"0.5 5"),  # a time of another form
        (b"c 1.000000", b"c 0.100000"),  # time runs backwards
        (b"s 1.250000 err", b"c 1.250000 1\nx"),  # data after that side's hup
        (b"s 0.500000 3", b"x 0.500000 3"),
        (b"hello", b"hello, and more than was told, so that no header can be found behind it. " * 2),
    ],
)
def test_reader_refuses_what_is_bad(damage):
    with pytest.raises(logs.Damaged):
        logs.parse(GOOD.replace(*damage))


def test_reader_of_gzip_keeps_whole_members_and_the_beginning_of_a_cut_one():
    members = gzip.compress(GOOD[:40]) + gzip.compress(GOOD[40:])
    assert logs.gunzip(members) == GOOD
    assert logs.gunzip(members[:-4]).startswith(GOOD[:40])
    assert logs.gunzip(gzip.compress(GOOD) + b"rubbish") == GOOD


@pytest.mark.parametrize("environment, status", [({}, 0), ({"CI": "true"}, 1)], ids=["here", "CI"])
def test_skipped_is_failed_in_ci(tmp_path, environment, status):
    here = Path(__file__).parent
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(here / name, tmp_path)
    shutil.copytree(here / "harness", tmp_path / "harness")
    (tmp_path / "test_x.py").write_text("import pytest\n\n\ndef test_x():\n    pytest.skip('no reason')\n")
    clean = {key: value for key, value in os.environ.items() if key not in ("CI", "PYTEST_CURRENT_TEST")}
    words = [sys.executable, "-m", "pytest", "-c", tmp_path / "pytest.ini", "--rootdir", tmp_path, tmp_path / "test_x.py"]
    done = run(*words, env={**clean, **environment, "NETRECORD_BIN": str(BIN)}, check=False, cwd=here.parent)
    assert done.returncode == status, done.stdout
