"""tcpdump on the loopback interface, and tcpflow: what others capture, and make of it."""
import os
import re
import signal
import subprocess

from .proc import PATIENCE, Process, run, settled


class Dump:
    """Captures what passes on loopback to and from `port` while it is entered."""

    def __init__(self, path, port, interface="lo"):
        self.path = path
        words = ["tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-Z", "root", "-B", "65536", "-w", path, f"tcp port {port}"]
        self.child = Process(words)

    def __enter__(self):
        self.child.wait_said("listening on")
        return self

    def __exit__(self, *_):
        settled(lambda: os.path.getsize(self.path), quiet=0.3)
        self.child.signal(signal.SIGINT)
        try:
            assert self.child.wait() == 0
        finally:
            self.child.kill()
        assert self.child.said(r"\b0 packets dropped by kernel"), self.child.stderr


def tcpflow(path, folder):
    """What each end of a connection sent to the other, by (sender, receiver); ends as "127.0.0.1:80"."""
    folder.mkdir()
    subprocess.run(["tcpflow", "-r", path, "-o", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=True)
    number = r"(\d{3}\.\d{3}\.\d{3}\.\d{3})\.(\d{5})"
    found = {}
    for file in folder.iterdir():
        match = re.fullmatch(f"{number}-{number}", file.name)
        if match:
            ends = [".".join(str(int(byte)) for byte in match[n].split(".")) + f":{int(match[n + 1])}" for n in (1, 3)]
            found[tuple(ends)] = file.read_bytes()
    return found


def editcap(*words):
    run("editcap", *words)
