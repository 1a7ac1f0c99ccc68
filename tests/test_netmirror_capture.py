"""--capture: what clients send to a port, from packets, live or from a file, reaches the observers whole and in order."""
import json
import re
import signal
import socket
import time

import pytest

from harness import logs
from harness.mirror import NETMIRROR, refused
from harness.netns import join
from harness.peers import (MIB, Many, Server, connect, echo, exchange, hold, pattern, recv_all, recv_exactly, recv_until_end,
                           reset)
from harness.proc import BIN, Process, run, settled, wait_until
from harness.services import BARE, Redis, free_port


class Store(Redis):
    """A redis that tells a digest of all it holds."""

    def __init__(self, folder, host=None):
        super().__init__(folder)
        self.host = host

    def argv(self):
        words = [*super().argv(), "--enable-debug-command", "yes"]
        if not self.host:
            return words
        at = words.index("--bind") + 1
        words[at : at + 1] = ["*", "-::*"]
        return [*self.host.wrap, *words, "--protected-mode", "no"]

    def ready(self):
        return self.command("ping", check=False) == b"PONG\n"

    def command(self, *words, check=True):
        wrap = self.host.wrap if self.host else []
        return run(*wrap, "redis-cli", "-p", self.port, *words, check=check, env=BARE).stdout

    def digest(self):
        return self.command("debug", "digest")


def bench(port, *options, host="127.0.0.1", wrap=()):
    run(*wrap, "redis-benchmark", "-h", host, "-p", port, "-q", *options, env=BARE, patience=60)


def mixed(store, wrap=(), host="127.0.0.1", count=400):
    """Commands whose order matters, from one client."""
    lines = []
    for n in range(count):
        key = f"k{n % 7}"
        lines += [f"append {key} {n},", f"lpush list{n % 3} {n}", f"setrange {key} {n % 5} x{n}", f"rename {key} k{(n * 3) % 7}"]
    run(*wrap, "redis-cli", "-h", host, "-p", store.port, input="\n".join(lines).encode(), stdin=None, env=BARE)


@pytest.fixture
def stores(folder, root):
    with Store(folder / "one") as one, Store(folder / "two") as two:
        yield one, two


# one connection, 10 ms and more between what happens in it
SHORT_LOG = (b"c 0.000000 con\nc 0.100000 5\nhellos 0.120000 3\nyesc 0.200000 5\nagains 0.250000 4\nsure"
             b"c 0.300000 hup\ns 0.400000 hup\n")


def capture(mirror, *words, **options):
    nm = mirror("--capture", *words, listeners=0, **options)
    nm.wait_said("capturing on")
    return nm


def test_redis_live(mirror, stores):
    """Many clients whose commands commute, then one whose commands do not."""
    one, two = stores
    # room enough for a machine that has no time for netmirror for a while
    nm = capture(mirror, "--buffer", "128M", "--interface", "lo", str(one.port), f"127.0.0.1:{two.port}")
    bench(one.port, "-t", "set,incr,sadd", "-n", "5000", "-r", "1000", "-c", "20")
    mixed(one)
    wait_until(lambda: nm.counts()["connections open now"] == 0, "all connections are over")
    nm.stop()
    assert not nm.said("missing behind|were not sent")
    wait_until(lambda: one.digest() == two.digest() != b"0" * 40 + b"\n", "what was sent is stored")


def test_redis_from_a_file(mirror, stores, folder):
    one, two = stores
    dump = Process(["tcpdump", "-U", "-Z", "root", "-i", "lo", "-B", "65536", "-w", folder / "file", f"tcp port {one.port}"])
    try:
        dump.wait_said("listening on")
        bench(one.port, "-t", "set,incr,sadd", "-n", "5000", "-r", "1000", "-c", "20")
        mixed(one)
        settled(lambda: (folder / "file").stat().st_size, quiet=1.5)  # tcpdump looks once a second
        dump.signal(signal.SIGINT)
        assert dump.wait() == 0 and dump.said(r"\b0 packets dropped by kernel")
    finally:
        dump.kill()
    nm = mirror("--capture", "-R", folder / "file", str(one.port), f"127.0.0.1:{two.port}", listeners=0)
    assert nm.wait() == 0, nm.stderr
    wait_until(lambda: one.digest() == two.digest() != b"0" * 40 + b"\n", "what was sent is stored")
    assert not nm.said("missing behind|were not sent")


def test_losses_end_only_their_connections(mirror, stores):
    """A kernel buffer that is far too small for a flood; connections beside it, before and after, come through."""
    one, two = stores
    nm = capture(mirror, "--buffer", "1M", "--interface", "lo", str(one.port), f"127.0.0.1:{two.port}")
    calm = connect(one.address)
    calm.sendall(b"set before 1\r\n")
    assert recv_exactly(calm, 5) == b"+OK\r\n"
    wait_until(lambda: two.command("get", "before") == b"1\n", "the calm connection is mirrored")
    flood = [connect(one.address) for _ in range(8)]
    for number, client in enumerate(flood):
        client.sendall(b"set flood%d 0\r\n" % number)
        assert recv_exactly(client, 5) == b"+OK\r\n"
    wait_until(lambda: nm.counts()["connections open now"] == 9, "all are mirrored")
    nm.signal(signal.SIGSTOP)
    for client in flood:
        for _ in range(30):
            client.sendall(b"set big " + b"x" * 20000 + b"\r\n")
            assert recv_exactly(client, 5) == b"+OK\r\n"
    nm.signal(signal.SIGCONT)
    nm.wait_said("the kernel has dropped")
    for client in flood:
        client.sendall(b"set end 1\r\n")
        assert recv_exactly(client, 5) == b"+OK\r\n"
        client.close()
    wait_until(lambda: nm.counts()["connections open now"] == 1, "what has a gap is ended")
    gaps = nm.counts()["captured connections that ended because bytes are missing"]
    assert gaps > 0 and nm.counts()["packets that the kernel dropped"] > 0
    calm.sendall(b"set after 2\r\n")
    assert recv_exactly(calm, 5) == b"+OK\r\n"
    wait_until(lambda: two.command("get", "after") == b"2\n", "the calm connection goes on")
    calm.close()
    assert nm.said(r"connection \d+ from \S+: \d+ bytes of the client are missing behind byte \d+: it is ended")
    nm.signal(signal.SIGINT)
    assert nm.wait() == 0


@pytest.mark.parametrize("family", [4, 6])
def test_two_hosts(mirror, hosts, folder, family):
    """A client on one, the server on the other where netmirror captures, the observer on the first."""
    client, server = hosts(2)
    join(client, server, network=9)
    here, there = (("10.77.9.1", "10.77.9.2") if family == 4 else ("fd77:9::1", "fd77:9::2"))
    with Store(folder / "one", server) as one, Store(folder / "two", client) as two:
        observer = f"{here}:{two.port}" if family == 4 else f"[{here}]:{two.port}"
        nm = capture(mirror, str(one.port), observer, wrap=server.wrap)
        bench(one.port, "-t", "set,incr,sadd", "-n", "3000", "-r", "100", "-c", "10", host=there, wrap=client.wrap)
        mixed(one, wrap=client.wrap, host=there, count=100)
        wait_until(lambda: nm.counts()["connections open now"] == 0, "all connections are over")
        nm.stop()
        assert one.digest() == two.digest() != b"0" * 40 + b"\n"


def test_what_is_not_to_this_machine_is_not_captured(mirror, hosts, folder):
    """But for -F: a router that sees the traffic of two others."""
    left, router, right = hosts(3)
    join(left, router, network=10)
    join(router, right, network=11)
    router.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    left.run("ip", "route", "add", "10.77.11.0/24", "via", "10.77.10.2")
    right.run("ip", "route", "add", "10.77.10.0/24", "via", "10.77.11.1")
    with Store(folder / "one", right) as one, Store(folder / "two", router) as two:
        at = f"127.0.0.1:{two.port}"
        without = capture(mirror, str(one.port), at, wrap=router.wrap)
        bench(one.port, "-t", "set", "-n", "100", "-c", "2", host="10.77.11.2", wrap=left.wrap)
        assert settled(lambda: without.counts()["packets captured"]) == 0
        without.stop()
        # the packet is seen on both cables: once is enough
        nm = capture(mirror, "-F", "src or dst net 10.77.10.0/24", str(one.port), at, wrap=router.wrap)
        mixed(one, wrap=left.wrap, host="10.77.11.2", count=50)
        wait_until(lambda: nm.counts()["connections open now"] == 0, "all connections are over")
        nm.stop()
        one.command("del", "key:__rand_int__")
        assert one.digest() == two.digest() != b"0" * 40 + b"\n"


def test_own_connections_are_never_captured(mirror, root):
    """An observer at the captured port of this machine: each connection is mirrored once, not for ever."""
    with Server(echo) as server, Server(hold, host="127.0.0.2") as other:
        other.close()
        port = server.address[1]
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            nm = capture(mirror, "--interface", "lo", str(port), "127.0.0.1")  # no port: the captured one
            for number in range(5):
                assert exchange(server.address, b"%d" % number) == b"%d" % number
            server.wait_results(10)
            assert settled(lambda: server.accepted) == 10
            assert nm.counts()["client connections accepted"] == 5
            nm.stop()


def test_connections_that_are_open_already_are_passed_over(mirror, observers, root):
    (observer,) = observers(1)
    with Server(echo) as server, connect(server.address) as before:
        before.sendall(b"1")
        assert recv_exactly(before, 1) == b"1"
        nm = capture(mirror, "--interface", "lo", str(server.address[1]), observer.name)
        before.sendall(b"2")
        assert recv_exactly(before, 1) == b"2"
        assert exchange(server.address, b"new") == b"new"
        assert observer.got(1) == [(b"new", "fin")]
        nm.stop()
    assert observer.accepted == 1


@pytest.mark.parametrize("how", ["half-close", "reset", "refused"])
def test_ends(mirror, observers, root, how):
    (observer,) = observers(1)
    payload = pattern(1, 0, 3 * MIB)
    with Server(lambda sock, _: sock.sendall(b"%d" % len(recv_all(sock))) if how == "half-close" else hold(sock)) as server:
        if how == "refused":
            server.close()
        nm = capture(mirror, "--interface", "lo", str(server.address[1]), observer.name)
        if how == "refused":
            with pytest.raises(ConnectionRefusedError):
                connect(server.address)
            assert observer.got(1) == [(b"", "reset")]
        elif how == "reset":
            client = connect(server.address)
            client.sendall(b"to be continued")
            wait_until(lambda: nm.counts()["bytes received from clients"] == 15, "it is captured")
            reset(client)
            assert observer.got(1) == [(b"to be continued", "reset")]
        else:
            assert exchange(server.address, payload) == b"%d" % len(payload)
            assert observer.got(1) == [(payload, "fin")]
        nm.stop()


def test_an_end_by_a_signal_is_no_end_of_a_client(mirror, observers, root):
    (observer,) = observers(1)
    with Server(hold) as server:
        nm = capture(mirror, "--interface", "lo", str(server.address[1]), observer.name)
        with connect(server.address) as client:
            client.sendall(b"half")
            wait_until(lambda: nm.counts(observer.name)["bytes sent to the observer"] == 4, "the observer has it")
            nm.stop(signal.SIGINT)
        assert observer.got(1) == [(b"half", "reset")]


def test_a_storm_and_recording_and_comparing(mirror, observers, root, logroot):
    """Both directions are there for -l and --compare."""
    with Server(echo) as server, Server(echo) as twin:
        port = server.address[1]
        nm = capture(mirror, "--compare", "-l", logroot, "--interface", "lo", str(port), "127.0.0.1:%d" % twin.address[1])
        payloads = [pattern(n, 0, 100 + 311 * n) for n in range(40)]

        def work(number):
            assert exchange(server.address, payloads[number]) == payloads[number]

        Many(work, len(payloads)).run()
        wait_until(lambda: nm.counts()["connections open now"] == 0, "all connections are over")
        nm.stop()
    assert "40 connections: 40 equal" in nm.report
    assert sorted(log.bytes("c") for log in logs.load_all(logroot).values()) == sorted(payloads)
    assert sorted(log.bytes("s") for log in logs.load_all(logroot).values()) == sorted(payloads)


@pytest.mark.parametrize("cut", [0, 1])
def test_a_damaged_capture_file_is_no_success(mirror, observers, folder, cut):
    """What stands before the damage is mirrored; a connection whose end is missing is reset."""
    (observer,) = observers(1)
    (folder / "log_1").write_bytes(SHORT_LOG)
    run(BIN / "netlog", "pcap", "-w", folder / "x.pcapng", "--server", "192.0.2.1:8000", folder / "log_1")
    whole = (folder / "x.pcapng").read_bytes()
    (folder / "x.pcapng").write_bytes(whole[: len(whole) - cut * 200])
    nm = mirror("--capture", "-R", folder / "x.pcapng", "8000", observer.name, listeners=0)
    assert nm.wait() == cut, nm.stderr
    assert observer.got(1) == [(b"helloagain", "reset" if cut else "fin")]
    assert ("truncated" in nm.stderr) == bool(cut)


def test_a_filter_that_shows_one_direction(mirror, observers, root):
    """Where nothing of the server is seen its end is not waited for."""
    (observer,) = observers(1)
    with Server(echo) as server:
        port = str(server.address[1])
        nm = capture(mirror, "--interface", "lo", "-F", f"dst port {port}", port, observer.name)
        for payload in (b"one", b"another"):
            assert exchange(server.address, payload) == payload
        assert observer.got(2) == [(b"another", "fin"), (b"one", "fin")]
        wait_until(lambda: nm.counts()["connections open now"] == 0, "all connections are over")
        nm.stop()


def test_times_are_those_of_the_capture(mirror, folder, logroot):
    """Not those at which it was read: in logs, and where response times are compared."""
    (folder / "short_1").write_bytes(SHORT_LOG)
    run(BIN / "netlog", "pcap", "-w", folder / "x.pcapng", "--server", "192.0.2.1:8000", folder / "short_1")
    with Server(lambda sock, _: (recv_exactly(sock, 10), sock.sendall(b"yessure"), recv_until_end(sock))) as twin:
        words = ["-R", folder / "x.pcapng", "--compare", "-o", "json", "-l", logroot, "8000", "127.0.0.1:%d" % twin.address[1]]
        nm = mirror("--capture", *words, listeners=0)
        assert nm.wait() == 0, nm.stderr
    (log,) = logs.load_all(logroot).values()
    told = [round(record.time - log.records[0].time, 3) for record in log.records]
    assert told == pytest.approx([0, 0.1, 0.12, 0.2, 0.25, 0.3, 0.4], abs=0.002), told
    (closed,) = logs.closed(logroot).values()
    assert closed["duration"] == pytest.approx(0.4, abs=0.002) and closed["connect"] is not None
    times = json.loads(nm.report)["summary"]["response_times"]["recorded"]
    assert times["count"] == 2 and times["max"] == pytest.approx(0.05, abs=0.002)


def test_wrong_use():
    assert "a port is needed" in refused("--capture")
    assert "an observer is needed" in refused("--capture", "80")
    assert "port: 70000 is too large" in refused("--capture", "70000", "127.0.0.1")
    assert "exclude each other" in refused("--capture", "-R", "x", "--interface", "lo", "80", "127.0.0.1")
    assert "need --capture" in refused("-R", "x", "127.0.0.1", "9", "0")
    assert "No such file" in refused("--capture", "-R", "/nonexistent", "80", "127.0.0.1:9")
    assert "cannot capture on nothing0: " in refused("--capture", "--interface", "nothing0", "80", "127.0.0.1:9")
    assert "unknown port" in refused("--capture", "-F", "no such thing", "80", "127.0.0.1:9")
