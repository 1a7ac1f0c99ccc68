"""Logs written by hand, and netlog run on them."""
import gzip
import json
import os
import subprocess

from harness.proc import BIN, PATIENCE

NETLOG = BIN / "netlog"


def con(time=0.0):
    return b"c %.6f con\n" % time


def data(side, time, payload):
    return b"%s %.6f %d\n%s" % (side.encode(), time, len(payload), payload)


def end(side, time, how="hup"):
    return b"%s %.6f %s\n" % (side.encode(), time, how.encode())


# a small log with everything in it: two turns, half-close, an end on each side
SAMPLE = [
    con(0.1),
    data("c", 0.2, b"PING\r\n"),
    data("s", 0.25, b"+PONG\r\n"),
    data("c", 1.0, b"GET k\r\n"),
    data("s", 1.5, b"$5\r\nhe"),
    data("s", 1.6, b"llo\r\n"),
    end("c", 2.0),
    end("s", 2.5),
]


def boundaries(records):
    """Offsets at which a log of these records may end."""
    at = [0]
    for record in records:
        at.append(at[-1] + len(record))
    return at


def write(path, records=SAMPLE):
    content = records if isinstance(records, bytes) else b"".join(records)
    if str(path).endswith(".gz"):
        content = gzip.compress(content)
    path.write_bytes(content)
    return path


def entry(n, start, time, log=None, run="run-a", closed=True, **more):
    """The index lines of one connection."""
    fields = {
        "n": n,
        "log": log or f"log_{n}",
        "run": run,
        "start": start,
        "time": time,
        "client": f"192.0.2.1:{40000 + n}",
        "server": "192.0.2.2:80",
    }
    lines = [{"event": "open", **fields}]
    if closed:
        closing = {"duration": 1.5, "connect": 0.001, "client_bytes": 10, "server_bytes": 20, "end": "c hup", "lost": 0}
        lines.append({"event": "close", **fields, **closing, **more})
    return "".join(json.dumps(line) + "\n" for line in lines)


def run(*args, stdin=b"", env=None, **options):
    """Run netlog; stdout and stderr as bytes. Its stderr must be clean of control characters and sanitizer reports."""
    result = subprocess.run(
        [NETLOG, *map(str, args)],
        input=stdin,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        timeout=PATIENCE * 4,
        env={**os.environ, "TZ": "UTC", **(env or {})},
        **options,
    )
    assert b"Sanitizer" not in result.stderr and b"runtime error" not in result.stderr, result.stderr
    assert not [c for c in result.stderr if c != 10 and not 32 <= c < 127], result.stderr
    assert result.returncode in (0, 1, 2), result
    return result


def good(*args, **options):
    """Run what must succeed in silence; returns its output."""
    result = run(*args, **options)
    assert (result.returncode, result.stderr) == (0, b""), result
    return result.stdout.decode("ascii")


def refused(*args, status=2, **options):
    """Run what must fail with one line; returns that line."""
    result = run(*args, **options)
    assert result.returncode == status, result
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("netlog: "), lines
    return lines[0]


def peak(*args, stdin=None):
    """Run with the output thrown away; returns the exit status and the peak of memory in KiB."""
    child = subprocess.Popen([NETLOG, *map(str, args)], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_maxrss
