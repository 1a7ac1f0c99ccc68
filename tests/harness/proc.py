"""Processes of a test: started, awaited, always ended, and only by their own pid."""
import contextlib
import os
import re
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BIN = Path(os.environ.get("NETRECORD_BIN", TOP / "build/release"))
if not BIN.is_absolute():
    BIN = TOP / BIN
PATIENCE = 30  # seconds until something that must happen counts as never happening


def wait_until(condition, what, patience=PATIENCE, pause=0.01):
    """Wait for `condition()` to be true, and return its value."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain: {what}")
        time.sleep(pause)


def settled(measure, quiet=0.5, patience=PATIENCE):
    """Wait until `measure()` has not changed for `quiet` seconds, and return it."""
    deadline = time.monotonic() + patience
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < quiet:
        assert time.monotonic() < deadline, "never came to rest"
        time.sleep(0.02)
        now = measure()
        if now != value:
            value, since = now, time.monotonic()
    return value


class Process:
    """A child whose stderr is collected line by line."""

    def __init__(self, argv, nofile=None, **options):
        def limits():
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        self.argv = [str(a) for a in argv]
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stdin", subprocess.DEVNULL)
        self.child = subprocess.Popen(
            self.argv, stderr=subprocess.PIPE, preexec_fn=limits if nofile else None, **options
        )
        self.pid = self.child.pid
        self.lines = []
        self.abandoned = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        pending = b""
        while not self.abandoned and (data := os.read(self.child.stderr.fileno(), 65536)):
            *lines, pending = (pending + data).split(b"\n")
            self.lines += [line.decode(errors="backslashreplace") for line in lines]
        if pending:
            self.lines.append(pending.decode(errors="backslashreplace"))
        self.child.stderr.close()

    def abandon_stderr(self):
        """Close the reading end; what it writes from now on meets EPIPE. One more message is needed to notice."""
        self.abandoned = True

    @property
    def stderr(self):
        return "\n".join(self.lines)

    def said(self, pattern):
        """All matches of `pattern` on stderr so far."""
        return re.findall(pattern, self.stderr)

    def wait_said(self, pattern, count=1):
        def there():
            found = self.said(pattern)
            if len(found) >= count:
                return found
            if self.child.poll() is not None:
                self.reader.join(5)
                found = self.said(pattern)
                assert len(found) >= count, f"ended with {self.child.returncode}: {self.argv}\n{self.stderr}"
                return found
            return None

        return wait_until(there, f"{pattern!r} on stderr of {self.argv}")

    @property
    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, patience=PATIENCE):
        """Wait for the end; returns the exit status."""
        try:
            status = self.child.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {patience} s: {self.argv}\n{self.stderr}") from None
        self.reader.join(5)
        return status

    def kill(self):
        if self.alive:
            self.child.kill()
            self.child.wait()
        self.reader.join(5)

    def cpu_seconds(self):
        """Processor time used so far, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self, name):
        """A field of /proc/<pid>/status, as 'VmHWM' in kB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1].split()
        raise KeyError(name)

    def memory(self):
        """Resident bytes now."""
        return int(self.status("VmRSS")[0]) * 1024

    def descriptors(self):
        """How many are open, in all tables: a thread may have one of its own."""
        found = set()
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            found.update((fd, what) for fd, what in links(task / "fd"))
        return len(found)


def links(folder):
    """The descriptors of /proc/.../fd and what they are, but for those that are closed meanwhile."""
    found = []
    with contextlib.suppress(FileNotFoundError):  # the thread has ended
        for link in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append((int(link.name), os.readlink(link)))
    return found


LISTENING = r"netrecord: listening on (\S+)"


class Netrecord(Process):
    """netrecord in front of (host, port), recording under logroot."""

    def __init__(self, target, logroot, *options, listen="0", listeners=1, env=None, wrap=(), **popen):
        self.logroot = Path(logroot)
        operands = [target] if isinstance(target, str) else [target[0], target[1]]
        argv = [*wrap, BIN / "netrecord", *options, *operands, listen, logroot]
        super().__init__(argv, env={**os.environ, **(env or {})}, **popen)
        try:
            self.listening = self.wait_said(LISTENING, listeners)
        except BaseException:
            self.kill()
            raise
        if self.listening[0].startswith("unix:"):
            self.port = None
        else:
            self.port = int(self.listening[0].rsplit(":", 1)[1])
        self.address = ("127.0.0.1", self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def stop(self, number=signal.SIGTERM, expect=0):
        """End it and see that it ended well; all connections are expected to be over."""
        self.signal(number)
        status = self.wait()
        assert status == expect, f"exit status {status}, expected {expect}\n{self.stderr}"
        index = Path(f"{self.logroot}_index.jsonl")
        if index.exists():
            assert index.read_bytes()[-1:] in (b"", b"\n"), "the index ends within a line"
        return self.stderr


def run(*argv, check=True, patience=PATIENCE, **options):
    """Run a program to its end; returns the completed process, its output as bytes."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=patience, **options)
    if check:
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done


def netlog(*argv, **options):
    return run(BIN / "netlog", *argv, **options)
