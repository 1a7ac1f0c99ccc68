"""netreplay as the client: run to its end, with its report; and recordings to play."""
import json
import os
import random
import subprocess
from dataclasses import dataclass

from . import logs
from .netlog import con, data, end
from .proc import BIN

NETREPLAY = BIN / "netreplay"
PATIENCE = 60


@dataclass
class Difference:
    log: str
    offset: int  # in the recorded stream
    live_offset: int
    size: int
    live_size: int


@dataclass
class Replay:
    """A replay that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        """The report of `-o json`."""
        return json.loads(self.out)

    @property
    def connections(self):
        return {connection["name"]: connection for connection in self.json["connections"]}

    @property
    def results(self):
        return {name: connection["result"] for name, connection in self.connections.items()}

    @property
    def differences(self):
        found = []
        for connection in self.json["connections"]:
            for each in connection["details"]:
                recorded, live = each["recorded"], each["live"]
                sizes = (recorded["offset"], live["offset"], recorded["size"], live["size"])
                found.append(Difference(connection["name"], *sizes))
        return found

    def __str__(self):
        return f"exit status {self.status}\n{self.out}\n{self.err}"


def clean(text):
    """Nothing of a recording reaches the terminal raw, and no sanitizer has anything to say."""
    assert b"Sanitizer" not in text and b"runtime error" not in text, text.decode(errors="replace")
    wrong = [byte for byte in text if byte != 10 and not 32 <= byte < 127]
    assert not wrong, text


def replay(*argv, stdin=b"", env=None, patience=PATIENCE, **options):
    """Run netreplay to its end, whatever that is: a hang is a failure."""
    done = subprocess.run(
        [NETREPLAY, *map(str, argv)],
        input=stdin,
        capture_output=True,
        timeout=patience,
        env={**os.environ, **(env or {})},
        **options,
    )
    clean(done.stderr)
    assert done.returncode in (0, 1, 2), f"exit status {done.returncode}\n{done.stderr}"
    return Replay(done.returncode, done.stdout.decode(), done.stderr.decode())


def at(server):
    """host:port of a Server, a Service, or an address."""
    host, port = getattr(server, "address", server)
    return f"{host}:{port}"


def expect(status, *argv, **options):
    """A replay that must end with this status."""
    done = replay(*argv, **options)
    assert done.status == status, f"expected {status}: {list(map(str, argv))}\n{done}"
    return done


def equal(*argv, **options):
    return expect(0, *argv, **options)


def different(*argv, **options):
    return expect(1, *argv, **options)


def refused(*argv, **options):
    """What must end with status 2 and one line, which is returned."""
    done = expect(2, *argv, **options)
    lines = done.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("netreplay: "), done.err
    return lines[0]


def flip(log, offset, mask, side="s"):
    """The log's bytes with one byte of that side's stream changed."""
    out, position = [], 0
    for record in log.records:
        if record.kind != "data":
            out.append(con(record.time) if record.kind == "con" else end(record.side, record.time, record.kind))
            continue
        payload = bytearray(record.data)
        if record.side == side:
            if position <= offset < position + len(payload):
                payload[offset - position] ^= mask
            position += len(payload)
        out.append(data(record.side, record.time, bytes(payload)))
    assert offset < position
    return b"".join(out)


def shifted(log, by, change=lambda side, data: data):
    """The log's records, `by` seconds later."""
    out = []
    for record in log.records:
        time = record.time + by
        if record.kind == "con":
            out.append(con(time))
        elif record.kind == "data":
            out.append(data(record.side, time, change(record.side, record.data)))
        else:
            out.append(end(record.side, time, record.kind))
    return out


def duration(log):
    return log.records[-1].time - log.records[0].time


def flipped(root, originals, count, seed, volatile=lambda stream: set()):
    """A recording of `count` connections, one after the other, in each of them one byte of the server changed, but none
    of volatile(its stream): {log: offset}."""
    chance = random.Random(seed)
    wanted, begin = {}, 0.0
    for number in range(1, count + 1):
        log = chance.choice(originals)
        stream = log.bytes("s")
        offset = chance.choice(sorted(set(range(len(stream))) - volatile(stream)))
        changed = logs.parse(flip(log, offset, chance.randrange(1, 256)))
        path = root.with_name(f"{root.name}_{number}")
        path.write_bytes(b"".join(shifted(changed, begin)))
        wanted[path.name] = offset
        begin += duration(log) + 0.002
    return wanted


def first_offsets(done):
    """Where the first difference of each connection is: {log: offset}."""
    first = {}
    for each in done.differences:
        first.setdefault(each.log, each.offset)
    return first


__all__ = ["NETREPLAY", "Difference", "Replay", "at", "different", "equal", "expect", "logs", "refused", "replay"]
