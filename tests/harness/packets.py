"""TCP conversations as packets, and captures of them: written from the formats' descriptions alone."""
import gzip
import ipaddress
import random
import struct
from dataclasses import dataclass, replace

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
EPOCH = 1_700_000_000_000_000_000  # nanoseconds


@dataclass
class Packet:
    time: int  # nanoseconds since the epoch
    ip: bytes  # from the IP header on
    length: int = None  # of all of it on the wire, if it was cut

    @property
    def wire(self):
        return len(self.ip) if self.length is None else self.length

    def cut(self, snaplen):
        return replace(self, ip=self.ip[:snaplen], length=self.wire)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, target, payload, protocol=6, ident=1, place=0, extensions=b"", next_header=None):
    """An IPv4 or IPv6 packet; `place` is IPv4's fragment field, `extensions` are IPv6's headers."""
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if source.version == 4:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, place, 64, protocol, 0, source.packed, target.packed)
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload
    first = protocol if next_header is None else next_header
    return struct.pack("!IHBB16s16s", 6 << 28, len(extensions) + len(payload), first, 64, source.packed, target.packed) + extensions + payload


def tcp_segment(source, target, seq, ack, flags, data=b"", options=b"", urgent=0, window=65535):
    (from_ip, from_port), (to_ip, to_port) = source, target
    header = struct.pack(
        "!HHIIBBHHH", from_port, to_port, seq % 2**32, ack % 2**32, (20 + len(options)) << 2, flags, window, 0, urgent
    )
    pseudo = ipaddress.ip_address(from_ip).packed + ipaddress.ip_address(to_ip).packed
    pseudo += struct.pack("!HH", 6, len(header) + len(options) + len(data))
    total = checksum(pseudo + header + options + data)
    return header[:16] + struct.pack("!H", total) + header[18:] + options + data


class Talk:
    """One connection, packet by packet: each call adds to `packets`."""

    def __init__(self, client=("192.0.2.1", 40000), server=("192.0.2.2", 80), isn=(1000, 5000), begin=EPOCH, step=1_000_000, mss=1448, packets=None):
        self.ends = {"c": client, "s": server}
        self.seq = {"c": isn[0], "s": isn[1]}
        self.time, self.step, self.mss = begin, step, mss
        self.packets = [] if packets is None else packets

    @staticmethod
    def other(side):
        return "s" if side == "c" else "c"

    def raw(self, side, seq, ack, flags, data=b"", **more):
        source, target = self.ends[side], self.ends[self.other(side)]
        segment = tcp_segment(source, target, seq, ack, flags, data, **more)
        self.packets.append(Packet(self.time, ip_packet(source[0], target[0], segment)))
        self.time += self.step
        return self

    def segment(self, side, flags, data=b"", **more):
        """The next segment of `side`, which has received all so far."""
        ack = self.seq[self.other(side)] if flags & ACK else 0
        self.raw(side, self.seq[side], ack, flags, data, **more)
        self.seq[side] += len(data) + bool(flags & SYN) + bool(flags & FIN)
        return self

    def open(self):
        return self.segment("c", SYN, options=b"\x02\x04\x05\xb4").segment("s", SYN | ACK, options=b"\x02\x04\x05\xb4").ack("c")

    def ack(self, side):
        return self.segment(side, ACK)

    def send(self, side, data, acked=True):
        for at in range(0, len(data), self.mss):
            self.segment(side, PSH | ACK, data[at : at + self.mss])
        return self.ack(self.other(side)) if acked else self

    def fin(self, side):
        return self.segment(side, FIN | ACK)

    def reset(self, side):
        return self.segment(side, RST | ACK)

    def close(self, first="c"):
        return self.fin(first).fin(self.other(first)).ack(first)


def ethernet(packet, tags=()):
    """An Ethernet frame; `tags` are pairs of a tag's type and VLAN."""
    types = [kind for kind, _ in tags] + [0x86DD if packet.ip[0] >> 4 == 6 else 0x0800]
    frame = bytes(range(12)) + struct.pack("!H", types[0])
    for (_, vlan), following in zip(tags, types[1:]):
        frame += struct.pack("!HH", vlan, following)
    return frame


def ppp_protocol(packet):
    return b"\x57" if packet.ip[0] >> 4 == 6 else b"\x21"


def pppoe(packet):
    header = struct.pack("!HBBHH", 0x8864, 0x11, 0, 9, packet.wire + 2)
    return bytes(range(12)) + header + b"\0" + ppp_protocol(packet)


# what stands before the IP header, by name: link type and a function of the packet
LINKS = {
    "ethernet": (1, ethernet),
    "vlan": (1, lambda p: ethernet(p, [(0x8100, 7)])),
    "qinq": (1, lambda p: ethernet(p, [(0x88A8, 7), (0x8100, 9)])),
    "pppoe": (1, pppoe),
    "cooked": (113, lambda p: bytes(14) + ethernet(p)[12:14]),
    "cooked vlan": (113, lambda p: bytes(14) + ethernet(p, [(0x8100, 7)])[12:]),
    "cooked 2": (276, lambda p: ethernet(p)[12:14] + bytes(18)),
    "null": (0, lambda p: struct.pack("=I", 10 if p.ip[0] >> 4 == 6 else 2)),
    "null swapped": (0, lambda p: struct.pack(">I", 30 if p.ip[0] >> 4 == 6 else 2)),
    "loop": (108, lambda p: struct.pack(">I", 24 if p.ip[0] >> 4 == 6 else 2)),
    "raw": (101, lambda p: b""),
    "raw of Linux": (12, lambda p: b""),
    "raw of OpenBSD": (14, lambda p: b""),
    "raw IPv4": (228, lambda p: b""),
    "raw IPv6": (229, lambda p: b""),
    "ppp": (9, lambda p: b"\xff\x03\0" + ppp_protocol(p)),
    "ppp short": (9, ppp_protocol),
    "ppp serial": (50, lambda p: b"\xff\x03\0" + ppp_protocol(p)),
    "pppoe alone": (51, lambda p: pppoe(p)[14:]),
}


def framed(packets, link):
    """Pairs of time and what is captured, and the length on the wire."""
    kind, header = LINKS[link]
    return kind, [(p.time, header(p) + p.ip, len(header(p)) + p.wire) for p in packets]


def pcap(packets, link="ethernet", order="<", nano=False, snaplen=262144):
    kind, frames = framed(packets, link)
    unit = 1 if nano else 1000
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, kind)]
    for time, data, length in frames:
        out.append(struct.pack(order + "IIII", time // 10**9, time % 10**9 // unit, len(data), length) + data)
    return b"".join(out)


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def pcapng(packets, link="ethernet", order="<", nano=False):
    kind, frames = framed(packets, link)
    unit = 1 if nano else 1000
    options = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0) if nano else b""
    out = [
        block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(order, 1, struct.pack(order + "HHI", kind, 0, 0) + options),
    ]
    for time, data, length in frames:
        stamp = time // unit
        out.append(block(order, 6, struct.pack(order + "IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(data), length) + data))
    return b"".join(out)


def write(path, content, compress=False):
    path.write_bytes(gzip.compress(content) if compress else content)
    return path


def read_pcap(path):
    """Packets of a classic capture of Ethernet, from tcpdump on this machine."""
    data = path.read_bytes()
    magic, *_, kind = struct.unpack("=IHHiIII", data[:24])
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    assert kind == 1
    at, packets = 24, []
    while at < len(data):
        seconds, fraction, captured, length = struct.unpack("=IIII", data[at : at + 16])
        frame = data[at + 16 : at + 16 + captured]
        packets.append(Packet(seconds * 10**9 + fraction * unit, frame[14:], length - 14))
        at += 16 + captured
    return packets


# what can happen to a capture on its way


def tcp_of(packet):
    """Source, target, sequence number, flags, payload of a whole TCP packet."""
    version = packet.ip[0] >> 4
    at = (packet.ip[0] & 15) * 4 if version == 4 else 40
    total = struct.unpack("!H", packet.ip[2:4])[0] if version == 4 else 40 + struct.unpack("!H", packet.ip[4:6])[0]
    addresses = packet.ip[12:20] if version == 4 else packet.ip[8:40]
    half = len(addresses) // 2
    source, target, seq, ack, offset, flags = struct.unpack("!HHIIBB", packet.ip[at : at + 14])
    payload = packet.ip[at + (offset >> 4) * 4 : total]
    name = lambda packed, port: (str(ipaddress.ip_address(packed)), port)  # noqa: E731
    return name(addresses[:half], source), name(addresses[half:], target), seq, flags, payload


def shuffled(packets, within=8, seed=1):
    """Each packet moved by a few places, times staying in order."""
    dice = random.Random(seed)
    order = sorted(range(len(packets)), key=lambda i: i + dice.random() * within)
    return [replace(packets[i], time=p.time) for i, p in zip(order, packets)]


def duplicated(packets, seed=1, share=0.3):
    dice = random.Random(seed)
    out = []
    for packet in packets:
        out += [packet] * (2 if dice.random() < share else 1)
    return out


def extended(packet, kinds):
    """An IPv6 packet with extension headers of these types before what it carries; a fragment of it is all of it."""
    headers = b""
    for units, (kind, following) in enumerate(zip(kinds, [*kinds[1:], packet.ip[6]])):
        if kind == 44:
            headers += struct.pack("!BBHI", following, 0, 0, 1)
        elif kind == 51:
            headers += bytes([following, 4]) + bytes(22)
        else:
            headers += bytes([following, units, 1, 8 * units + 4]) + bytes(8 * units + 4)
    source, target = ipaddress.ip_address(packet.ip[8:24]), ipaddress.ip_address(packet.ip[24:40])
    return replace(packet, ip=ip_packet(source, target, packet.ip[40:], extensions=headers, next_header=kinds[0]))


def fragmented(packets, size=536):
    """Whole IPv4 and IPv6 packets in fragments of `size` bytes, the last one first."""
    out = []
    for ident, packet in enumerate(packets, 1):
        version = packet.ip[0] >> 4
        start = (packet.ip[0] & 15) * 4 if version == 4 else 40
        body = packet.ip[start:]
        if len(body) <= size:
            out.append(packet)
            continue
        source, target = (packet.ip[12:16], packet.ip[16:20]) if version == 4 else (packet.ip[8:24], packet.ip[24:40])
        source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
        for at in reversed(range(0, len(body), size & ~7)):
            piece, more = body[at : at + (size & ~7)], at + (size & ~7) < len(body)
            if version == 4:
                ip = ip_packet(source, target, piece, ident=ident % 65536, place=at // 8 | (0x2000 if more else 0))
            else:
                header = struct.pack("!BBHI", packet.ip[6], 0, at | more, ident)
                ip = ip_packet(source, target, piece, extensions=header, next_header=44)
            out.append(Packet(packet.time, ip))
    return out
