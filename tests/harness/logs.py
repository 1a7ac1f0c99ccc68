"""A reader of logs and index written from the format's description alone, sharing nothing with format/."""
import gzip
import json
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

HEADER = re.compile(rb"([cs]) (\d+\.\d{6}) (con|hup|err|\d+)\n")


class Damaged(Exception):
    """The log holds something that is no record."""


@dataclass
class Record:
    side: str
    time: float
    kind: str  # con, data, hup or err
    data: bytes = b""

    def __str__(self):
        return f"{self.side} {self.kind}" + (f" {len(self.data)}" if self.kind == "data" else "")


@dataclass
class Log:
    """A log as far as its records are whole."""

    name: str
    records: list = field(default_factory=list)
    whole: int = 0  # offset behind the last whole record
    size: int = 0

    @property
    def cut(self):
        return self.whole != self.size

    def bytes(self, side):
        return b"".join(r.data for r in self.records if r.side == side)

    def shape(self):
        """What happened, runs of data of one side joined: 'c con, c data, s data, c hup, s hup'."""
        steps = []
        for record in self.records:
            step = f"{record.side} {record.kind}"
            if not (record.kind == "data" and steps and steps[-1] == step):
                steps.append(step)
        return ", ".join(steps)

    def ends(self):
        return [f"{r.side} {r.kind}" for r in self.records if r.kind in ("hup", "err")]


def parse(data, name="log"):
    """Read all whole records; whatever is left behind them is `cut`, but no record at all is Damaged."""
    log = Log(name, size=len(data))
    at, last, ended = 0, 0.0, set()
    while at < len(data):
        newline = data.find(b"\n", at, at + 64)
        if newline < 0:
            if len(data) - at >= 64:
                raise Damaged(f"{name}: byte {at}: no record: {data[at:at + 40]!r}")
            break
        match = HEADER.fullmatch(data, at, newline + 1)
        if not match:
            raise Damaged(f"{name}: byte {at}: no record: {data[at:newline + 1]!r}")
        side, time, what = match[1].decode(), float(match[2]), match[3].decode()
        at = newline + 1
        if what.isdigit():
            size = int(what)
            if len(data) - at < size:
                break
            record = Record(side, time, "data", data[at : at + size])
            at += size
        else:
            record = Record(side, time, what)
        check_order(log, record, last, ended)
        if what in ("hup", "err"):
            ended.add(f"{side} {what}")
        last = time
        log.records.append(record)
        log.whole = at
    return log


def check_order(log, record, last, ended):
    """What must hold between a record and those before it; `ended` has the hups and errs."""
    if (record.kind == "con") != (not log.records):
        wrong = "con is the first record and only that"
    elif record.time < last:
        wrong = f"time runs backwards, {record.time} after {last}"
    elif f"{record.side} hup" in ended and record.kind != "err":
        wrong = "after that side's hup"
    elif "c err" in ended or "s err" in ended:
        wrong = "after an err"
    else:
        return
    raise Damaged(f"{log.name}: byte {log.whole}: {record}: {wrong}")


def gunzip(data):
    """All members, and of a cut one as much as it gives."""
    out = []
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            out.append(member.decompress(data))
        except zlib.error:
            break
        if not member.eof:
            break
        data = member.unused_data
    return b"".join(out)


def read_file(path):
    data = Path(path).read_bytes()
    return gunzip(data) if str(path).endswith(".gz") else data


def parts(root):
    """Paths of all log files under the root: {n: [(part, path), ...]}."""
    root = Path(root)
    pattern = re.compile(re.escape(root.name) + r"_(\d+)(?:\.(\d+))?(?:\.gz)?")
    found = {}
    for path in root.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match:
            found.setdefault(int(match[1]), []).append((int(match[2] or 0), path))
    return {n: sorted(paths) for n, paths in sorted(found.items())}


def load(root, n):
    """The log of connection n, its parts joined."""
    return parse(b"".join(read_file(path) for _, path in parts(root)[n]), f"{root}_{n}")


def load_all(root):
    return {n: load(root, n) for n in parts(root)}


def bytes_of(path, side):
    """What `side` ('c' or 's') sent, by the log file at `path`."""
    return parse(read_file(path), str(path)).bytes(side)


def so_far(root, n, side):
    """What is in the log already of a connection that may be open, or not even be recorded yet."""
    return load(root, n).bytes(side) if n in parts(root) else b""


def gzip_is_whole(path):
    """Every member of the file is complete and its checksum right."""
    with gzip.open(path) as stream:
        while stream.read(1 << 20):
            pass
    return True


def index(root):
    """All events of the index; each line must be JSON. One that is just being written does not count yet."""
    path = Path(f"{root}_index.jsonl")
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]


def closed(root):
    """Close events by connection number; there must be one open event for each."""
    events = index(root)
    opened = [e["n"] for e in events if e["event"] == "open"]
    closes = {e["n"]: e for e in events if e["event"] == "close"}
    assert len(opened) == len(set(opened)), "a number was opened twice"
    assert set(closes) <= set(opened), "closed without having been opened"
    return closes
