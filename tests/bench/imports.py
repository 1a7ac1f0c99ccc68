"""Rows of netlog import: captures made into logs, beside tcpflow and tshark on the same captures, and cat of their bytes."""

import itertools
import os
import random
import shutil
import struct
import subprocess
import tempfile
import time

AIM = 5  # times tcpflow's rate
# Row, connections, bytes each, bytes a segment, and whether its files are in huge pages.
ROW = {
    "import-bulk": (16, 16 << 20, 1448, True),
    "import-pages": (16, 16 << 20, 1448, False),  # the same in ordinary pages
    "import-giant": (8, 32 << 20, 65160, True),  # segmentation offload
    "import-chat": (16, 2 << 20, 64, True),
    "import-many": (5000, 2000, 200, False),
}
ROWS = list(ROW)
TOGETHER = 16  # connections at a time
FIN, SYN, PUSH, ACK = 0x01, 0x02, 0x08, 0x10
SERVER = b"\x7f\0\0\2"


def segments(connections, size, payload):
    """Sender, port, sequence numbers, flags and payload of all packets; every other data segment is acknowledged."""
    for begin in range(0, connections, TOGETHER):
        group = range(begin, min(begin + TOGETHER, connections))
        for client in group:
            yield client, False, 1000, 0, SYN, b""
            yield client, True, 5000, 1001, SYN | ACK, b""
            yield client, False, 1001, 5001, PUSH | ACK, b"GET / HTTP/1.0\r\n\r\n"
        for number, at in enumerate(range(0, size, len(payload))):
            for client in group:
                yield client, True, 5001 + at, 1019, PUSH | ACK, payload[: size - at]
                if number % 2:
                    yield client, False, 1019, 5001 + at + len(payload), ACK, b""
        for client in group:
            yield client, True, 5001 + size, 1019, FIN | ACK, b""
            yield client, False, 1019, 5002 + size, FIN | ACK, b""
            yield client, True, 5002 + size, 1020, ACK, b""


def capture_write(path, connections, size, segment):
    """A classic capture of Ethernet."""
    ethernet = bytes(12) + b"\x08\0"
    record, ip, tcp = struct.Struct("<IIII"), struct.Struct("!BBHHHBBH4s4s"), struct.Struct("!HHIIBBHHH")
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        packets = segments(connections, size, random.Random(7).randbytes(segment))
        for moment, (client, answers, seq, ack, flags, payload) in zip(itertools.count(0, 10), packets):
            who, port = bytes((10, 1, client // 60000, 1)), 1024 + client % 60000
            source, target = (SERVER, who) if answers else (who, SERVER)
            ports = (80, port) if answers else (port, 80)
            length = 54 + len(payload)
            file.write(record.pack(1700000000 + moment // 1000000, moment % 1000000, length, length) + ethernet)
            file.write(ip.pack(0x45, 0, length - 14, 0, 0x4000, 64, 6, 0, source, target))
            file.write(tcp.pack(*ports, seq, ack, 0x50, flags, 65000, 0, 0) + payload)


def commands(build, capture, folder):
    """By peer; what a command prints goes to a file too."""
    return {
        "netlog": [os.path.join(build, "netlog"), "import", capture, os.path.join(folder, "log")],
        "tcpflow": ["tcpflow", "-r", capture, "-o", os.path.join(folder, "flows")],
        "tshark": ["tshark", "-n", "-d", "tcp.port==80,data", "-r", capture, "-q", "-z", "follow,tcp,raw,0"],
        "cat": ["cat", capture],
    }


def whole(folder, connections, size):
    """Are all logs there, with all that was sent?"""
    logs = [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("log_") and "index" not in name]
    return len(logs) == connections and all(os.path.getsize(log) > size for log in logs)


def measure(bench, row):
    connections, size, segment, large = ROW[row]
    place = bench.options.large if large else bench.options.folder
    with tempfile.TemporaryDirectory(dir=place) as folder:
        capture = os.path.join(folder, "capture")
        capture_write(capture, connections, size, segment)
        for peer in commands("", "", ""):
            if (peer, row) in bench.failed or (peer == "tshark" and bench.median("import " + row, peer)):
                continue  # tshark takes long: once is enough
            out = os.path.join(folder, "out")
            os.mkdir(out)
            command = commands(os.path.abspath(bench.options.build), capture, out)[peer]
            if not shutil.which(command[0]):
                bench.failed.add((peer, row))
                bench.remark("%s: left out: not installed" % peer)
                continue
            bench.reserve.release()
            with open(os.path.join(out, "printed"), "wb") as printed:
                begin = time.monotonic()
                done = subprocess.run(["timeout", "60", *command], stdout=printed, stderr=subprocess.DEVNULL, cwd=out, check=False)
                took = time.monotonic() - begin
            if done.returncode != 0 or (peer == "netlog" and not whole(out, connections, size)):
                bench.failed.add((peer, row))
                bench.remark("%s, %s: FAILED: status %d" % (peer, row, done.returncode))
            else:
                bench.results.setdefault(("import " + row, peer), []).append(os.path.getsize(capture) / took / 1e6)
            shutil.rmtree(out)
            bench.reserve.fill()


def tell(bench, number):
    """Medians, and netlog's ratio to each."""
    print("\nImports of captures, MB/s of the capture (at least %d times tcpflow's rate is aimed at)\n" % AIM)
    for row in ROWS:
        own = bench.median("import " + row, "netlog")
        if own is None:
            continue
        print("%-18s %-10s%10s" % (row, "netlog", number(own)))
        for peer in ("tcpflow", "tshark", "cat"):
            other = bench.median("import " + row, peer)
            if other:
                print("%-18s %-10s%10s   ratio %s" % ("", peer, number(other), number(own / other)))
        tcpflow, cat = (bench.median("import " + row, peer) for peer in ("tcpflow", "cat"))
        if tcpflow and cat:
            print("%-18s the aim would be %s of cat's rate" % ("", number(AIM * tcpflow / cat)))
