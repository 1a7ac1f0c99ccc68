"""No byte is lost or altered, and every byte is in the log."""
import asyncio
import socket
import struct
import threading
import time

import pytest

from harness import logs
from harness.peers import (
    MIB,
    Many,
    Server,
    connect,
    dribble,
    echo,
    exchange,
    pattern,
    recv_all,
    recv_exactly,
    sink,
)
from harness.proc import PATIENCE, settled, wait_until


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.core
@pytest.mark.parametrize("options", [(), ("-z",), ("-z9",), ("--rotate", "10k")], ids=" ".join)
def test_echo_of_binary_bytes(netrecord, logroot, options):
    payload = bytes(range(256)) * 3 + b"c 0.000000 con\n" + b"\0" * 5000 + pattern(1, 0, 200_000)
    with Server(echo) as server:
        nr = netrecord(server.address, *options)
        assert exchange(nr.address, payload) == payload
        nr.stop()
    log = logs.load(logroot, 1)
    assert log.bytes("c") == payload
    assert log.bytes("s") == payload
    assert log.shape().startswith("c con, c data") and log.shape().endswith("s hup")
    assert not log.cut


@pytest.mark.core
@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [300, slow(10_000)])
def test_server_that_writes_and_closes_at_once(netrecord, folder, count):
    """300 KB, then close(): in batches, so that ten thousand logs do not fill the disk."""
    size, batch = 300 * 1024, min(count, 500)

    def serve(sock, number):
        sock.sendall(struct.pack(">I", number) + pattern(number, 0, size))

    def complete(data):
        """The number in it, if it is the whole answer of that number."""
        (number,) = struct.unpack_from(">I", data)
        assert data[4:] == pattern(number, 0, size)
        return number

    for first in range(0, count, batch):
        got = []

        def fetch(_number, port):
            with connect(("127.0.0.1", port)) as sock:
                got.append(complete(recv_all(sock)))

        root = folder / f"batch{first}" / "log"
        root.parent.mkdir()
        with Server(serve) as server:
            nr = netrecord(server.address, root=root)
            Many(lambda number: fetch(number, nr.port), batch).run()
            nr.stop()
        assert sorted(got) == list(range(1, batch + 1))
        logged = []
        for number, paths in logs.parts(root).items():
            log = logs.load(root, number)
            assert log.shape() == "c con, s data, s hup, c hup"
            logged.append(complete(log.bytes("s")))
            for _, path in paths:
                path.unlink()
        assert sorted(logged) == sorted(got)
        assert len(logs.closed(root)) == batch


@pytest.mark.core
@pytest.mark.parametrize("size", [4 * MIB, slow(64 * MIB)])
def test_upload_then_half_close_then_download(netrecord, logroot, size):
    """The answer begins only when the client's FIN has arrived, and is as large."""

    def serve(sock, _number):
        got = recv_all(sock)
        sock.sendall(pattern(2, 0, size))
        return got

    with Server(serve) as server:
        nr = netrecord(server.address)
        answer = exchange(nr.address, pattern(1, 0, size))
        assert answer == pattern(2, 0, size)
        assert server.wait_results(1) == [pattern(1, 0, size)]
        nr.stop()
    log = logs.load(logroot, 1)
    assert log.shape() == "c con, c data, c hup, s data, s hup"
    assert log.bytes("c") == pattern(1, 0, size)
    assert log.bytes("s") == answer


@pytest.mark.core
@pytest.mark.parametrize("size", [8 * MIB, slow(64 * MIB)])
def test_both_directions_at_once(netrecord, logroot, size):
    def serve(sock, _number):
        sender = threading.Thread(target=lambda: (sock.sendall(pattern(2, 0, size)), sock.shutdown(socket.SHUT_WR)))
        sender.start()
        got = recv_all(sock)
        sender.join()
        return got

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sender = threading.Thread(target=lambda: (sock.sendall(pattern(1, 0, size)), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            assert recv_all(sock) == pattern(2, 0, size)
            sender.join()
        assert server.wait_results(1) == [pattern(1, 0, size)]
        nr.stop()
    log = logs.load(logroot, 1)
    assert (log.bytes("c"), log.bytes("s")) == (pattern(1, 0, size), pattern(2, 0, size))


@pytest.mark.core
def test_one_byte_dribbles(netrecord, logroot):
    payload = pattern(3, 0, 3000)

    def serve(sock, _number):
        while piece := sock.recv(1):
            sock.sendall(piece)

    with Server(serve) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            dribble(sock, payload[:2000])
            assert recv_exactly(sock, 2000) == payload[:2000]
            for at in range(2000, 2500):
                sock.sendall(payload[at : at + 1])
                assert recv_exactly(sock, 1) == payload[at : at + 1]
            dribble(sock, payload[2500:])
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == payload[2500:]
        nr.stop()
    log = logs.load(logroot, 1)
    assert (log.bytes("c"), log.bytes("s")) == (payload, payload)
    assert len(log.records) > 1000, "answers were awaited, so that records cannot have been joined"


@pytest.mark.parametrize("size", [48 * MIB, slow(512 * MIB)])
def test_slow_client_under_fast_server_keeps_memory_flat(netrecord, logroot, size):
    sent = [0]

    def serve(sock, _number):
        while sent[0] < size:
            sock.sendall(pattern(4, sent[0], 64 * 1024))
            sent[0] += 64 * 1024

    with Server(serve) as server:
        nr = netrecord(server.address)
        before = nr.memory()
        with connect(nr.address, rcvbuf=64 * 1024, patience=PATIENCE) as sock:
            assert settled(lambda: sent[0]) < size, "the server was never held back"
            held = nr.memory()
            got, peak = 0, held
            while piece := sock.recv(1 << 18):
                assert piece == pattern(4, got, len(piece))
                got += len(piece)
                peak = max(peak, nr.memory()) if got % 16 == 0 else peak
        assert got == size
        assert held - before < 8 * MIB, (before, held)
        assert peak - before < (64 + 40 + 8) * MIB, "more than the queue of the logs, and slabs for the next reads, may hold"
        nr.stop()
    assert logs.closed(logroot)[1]["server_bytes"] == size
    log = logs.load(logroot, 1)
    assert log.bytes("s") == pattern(4, 0, size)


def test_slow_server_holds_back_a_fast_client(netrecord, logroot):
    release, size = threading.Event(), 48 * MIB

    def serve(sock, _number):
        release.wait(PATIENCE)
        return len(recv_all(sock))

    with Server(serve) as server:
        nr = netrecord(server.address)
        before, sent = nr.memory(), [0]
        with connect(nr.address, sndbuf=64 * 1024) as sock:

            def send():
                while sent[0] < size:
                    sock.sendall(pattern(5, sent[0], 64 * 1024))
                    sent[0] += 64 * 1024
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            assert settled(lambda: sent[0]) < size, "the client was never held back"
            assert nr.memory() - before < 8 * MIB
            release.set()
            sender.join()
            assert server.wait_results(1) == [size]
            assert recv_all(sock) == b""
        nr.stop()
    assert logs.load(logroot, 1).bytes("c") == pattern(5, 0, size)


async def one_of_many(port, number, everyone):
    """Connect, wait until all are connected, then talk."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    message = struct.pack(">I", number) + pattern(number, 0, 2000)
    writer.write(message[:1000])
    assert await reader.readexactly(1000) == message[:1000]
    everyone[0] -= 1
    if not everyone[0]:
        everyone[1].set()
    await everyone[1].wait()
    writer.write(message[1000:])
    writer.write_eof()
    assert await reader.read() == message[1000:]
    writer.close()


async def echo_stream(reader, writer):
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.write_eof()
    await writer.drain()
    writer.close()


@pytest.mark.core
def test_thousand_connections_at_once(netrecord, logroot):
    count = 1000

    async def scenario():
        server = await asyncio.start_server(echo_stream, "127.0.0.1", 0, backlog=2000)
        address = server.sockets[0].getsockname()
        nr = await asyncio.to_thread(netrecord, address)
        everyone = [count, asyncio.Event()]
        await asyncio.wait_for(
            asyncio.gather(*(one_of_many(nr.port, number, everyone) for number in range(count))), 100
        )
        server.close()
        return nr

    nr = asyncio.run(scenario())
    nr.stop()
    recorded = logs.load_all(logroot)
    seen = set()
    for log in recorded.values():
        sent = log.bytes("c")
        (number,) = struct.unpack_from(">I", sent)
        assert sent[4:] == pattern(number, 0, 2000)
        assert log.bytes("s") == sent
        seen.add(number)
    assert seen == set(range(count)) and len(recorded) == count


def test_connections_are_told_apart_over_time(netrecord, logroot):
    """Many short connections one after the other, beside one that stays open."""
    with Server(echo) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as staying:
            for number in range(200):
                staying.sendall(pattern(0, number * 10, 10))
                assert recv_exactly(staying, 10) == pattern(0, number * 10, 10)
                payload = pattern(number + 1, 0, 100 + number)
                assert exchange(nr.address, payload) == payload
            staying.shutdown(socket.SHUT_WR)
            assert recv_all(staying) == b""
        nr.stop()
    assert logs.load(logroot, 1).bytes("c") == pattern(0, 0, 2000)
    for number in range(200):
        assert logs.load(logroot, number + 2).bytes("s") == pattern(number + 1, 0, 100 + number)


def test_times_are_those_of_the_traffic(netrecord, logroot):
    """Recorded order and pauses: each pause is found in the log, at least as long as it was."""
    with Server(echo) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            for _ in range(3):
                time.sleep(0.15)
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"
        server.wait_results(1)
        nr.stop()
    log = logs.load(logroot, 1)
    times = [r.time for r in log.records if r.side == "c" and r.kind == "data"]
    assert len(times) == 3
    # the echo has come when the pause begins; that the connection was accepted, nobody has told
    assert all(later - earlier >= 0.14 for earlier, later in zip(times, times[1:]))
    assert 0 < log.records[0].time <= times[0]


def test_what_the_sink_got_is_in_the_log_at_once(netrecord, logroot):
    """A log is written while its connection lives, not only at its end."""
    with Server(sink) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            for number in range(20):
                sock.sendall(pattern(6, number * 100, 100))
                expected = pattern(6, 0, (number + 1) * 100)
                wait_until(
                    lambda: logs.so_far(logroot, 1, "c") == expected, "bytes are in the log"
                )
        nr.stop()
