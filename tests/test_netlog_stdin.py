"""What netlog reads from a pipe is printed while it comes."""
import os
import pty
import subprocess

import pytest

from harness.netlog import NETLOG, SAMPLE

pytestmark = pytest.mark.core


def read_until(fd, text):
    """Read from `fd` until `text` has come, without waiting for anything behind it."""
    got = b""
    while text not in got:
        got += os.read(fd, 65536)
    return got


@pytest.mark.parametrize(
    "command, terminal", [("show", False), ("show", True), ("json", False), ("json", True), ("cut", False)]
)
def test_what_came_is_printed_before_more_is_waited_for(pipe, command, terminal):
    out, child_out = pty.openpty() if terminal else os.pipe()
    with subprocess.Popen([NETLOG, command, "-"], stdin=pipe.end, stdout=child_out) as child:
        os.close(child_out)
        try:
            pipe.send(*SAMPLE[:2])
            assert read_until(out, b"0.200000" if command != "json" else b'"time":0.2')
            pipe.send(SAMPLE[3])
            assert read_until(out, b"1.000000" if command != "json" else b'"time":1')
        finally:
            pipe.close()
            os.close(out)
