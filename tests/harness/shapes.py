"""Logs of every shape that a connection, or damage, may give them: name -> (log, client's bytes, server's bytes)."""
import gzip
import random

from .netlog import SAMPLE, con, data, end

NOISE = random.Random(7).randbytes(3 << 20)


def ping(times):
    return [data("cs"[i % 2], time, b"ping %d" % i) for i, time in enumerate(times)]


def sent(records):
    """What each side sent, of records made by data()."""
    both = {"c": b"", "s": b""}
    for record in records:
        header, _, payload = record.partition(b"\n")
        side, _, size = header.split()
        if size.isdigit():
            both[side.decode()] += payload
    return both["c"], both["s"]


def whole(*records):
    return (b"".join(records), *sent(records))


SIZES = [1, 2, 1439, 1440, 1441, 1459, 1460, 1461, 2919, 2920, 2921, 4380, 65535, 65536, 65537]

SHAPES = {
    "everything": whole(*SAMPLE),
    "refused": whole(con(1.5)),
    "client ends only": whole(con(), *ping([0.1, 0.2]), end("c", 0.3)),
    "server ends only": whole(con(), *ping([0.1, 0.2]), end("s", 0.3)),
    "data behind the client's end": whole(con(), data("c", 0.1, b"all?"), end("c", 0.2), *[data("s", 0.3, NOISE[:5000])] * 9, end("s", 1)),
    "data behind the server's end": whole(con(), end("s", 0.1), data("c", 0.2, NOISE[:9000]), end("c", 0.3)),
    "both end at once": whole(con(0), end("c", 0), end("s", 0)),
    "client fails": whole(con(), *ping([0.1, 0.2, 0.3]), end("c", 0.4, "err")),
    "server fails": whole(con(), *ping([0.1, 0.2, 0.3]), end("s", 0.4, "err")),
    "both fail": whole(con(), *ping([0.1]), end("s", 0.4, "err")),
    "fails after both ends": whole(con(), end("c", 0.1), end("s", 0.2), end("c", 0.3, "err")),
    "fails after its end": whole(con(), end("c", 0.1), data("s", 0.2, b"late"), end("c", 0.3, "err")),
    "fails at once": whole(con(), end("s", 0, "err")),
    "timeout": whole(con(), data("c", 0.1, b"anybody?"), end("s", 3600.1, "err")),
    "no end": whole(con(), *ping([0.1, 0.2])),
    "server speaks first": whole(con(), data("s", 0.1, b"220 ready\r\n"), data("c", 0.2, b"QUIT\r\n"), end("s", 0.3)),
    "all at the same time": whole(con(2), *ping([2] * 2000), end("c", 2), end("s", 2)),
    "a microsecond apart": whole(con(2), *ping([2 + i / 1e6 for i in range(1, 2000)]), end("s", 3)),
    "one side only": whole(con(), *[data("s", 0.1 * i, NOISE[i : i + 1000]) for i in range(50)], end("s", 9)),
    "sizes around a segment": whole(con(), *[data("cs"[i % 2], 0.01 * i, NOISE[:size]) for i, size in enumerate(SIZES)], end("c", 1)),
    "single bytes": whole(con(), *[data("c", 0.001 * i, b"x") for i in range(300)], end("c", 1)),
    "large record": whole(con(), data("s", 0.1, NOISE), end("s", 0.2), end("c", 0.3)),
    "empty record": whole(con(), data("c", 0.1, b""), data("s", 0.2, b"a"), data("s", 0.3, b""), end("c", 0.4)),
    "times go backwards": whole(con(5), data("c", 7, b"a"), data("s", 6, b"b"), data("c", 2, b"c"), end("c", 9)),
    "times before zero": (b"c -1.100000 con\nc -1.1000000 3\nabcs 0.000001 hup\n", b"abc", b""),
    "first part deleted": whole(data("s", 3, b"...end of it"), data("c", 4, b"thanks"), end("c", 5)),
    "first part deleted, then a failure": whole(end("s", 5, "err")),
}
BROKEN = {
    "empty": (b"", b"", b""),
    "cut in data": (con() + data("c", 0.1, b"whole") + data("s", 0.2, NOISE[:9000])[:-2345], b"whole", NOISE[: 9000 - 2345]),
    "cut in a header": (con() + data("c", 0.1, b"whole") + b"s 0.2", b"whole", b""),
    "cut in the first header": (b"c 0.1", b"", b""),
    "no log behind a while": (con() + data("c", 0.1, b"whole") + b"#!/bin/sh\n", b"whole", b""),
    "gzip cut": (gzip.compress(con() + data("c", 0.1, NOISE[:60000]))[:-30], NOISE[:0], b""),
}
