"""netreplay --serve, with its report collected."""
import json
import os
import socket
import tempfile

from .netlog import con, data, end
from .peers import connect, recv_exactly, recv_until_end
from .proc import BIN, Process, run

NETREPLAY = BIN / "netreplay"


class Served(Process):
    """Logs played as the server, given behind the options; the report is what it writes to stdout."""

    def __init__(self, *argv, port="0", env=None, wrap=(), **popen):
        self.output = tempfile.TemporaryFile()
        words = [*wrap, NETREPLAY, *argv[:-1], "--serve", port, argv[-1]]
        super().__init__(words, stdout=self.output, env={**os.environ, **(env or {})}, **popen)
        try:
            (listening,) = self.wait_said(r"netreplay: listening on (\S+)")
        except BaseException:
            self.kill()
            raise
        self.port = None if listening.startswith("unix:") else int(listening.rsplit(":", 1)[1])
        self.address = ("127.0.0.1", self.port)

    @property
    def report(self):
        self.output.seek(0)
        return self.output.read().decode()

    def ends(self, status):
        """Wait for the end by itself; returns the report."""
        found = self.wait()
        assert found == status, f"exit status {found}, expected {status}\n{self.report}\n{self.stderr}"
        return self.report

    def departures(self, connections=1):
        """Wait for the end with status 1, of -o json: name, recorded offset and size, live offset and size of each."""
        report = json.loads(self.ends(1))
        assert len(report["connections"]) == connections, report
        return [
            (each["name"].rsplit("/", 1)[-1], *(detail[of][what] for of in ("recorded", "live") for what in ("offset", "size")))
            for each in report["connections"]
            for detail in each["details"]
        ]

    def finish(self):
        self.kill()
        assert "Sanitizer" not in self.stderr and "runtime error" not in self.stderr, self.stderr
        self.output.close()


def refused(*argv):
    """Run what must fail at once with status 2 and one line; returns that line."""
    done = run(NETREPLAY, *argv, check=False)
    assert done.returncode == 2, done
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("netreplay: "), lines
    return lines[0]


def dialog(*turns, start=0.0, pause=0.01, client_end="hup", server_end="hup"):
    """Records of a dialog: 'c' or 's' and bytes in turn, then both ends, the client's first."""
    at = start
    records = [con(at)]
    for side, payload in turns:
        at += pause
        records.append(data(side, at, payload))
    if client_end:
        at += pause
        records.append(end("c", at, client_end))
    if server_end:
        at += pause
        records.append(end("s", at, server_end))
    return records


def write_logs(root, *logs):
    """Write each list of records as root_1, root_2, ..."""
    for number, records in enumerate(logs, 1):
        root.with_name(f"{root.name}_{number}").write_bytes(b"".join(records))
    return root


def peak(process):
    """Highest resident memory so far, in bytes."""
    return int(process.status("VmHWM")[0]) * 1024



def ask(address, *turns):
    """Send and expect in turn, end the stream, and see the server end its own."""
    with connect(address) as sock:
        for side, payload in turns:
            if side == "c":
                sock.sendall(payload)
            else:
                assert recv_exactly(sock, len(payload)) == payload
        sock.shutdown(socket.SHUT_WR)
        assert recv_until_end(sock) == (b"", "fin")
