"""netlog pcap with streams beyond 4 GiB, where sequence numbers begin anew, and with many logs."""
import struct
import subprocess
import threading

import pytest

from harness import tshark
from harness.netlog import NETLOG, con, data, end, peak, write
from harness.peers import pattern

pytestmark = pytest.mark.slow

RECORD = 1 << 20
RECORDS = 4200  # 4.1 GiB
BLOCK = pattern(5, 0, RECORD)


class Piped:
    """netlog pcap of a log that comes and a capture that goes through pipes: nothing of it is ever in a file."""

    def __init__(self, *options):
        words = [NETLOG, "pcap", *options, "-"]
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.feeder = threading.Thread(target=self.feed)
        self.feeder.start()

    def feed(self):
        with self.child.stdin as log:
            log.write(con(0.5))
            for n in range(RECORDS):
                log.write(b"s %d.%06d %d\n" % (n // 1000 + 1, n % 1000, RECORD))
                log.write(BLOCK)
            log.write(end("s", 99) + end("c", 99))

    def close(self):
        self.feeder.join()
        assert self.child.wait() == 0


def test_more_than_4_gib_byte_for_byte():
    piped = Piped()
    expected = memoryview(BLOCK + BLOCK)
    total, first, ended = 0, None, 0
    for kind, content in tshark.blocks(piped.child.stdout):
        if kind != 6 or content[20 + 12 : 20 + 16] != bytes([198, 51, 100, 1]):
            continue
        size = struct.unpack_from("<I", content, 12)[0]
        sequence, flags = struct.unpack_from(">I", content, 20 + 24)[0], content[20 + 33]
        if flags & 2:
            first = sequence + 1
            continue
        assert sequence == (first + total + ended) % (1 << 32)
        payload = memoryview(content)[20 + 40 : 20 + size]
        assert payload == expected[total % RECORD : total % RECORD + len(payload)]
        total += len(payload)
        ended += flags & 1
    piped.close()
    assert total == RECORD * RECORDS > 1 << 32
    assert ended == 1


def test_more_than_4_gib_without_a_complaint():
    piped = Piped("--mss", "65495")
    quick = ["-o", "tcp.desegment_tcp_streams:FALSE", *tshark.NO_APPLICATIONS]
    options = ["-r", "-", *tshark.CHECK, *quick, "-Y", f"({tshark.SUSPICIOUS}) or tcp.flags.fin==1"]
    found = tshark.tshark(*options, "-T", "fields", "-e", "tcp.flags.str", stdin=piped.child.stdout, timeout=600)
    piped.close()
    assert [line.replace("·", "") for line in found.splitlines()] == ["AF", "AF"]


def test_memory_does_not_grow_with_the_number_of_logs(folder):
    """Logs that follow one another: what is kept of each is its name, and 16 bytes."""
    for n in range(1, 20001):
        write(folder / f"log_{n}", [con(n), data("c", n + 0.1, b"x" * 3000), end("c", n + 0.2), end("s", n + 0.3)])
    few = peak("pcap", "-w", folder / "out", *(folder / f"log_{n}" for n in range(1, 101)))
    many = peak("pcap", "-w", folder / "out", folder / "log")
    listed = peak("list", folder / "log")
    assert few[0] == many[0] == 0
    assert many[1] - few[1] < (listed[1] - few[1]) + 4096, "more than the list of the logs takes itself"
