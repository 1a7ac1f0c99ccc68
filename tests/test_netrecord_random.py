"""Many connections of random behaviour at once, checked byte by byte."""
import random
import socket
import struct
import threading
import time

import pytest

from harness import logs
from harness.peers import Many, Server, connect, pattern, recv_exactly, reset

ENDS = ("fin", "fin", "fin", "reset at the end", "reset at once")


class Plan:
    """What both ends of a connection will do; known to both by its number."""

    def __init__(self, seed, number):
        chance = random.Random(seed * 100_003 + number)
        self.number = number
        self.size = {side: int(2 ** chance.uniform(0, 20.5)) - 1 for side in "cs"}
        self.chunk = {side: max(int(2 ** chance.uniform(3, 18)), self.size[side] // 2000) for side in "cs"}
        self.read = {side: int(2 ** chance.uniform(8, 18)) for side in "cs"}
        self.pause = {side: chance.choice([0, 0, 0.0005]) for side in "cs"}
        self.waits = chance.choice([None, None, "c", "s"])  # this side sends only after the other has ended
        self.end = chance.choice(ENDS)
        self.resetter = chance.choice("cs")

    def data(self, side):
        return pattern(2 * self.number + (side == "s"), 0, self.size[side])


def play(plan, side, sock):
    """One end of the plan; returns what was received."""
    other = "s" if side == "c" else "c"
    got, other_ended = bytearray(), threading.Event()

    def receive():
        try:
            while piece := sock.recv(plan.read[side]):
                got.extend(piece)
                if plan.pause[side] and len(got) % 3 == 0:
                    time.sleep(plan.pause[side])
        except OSError:
            pass  # the other side reset
        other_ended.set()

    receiver = threading.Thread(target=receive)
    receiver.start()
    resets = plan.end.startswith("reset") and plan.resetter == side
    try:
        if plan.waits == side:
            other_ended.wait(30)
        data = plan.data(side)
        for at in range(0, len(data), plan.chunk[side]):
            sock.sendall(data[at : at + plan.chunk[side]])
            if plan.pause[side] and at % 7 == 0:
                time.sleep(plan.pause[side])
        if not resets:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    if resets and (plan.end == "reset at once" or plan.waits == other):
        sock.shutdown(socket.SHUT_RD)  # wakes the receiver, and sends nothing
    receiver.join(60)
    if resets:
        reset(sock)
    else:
        sock.close()
    return bytes(got)


def check(plan, log, got):
    """The log lies between what was sent and what was received; without a reset all three are equal."""
    for side, other in (("c", "s"), ("s", "c")):
        sent, logged, received = plan.data(side), log.bytes(side), got[other]
        if plan.end == "fin":
            assert logged == sent == received, f"connection {plan.number}, side {side}"
        else:
            assert sent.startswith(logged), f"connection {plan.number}, side {side}: not what was sent"
            assert logged.startswith(received), f"connection {plan.number}, side {side}: received, not logged"
    assert not log.cut
    if plan.end == "fin":
        assert sorted(log.ends()) == ["c hup", "s hup"]


@pytest.mark.core
@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [(), ("-z",), ("--rotate", "64k")], ids=["plain", "gzip", "rotate"])
@pytest.mark.parametrize("count", [150, pytest.param(3000, marks=pytest.mark.slow)])
def test_random_connections(netrecord, logroot, options, count):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    got = {}

    def serve(sock, _number):
        (number,) = struct.unpack(">I", recv_exactly(sock, 4))
        got[number, "s"] = play(Plan(seed, number), "s", sock)

    with Server(serve) as server:
        nr = netrecord(server.address, *options)

        def run(number):
            sock = connect(nr.address, patience=60)
            sock.sendall(struct.pack(">I", number))
            got[number, "c"] = play(Plan(seed, number), "c", sock)

        Many(run, count, threads=16).run()
        server.wait_results(count)
        nr.stop()
    recorded = {}
    for log in logs.load_all(logroot).values():
        (number,) = struct.unpack_from(">I", log.bytes("c"))
        strip(log)
        recorded[number] = log
    assert sorted(recorded) == list(range(count))
    for number, log in recorded.items():
        check(Plan(seed, number), log, {side: got[number, side] for side in "cs"})


def strip(log):
    """Take away the client's first four bytes, which may be spread over several records."""
    left = 4
    for record in log.records:
        if record.side == "c" and record.kind == "data":
            taken = min(left, len(record.data))
            record.data = record.data[taken:]
            left -= taken
