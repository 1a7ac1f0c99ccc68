"""Captures as tshark and tcpdump read them."""
import os
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass

from .proc import PATIENCE

CHECK = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
SUSPICIOUS = "tcp.analysis.flags or tcp.checksum.status==0 or ip.checksum.status==0"
# no protocol above TCP: what is malformed then is so by the capture's fault
NO_APPLICATIONS = ["-d", "tcp.port==1-65535,data"]


def tshark(*args, **options):
    """Run tshark with nobody's preferences; returns its output as text."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            ["tshark", "-n", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=options.pop("timeout", 4 * PATIENCE),
            env={**os.environ, "HOME": home, "LC_ALL": "C.UTF-8"},
            check=False,
            **options,
        )
    said = [line for line in done.stderr.decode().splitlines() if "Running as user" not in line]
    assert (done.returncode, said) == (0, []), done
    return done.stdout.decode()


def complaints(path):
    """The packets that Wireshark would mark; a capture should have none."""
    return tshark("-r", path, *CHECK, "-Y", SUSPICIOUS).splitlines()


def malformed(path):
    return tshark("-r", path, *NO_APPLICATIONS, "-Y", "_ws.malformed").splitlines()


def fields(path, *names, where="frame", options=()):
    """These fields of all packets that match, a tuple each."""
    wanted = [word for name in names for word in ("-e", name)]
    lines = tshark("-r", path, *options, "-Y", where, "-T", "fields", *wanted).splitlines()
    return [tuple(line.split("\t")) for line in lines]


@dataclass
class Stream:
    """One connection of a capture."""

    client: str
    server: str
    sent: dict  # what 'c' and 's' sent


def streams(path, count):
    """The bytes of the first `count` connections, by tshark's own reassembly."""
    text = tshark("-r", path, "-q", *(word for n in range(count) for word in ("-z", f"follow,tcp,raw,{n}")))
    found = {}
    block = r"Filter: tcp\.stream eq (\d+)\nNode 0: (\S+)\nNode 1: (\S+)\n((?:\t?[0-9a-f]*\n)*)="
    for number, client, server, lines in re.findall(block, text):
        sent = {"c": b"", "s": b""}
        for line in lines.splitlines():
            sent["s" if line.startswith("\t") else "c"] += bytes.fromhex(line.strip())
        found[int(number)] = Stream(client, server, sent)
    return [found[n] for n in range(count)]


def tcpdump_lines(path):
    """How many packets tcpdump reads; it must not complain."""
    done = subprocess.run(["tcpdump", "-nn", "-r", str(path)], capture_output=True, timeout=PATIENCE, check=True)
    said = [line for line in done.stderr.decode().splitlines() if not line.startswith("reading from file")]
    assert said == [], said
    return len(done.stdout.splitlines())


def blocks(file):
    """(type, content) of each block of a pcapng file or pipe, for what is too large for tshark."""
    while head := file.read(8):
        kind, size = struct.unpack("<II", head)
        yield kind, file.read(size - 8)[:-4]


def sent_in_order(path):
    """The bytes of each direction of a capture of IPv4 that has them in order: {(port, port): bytes}."""
    found = {}
    with open(path, "rb") as file:
        for kind, content in blocks(file):
            if kind == 6:
                packet = content[20 : 20 + struct.unpack_from("<I", content, 12)[0]]
                begin = 20 + packet[32] // 16 * 4
                found.setdefault(struct.unpack_from(">HH", packet, 20), bytearray()).extend(packet[begin:])
    return found
