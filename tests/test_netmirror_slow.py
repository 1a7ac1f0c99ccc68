"""Observers that are slow, gone, refusing or hanging: nobody else notices, and what is lost is told."""
import signal
import socket

import pytest

from harness.netns import drop_syns
from harness.peers import MIB, Many, Server, connect, echo, exchange, pattern, recv_all, recv_exactly
from harness.proc import Process, run, settled, wait_until
from harness.services import free_port

CONNECTED = "connections that the observer accepted"
REFUSED = "connections that the observer did not accept"
DROPPED = "connections dropped because the observer was too slow"
LOST = "bytes of clients that the observer was not sent"
SENT = "bytes sent to the observer"
QUEUED = "memory held by the observer's queues now"
LAG = "microseconds that the oldest byte in the observer's queues has waited"


def words(server, *observers):
    return [*server.address, "0", *(o if isinstance(o, str) else "%s:%d" % o.address for o in observers)]


def count(sock, _number):
    """Read to the end, then say how much it was."""
    sock.sendall(b"%d" % len(recv_all(sock)))


@pytest.fixture
def echo_server():
    with Server(echo) as server:
        yield server


@pytest.fixture
def stopped():
    """A process that listens, and is stopped: the kernel accepts for it until its backlog is full."""
    port = free_port()
    process = Process(["socat", "-u", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=5", "OPEN:/dev/null"])
    wait_until(lambda: run("ss", "-ltnH", f"sport = :{port}").stdout, "socat listens")
    process.signal(signal.SIGSTOP)
    yield f"127.0.0.1:{port}"
    process.signal(signal.SIGCONT)
    process.kill()


def test_a_stopped_a_refusing_and_a_hanging_observer(mirror, observers, hosts, stopped, echo_server):
    """Clients and server see no failure, the healthy observer gets all, memory stays below the cap, losses are told."""
    (healthy,), (beyond,) = observers(1), hosts(1)
    hanging, refusing = f"{drop_syns(beyond)}:80", f"127.0.0.1:{free_port()}"
    nm = mirror("--grace", "0.2", *words(echo_server, stopped, healthy, refusing, hanging))
    payloads = [pattern(number, 0, 4 * MIB + number) for number in range(24)]

    def work(number):
        with connect(nm.address) as client:
            for at in range(0, len(payloads[number]), 200_000):
                piece = payloads[number][at : at + 200_000]
                client.sendall(piece)
                assert recv_exactly(client, len(piece)) == piece

    Many(work, len(payloads)).run()
    assert healthy.got(len(payloads)) == sorted((payload, "fin") for payload in payloads)
    total = sum(map(len, payloads))
    assert nm.counts(healthy.name)[SENT] == total and nm.counts(healthy.name)[LOST] == 0
    counts = nm.counts(stopped)
    assert counts[DROPPED] > 0
    assert nm.counts(refusing)[REFUSED] == len(payloads) and nm.counts(refusing)[LOST] == total
    assert nm.counts(hanging)[DROPPED] == len(payloads) and nm.counts(hanging)[LOST] == total
    assert int(nm.status("VmHWM")[0]) * 1024 < 64 * MIB + 192 * MIB
    nm.stop(signal.SIGTERM)
    # what still waited for the stopped one, if it waited within the bounds, is told now
    lost = {observer: int(size) for observer, size in nm.said(r"observer (\S+): .*; (\d+) bytes were not sent")}
    assert lost == {stopped: total - counts[SENT], refusing: total, hanging: total}


@pytest.mark.parametrize("queue", ["64k", "1M", "8M"])
def test_the_queue_is_a_bound_of_memory(mirror, queue, stopped):
    """What a stopped observer holds is never more than asked for, whatever the sizes of what clients send."""
    most = {"64k": 65536, "1M": MIB, "8M": 8 * MIB}[queue]
    with Server(count) as server:
        nm = mirror("--queue", queue, *words(server, stopped))
        for size in (1, 100, 3000, 100_000):
            with connect(nm.address) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(min(3000, 20 * MIB // size)):
                    client.sendall(bytes(size))
                assert nm.counts(stopped)[QUEUED] <= most
        settled(lambda: nm.counts()["bytes received from clients"])
        assert nm.counts(stopped)[QUEUED] <= 4 * most
        nm.stop(signal.SIGINT)


def test_all_queues_together_have_a_bound(mirror, observers, hosts, echo_server):
    """A share of a queue is held for each of many connections, until it is too much: the oldest ones go then."""
    (healthy,), (beyond,) = observers(1), hosts(1)
    name = f"{drop_syns(beyond)}:80"
    nm = mirror("--queue", "64k", *words(echo_server, name, healthy))
    clients = [connect(nm.address) for _ in range(100)]
    for number, client in enumerate(clients):
        client.sendall(pattern(number, 0, 50_000))
        assert recv_exactly(client, 50_000) == pattern(number, 0, 50_000)
    counts = nm.counts(name)
    assert 60 * 65536 < counts[QUEUED] <= 64 * 65536 and 10 <= counts[DROPPED] <= 30
    assert nm.said(f"observer {name}: all queues are full")
    for client in clients:
        client.close()
    assert healthy.got(100) == sorted((pattern(number, 0, 50_000), "fin") for number in range(100))
    nm.stop(signal.SIGINT)


def test_an_observer_that_comes_back(mirror, stopped, echo_server):
    """What was queued while it did not read arrives; the lag was told meanwhile."""
    with Server(lambda sock, _: wait_until(lambda: go_on, "go on") and recv_all(sock)) as observer:
        go_on = []
        name = "%s:%d" % observer.address
        nm = mirror("--queue", "64M", *words(echo_server, name))
        payload = pattern(2, 0, 30 * MIB)
        with connect(nm.address) as client:
            for at in range(0, len(payload), 100_000):
                client.sendall(payload[at : at + 100_000])
                recv_exactly(client, len(payload[at : at + 100_000]))
            assert nm.counts(name)[QUEUED] > MIB
            assert wait_until(lambda: nm.counts(name)[LAG], "a lag is told") > 0
            go_on.append(True)
            wait_until(lambda: nm.counts(name)[QUEUED] == 0, "all is sent")
            wait_until(lambda: nm.counts(name)[LAG] == 0, "it has caught up")
        assert observer.wait_results(1) == [payload]
        nm.stop()


def test_an_observer_that_comes_up_later(mirror, echo_server, observers):
    (observer,) = observers(1)
    port = observer.address[1]
    observer.close()
    nm = mirror(*words(echo_server, f"127.0.0.1:{port}"))
    for _ in range(3):
        assert exchange(nm.address, b"before") == b"before"
    with socket.create_server(("127.0.0.1", port)) as late:
        assert exchange(nm.address, b"after") == b"after"
        with late.accept()[0] as sock:
            assert recv_all(sock) == b"after"
    nm.stop()
    assert nm.said("cannot connect to observer") and nm.said("3 connections were not mirrored to it")


def storm(mirror, observers, total, at_once, check):
    """Short connections, byte-exact at three observers; no descriptor or memory is left behind."""
    watching = observers(3, backlog=8192)
    expected = sorted((b"%d" % number, "fin") for number in range(total))
    with Server(echo, backlog=8192) as server:
        nm = mirror(*words(server, *watching))
        assert exchange(nm.address, b"first") == b"first"
        for observer in watching:
            observer.got(1)
            observer.results.clear()
        before = settled(nm.descriptors)

        def work(number):
            assert exchange(nm.address, b"%d" % number) == b"%d" % number

        check(nm, lambda: Many(work, total, threads=at_once).run())
        for observer in watching:
            assert observer.got(total) == expected
        wait_until(lambda: nm.descriptors() == before, "all descriptors are given back")
        assert nm.stop() is not None and not nm.said("were not sent")


def test_a_storm_of_2000_connections_with_three_observers(mirror, observers):
    """All open at the same time."""
    watching = observers(3, backlog=8192)
    with Server(echo, backlog=8192) as server:
        nm = mirror(*words(server, *watching))
        before = nm.descriptors()
        clients = [connect(nm.address) for _ in range(2000)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        for number, client in enumerate(clients):
            assert recv_exactly(client, len(b"%d" % number)) == b"%d" % number
        for client in clients:
            client.close()
        expected = sorted((b"%d" % number, "fin") for number in range(2000))
        for observer in watching:
            assert observer.got(2000) == expected
        wait_until(lambda: nm.descriptors() == before, "all descriptors are given back")
        nm.stop()
        assert not nm.said("were not sent")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_100_000_connections_leave_nothing_behind(mirror, observers):
    sizes = []

    def check(nm, run_all):
        run_all()
        sizes.append(nm.memory())

    for total in (2000, 100_000):
        storm(mirror, observers, total, 16, check)
    assert sizes[1] < sizes[0] * 1.5 + 4 * MIB


def test_few_descriptors(mirror, observers, echo_server):
    """Clients wait for a descriptor; observers' connections never take the last ones."""
    watching = observers(3)
    nm = mirror(*words(echo_server, *watching), nofile=128)

    def work(number):
        assert exchange(nm.address, b"%d" % number) == b"%d" % number

    Many(work, 300, threads=32).run()
    for observer in watching:
        assert observer.got(300) == sorted((b"%d" % number, "fin") for number in range(300))
    nm.stop()


def test_an_observer_that_never_ends_does_not_use_up_descriptors(mirror, echo_server):
    """It keeps every connection open; those that are over but for it are bounded in number."""
    kept = []
    with Server(lambda sock, _: kept.append(sock.dup()) or recv_all(sock)) as observer:
        nm = mirror(*words(echo_server, observer), nofile=256)
        for number in range(200):
            assert exchange(nm.address, b"%d" % number) == b"%d" % number
        assert len(observer.wait_results(200)) == 200
        assert nm.descriptors() < 128
        for sock in kept:
            sock.close()
        nm.stop()
