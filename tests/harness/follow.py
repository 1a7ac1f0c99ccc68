"""netlog show -f, whose output is read while it runs."""
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import threading
from pathlib import Path

from harness.netlog import NETLOG
from harness.proc import wait_until


class Follower:
    def __init__(self, folder, *args, stdin=None, stalled=False):
        """What it prints goes into a file; if `stalled`, it waits until go_on() is called, once a pipe is full."""
        self.path = folder / "shown"
        self.errors = folder / "errors"
        self.pipe = None
        with open(self.path, "wb") as out, open(self.errors, "wb") as errors:
            if stalled:
                self.pipe, end = os.pipe()
                out = os.fdopen(end, "wb")
            self.child = subprocess.Popen(
                [NETLOG, "show", "-f", *map(str, args)], stdin=stdin, stdout=out, stderr=errors
            )
        if stalled:
            out.close()
            room = fcntl.fcntl(self.pipe, fcntl.F_GETPIPE_SZ)
            wait_until(lambda: self.waiting() == room, "that the pipe is full")

    def waiting(self):
        """Bytes in the pipe."""
        return struct.unpack("i", fcntl.ioctl(self.pipe, termios.FIONREAD, bytes(4)))[0]

    def go_on(self):
        """Have what it prints read from now on."""
        def copy():
            with open(self.pipe, "rb", buffering=0) as pipe, open(self.path, "wb", buffering=0) as shown:
                while piece := pipe.read(65536):
                    shown.write(piece)

        threading.Thread(target=copy, daemon=True).start()

    def text(self):
        return self.path.read_text()

    def headers(self):
        lines = self.text().split("\n")[:-1]
        return [re.sub(r"  +", " ", line) for line in lines if not line.startswith(" ")]

    def awaits(self, *headers):
        """Wait for as many header lines, then they must be these."""
        wait_until(lambda: len(self.headers()) >= len(headers), f"{headers}, not {self.headers()}")
        assert self.headers() == list(headers)

    def said(self):
        return self.errors.read_text().splitlines()

    def has_open(self, path):
        for link in Path(f"/proc/{self.child.pid}/fd").iterdir():
            try:
                if os.readlink(link) == str(path):
                    return True
            except FileNotFoundError:
                pass  # just closed
        return False

    def has_handler(self, number):
        """Does it catch the signal by now?"""
        (caught,) = re.findall("^SigCgt:\\s*(.*)", Path(f"/proc/{self.child.pid}/status").read_text(), re.M)
        return int(caught, 16) >> (number - 1) & 1

    def bytes_read(self):
        (read,) = re.findall("^rchar: (.*)", Path(f"/proc/{self.child.pid}/io").read_text(), re.M)
        return int(read)

    def stop(self, number=signal.SIGINT):
        self.child.send_signal(number)
        return self.child.wait(30)


def append(path, *records):
    with open(path, "ab") as log:
        log.write(b"".join(records))
