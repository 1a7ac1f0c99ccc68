"""netlog show -f, whose output is read while it runs."""
import os
import re
import signal
import subprocess
from pathlib import Path

from harness.netlog import NETLOG
from harness.proc import wait_until


class Follower:
    def __init__(self, folder, *args, stdin=None):
        self.path = folder / "shown"
        self.errors = folder / "errors"
        with open(self.path, "wb") as out, open(self.errors, "wb") as errors:
            self.child = subprocess.Popen(
                [NETLOG, "show", "-f", *map(str, args)], stdin=stdin, stdout=out, stderr=errors
            )

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

    def stop(self, number=signal.SIGINT):
        self.child.send_signal(number)
        return self.child.wait(30)


def append(path, *records):
    with open(path, "ab") as log:
        log.write(b"".join(records))
