"""netmirror, its counters, and observers that keep what they get."""
import os
import re
import signal
import tempfile

from .peers import Server, recv_until_end
from .proc import BIN, PATIENCE, Process, run, wait_until

NETMIRROR = BIN / "netmirror"


class Netmirror(Process):
    """netmirror with options and operands; its report, if it makes one, is collected."""

    def __init__(self, *argv, listeners=1, env=None, wrap=(), **popen):
        self.output = tempfile.TemporaryFile()
        super().__init__([*wrap, NETMIRROR, *argv], stdout=self.output, env={**os.environ, **(env or {})}, **popen)
        try:
            self.listening = self.wait_said(r"netmirror: listening on (\S+)", listeners) if listeners else []
        except BaseException:
            self.kill()
            raise
        ports = [int(each.rsplit(":", 1)[1]) for each in self.listening if not each.startswith("unix:")]
        self.address = ("127.0.0.1", ports[0]) if ports else None

    def counts(self, observer=None):
        """What USR1 tells, of all or of one observer: {text: number}."""
        before = len(self.lines)
        self.signal(signal.SIGUSR1)
        last = "ended because bytes are missing" if "--capture" in self.argv else "paused for want of descriptors"
        if observer:
            last = "microseconds that the oldest byte"

        def told():
            lines = self.lines[before:]
            # the end of an earlier report may stand before this one
            begins = [at for at, line in enumerate(lines) if line.startswith("netmirror: client connections accepted")]
            lines = lines[begins[-1] :] if begins else []
            if observer:
                lines = [line for line in lines if f": observer {observer}: " in line]
            else:
                lines = [line for line in lines if ": observer " not in line]
            return lines if any(last in line for line in lines) else None

        found = {}
        for line in wait_until(told, "counters on stderr"):
            match = re.fullmatch(r"netmirror: (?:\S+: observer \S+: )?([^:]+): (\d+)", line)
            if match:
                found[match[1]] = int(match[2])
        return found

    @property
    def report(self):
        self.output.seek(0)
        return self.output.read().decode()

    def stop(self, number=signal.SIGQUIT, expect=0):
        self.signal(number)
        status = self.wait()
        assert status == expect, f"exit status {status}, expected {expect}\n{self.report}\n{self.stderr}"
        return self.stderr

    def finish(self):
        self.kill()
        assert "Sanitizer" not in self.stderr and "runtime error" not in self.stderr, self.stderr
        self.output.close()


class Observer(Server):
    """Keeps (bytes, how it ended) of each connection in `results`; `answer` is sent at once."""

    def __init__(self, answer=b"", **options):
        self.answer = answer
        super().__init__(self._take, **options)

    def _take(self, sock, _number):
        if self.answer:
            sock.sendall(self.answer)
        return recv_until_end(sock)

    @property
    def name(self):
        return "%s:%d" % self.address

    def got(self, count):
        """Wait for the ends of `count` connections; their bytes and ends, sorted."""
        return sorted(self.wait_results(count))


def refused(*argv):
    """Run what must fail at once with status 2 and one line; returns that line."""
    done = run(NETMIRROR, *argv, check=False, patience=PATIENCE)
    assert done.returncode == 2, done
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("netmirror: "), done.stderr
    assert not done.stdout
    return lines[0]
