"""netlog import of captures with much of something: connections, bytes behind a gap."""
import random
import re
import resource
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from harness import logs, netlog, packets
from harness.netlog import NETLOG, good
from harness.packets import ACK, FIN, SYN, Talk
from harness.proc import PATIENCE, TOP, run


def crowd(path, count):
    """A capture of `count` connections that are all open at the same time, of 10.1.x.y."""
    payload = b"*1\r\n$4\r\nPING\r\n"
    steps = [(0, SYN, 0, 0, b""), (1, SYN | ACK, 0, 1, b""), (0, ACK, 1, 1, payload), (1, ACK, 1, 15, b"+PONG\r\n")]
    steps += [(0, FIN | ACK, 15, 8, b""), (1, FIN | ACK, 8, 16, b"")]
    with open(path, "wb") as file:
        file.write(packets.pcap([]))
        for moment, (answers, flags, seq, ack, data) in enumerate(steps):
            for n in range(count):
                client = bytes((10, 1)) + struct.pack("!H", n // 50000)
                ends = (b"\x0a\2\0\1", client, 80, 1024 + n % 50000) if answers else (client, b"\x0a\2\0\1", 1024 + n % 50000, 80)
                ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, *ends[:2])
                tcp = struct.pack("!HHIIBBHHH", *ends[2:], seq, ack, 0x50, flags, 65535, 0, 0)
                size = 54 + len(data)
                file.write(struct.pack("<IIII", 1 + moment, n, size, size) + bytes(12) + b"\x08\0" + ip + tcp + data)
    return path


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@pytest.mark.parametrize("count, limit", [(2000, few_descriptors), pytest.param(100_000, lambda: None, marks=pytest.mark.slow)])
def test_many_connections(folder, count, limit):
    path = crowd(folder / "in.pcap", count)
    subprocess.run([NETLOG, "import", path, folder / "out"], check=True, preexec_fn=limit)
    closed = logs.closed(folder / "out")
    assert len(closed) == count and {entry["end"] for entry in closed.values()} == {"s hup"}
    starts = [closed[n]["start"] for n in range(1, count + 1)]
    assert starts == sorted(starts)
    for n in (1, 2, count // 2, count):
        log = logs.load(folder / "out", n)
        assert (log.bytes("c"), log.bytes("s")) == (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")
        assert log.shape() == "c con, c data, s data, c hup, s hup"
    good("check", folder / "out")


def peak_of(folder, content, status):
    """Import it from a pipe; returns the memory in KiB that it took until little of it was left."""
    child = subprocess.Popen([NETLOG, "import", "-", folder / "out"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdin.write(content[:-100])
    child.stdin.flush()  # all but what fits in a pipe is read
    found = int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child.pid}/status").read_text())[1])
    child.stdin.write(content[-100:])
    child.stdin.close()
    assert child.wait(PATIENCE) == status
    return found


def test_records_of_one_microsecond(folder):
    """What a side sends in the same microsecond is one record, however long that gets."""
    talk = Talk(mss=7, step=0).open().send("s", bytes(range(256)) * 300).close()
    good("import", packets.write(folder / "in.pcap", packets.pcap(talk.packets)), folder / "out")
    log = logs.load(folder / "out", 1)
    assert log.bytes("s") == bytes(range(256)) * 300
    assert [r.kind for r in log.records].count("data") == 2  # 64 KiB at most


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


@pytest.mark.parametrize("options", [[], ["--gzip"]])
def test_full_disk(folder, options):
    """A limit on the size of files stands for it: it is said once, and the log ends at a whole record."""
    talk = Talk().open().send("s", random.Random(5).randbytes(2_000_000)).close()
    path = packets.write(folder / "in.pcap", packets.pcap(talk.packets))
    done = subprocess.run([NETLOG, "import", *options, path, folder / "out"], preexec_fn=small_files, capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and done.stderr.endswith(b": File too large\n")
    (log,) = folder.glob("out_1*")
    assert 200_000 < log.stat().st_size <= 300_000
    good("check", log)


@pytest.mark.parametrize("capture_of", [packets.pcap, packets.pcapng])
def test_read_in_pieces(folder, capture_of):
    """A pipe that hands over the capture in pieces of any size, packets across its buffers."""
    rng = random.Random(4)
    talk = Talk(mss=65000).open()
    sent = [rng.randbytes(rng.choice([1, 60, 1448, 20000, 64000])) for _ in range(60)]
    for payload in sent:
        talk.send("s", payload)
    content = capture_of(talk.close().packets)
    child = subprocess.Popen([NETLOG, "import", "-", folder / "out"], stdin=subprocess.PIPE)
    while content:
        size = rng.choice([1, 15, 500, 60000])
        child.stdin.write(content[:size])
        child.stdin.flush()
        content = content[size:]
    child.stdin.close()
    assert child.wait(PATIENCE) == 0
    assert logs.load(folder / "out", 1).bytes("s") == b"".join(sent)


def test_memory_behind_a_gap(folder):
    """Sixty megabytes behind missing bytes are not kept waiting for them."""
    t = Talk(mss=65000).open().send("c", b"?")
    t.seq["s"] += 1000
    t.send("s", bytes(60 << 20)).close()
    kib = peak_of(folder, packets.pcap(t.packets), 1)
    assert 16 << 10 < kib < 40 << 10  # what is waited for is kept in memory
    closing = logs.closed(folder / "out")[1]
    assert (closing["gap_offset"], closing["gap_size"], closing["lost"]) == (0, 1000, 1000 + (60 << 20))


def test_memory_of_a_long_stream(folder):
    t = Talk(mss=65000).open().send("s", bytes(60 << 20)).close()
    assert peak_of(folder, packets.pcap(t.packets), 0) < 16 << 10


FIELDS = {
    "pcap": packets.pcap([]) + struct.pack("<IIII", 1, 1, 2**32 - 1, 2**32 - 1),
    "snaplen": packets.pcap(Talk().open().packets, snaplen=2**31 - 1)[:-1],
    "block": packets.pcapng([]) + struct.pack("<IIIIIII", 6, 2**32 - 4, 0, 0, 0, 2**32 - 1, 2**32 - 1),
    "block of an allowed size": packets.pcapng([]) + struct.pack("<IIIIIII", 6, 15 << 20, 0, 0, 0, 14 << 20, 14 << 20),
    "section": packets.pcapng([])[:4] + struct.pack("<I", 2**32 - 4) + packets.pcapng([])[8:],
    "options": packets.pcapng(Talk().open().packets)[:-8] + b"\xff" * 8,
}


@pytest.mark.parametrize("field", FIELDS)
def test_hostile_lengths_take_no_memory(folder, field):
    """Fields that promise megabytes or gigabytes, in a file of some hundred bytes."""
    path = packets.write(folder / "in", FIELDS[field])
    code = "import os, subprocess, sys; subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL); import resource; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    small = run(sys.executable, "-S", "-E", "-c", code, NETLOG, "import", path, folder / "out").stdout
    assert int(small) < 16 << 10
    assert netlog.run("import", path, folder / "out").returncode in (1, 2)


@pytest.mark.slow
def test_built_without_libpcap(folder):
    """Classic captures are read all the same; import says why others are not, nor filters."""
    run("make", "-s", "-C", TOP, "VARIANT=no-pcap", "WITHOUT=pcap", "build/no-pcap/netlog", patience=600)
    own = TOP / "build/no-pcap/netlog"
    talk = Talk().open().send("c", b"hello").close().packets
    classic, other = packets.write(folder / "in.pcap", packets.pcap(talk)), packets.write(folder / "in.pcapng", packets.pcapng(talk))
    for words in ["import", other, folder / "out"], ["import", "-F", "tcp", classic, folder / "out"]:
        done = run(own, *words, check=False)
        assert done.returncode == 2 and done.stderr.endswith(b"not supported: built without libpcap\n")
        assert done.stderr.count(b"\n") == 1 and not list(folder.glob("out*"))
    run(own, "import", classic, folder / "out")
    assert logs.load(folder / "out", 1).bytes("c") == b"hello"
