"""Proxy mode: what clients, servers and observers see of each other."""
import signal
import socket
import threading
import time

import pytest

from harness import logs
from harness.peers import (MIB, Many, Server, connect, dribble, echo, exchange, hold, pattern, recv_all, recv_exactly,
                           recv_until_end, reset, sink)
from harness.proc import settled, wait_until
from harness.services import free_port


@pytest.fixture
def echo_server():
    with Server(echo) as server:
        yield server


def count(sock, _number):
    """Read to the end, then say how much it was."""
    sock.sendall(b"%d" % len(recv_all(sock)))


def words(server, *observers):
    return [*server.address, "0", *(o if isinstance(o, str) else o.name for o in observers)]


@pytest.mark.core
def test_observers_get_what_the_client_sends_and_nothing_else(mirror, observers, echo_server):
    watching = observers(3)
    nm = mirror(*words(echo_server, *watching))
    payload = pattern(1, 0, 3 * MIB + 17)
    assert exchange(nm.address, payload) == payload
    for observer in watching:
        assert observer.got(1) == [(payload, "fin")]
    nm.stop()


@pytest.mark.core
def test_what_observers_send_reaches_nobody(mirror, observers, echo_server):
    """50 MB of it, from each of two, while the client and the server talk."""
    size = 50_000_000
    loud = observers(2, answer=bytes(size))
    nm = mirror(*words(echo_server, *loud))
    with connect(nm.address) as client:
        for number in range(50):
            message = pattern(2, number * 1000, 1000)
            client.sendall(message)
            assert recv_exactly(client, 1000) == message
        wait_until(lambda: all(nm.counts(o.name)["bytes received from the observer"] == size for o in loud), "all is read")
        client.shutdown(socket.SHUT_WR)
        assert recv_all(client) == b""
    for observer in loud:
        assert observer.got(1) == [(pattern(2, 0, 50_000), "fin")]
    nm.stop()


@pytest.mark.core
def test_half_close_is_kept_and_observers_go_on_until_both_have_ended(mirror, observers):
    go_on = []

    def late(sock, _number):
        assert recv_all(sock) == b"question"
        wait_until(lambda: go_on, "the test has looked")
        sock.sendall(b"answer")

    watching = observers(2)
    with Server(late) as server:
        nm = mirror(*words(server, *watching))
        with connect(nm.address) as client:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
            assert not any(observer.results for observer in watching), "an observer's leg has ended with the client's half"
            go_on.append(True)
            assert recv_all(client) == b"answer"
        for observer in watching:
            assert observer.got(1) == [(b"question", "fin")]
    nm.stop()


@pytest.mark.core
def test_rule_1_a_client_that_leaves(mirror, observers):
    with Server(hold) as server:
        watching = observers(2)
        nm = mirror(*words(server, *watching))
        client = connect(nm.address)
        client.sendall(b"bye")
        client.close()
        assert server.wait_results(1) == [(b"bye", "fin")]
        for observer in watching:
            assert observer.got(1) == [(b"bye", "fin")]


@pytest.mark.core
def test_rule_2_a_server_that_leaves(mirror, observers):
    def leave(sock, _number):
        recv_exactly(sock, 5)

    with Server(leave) as server:
        watching = observers(2)
        nm = mirror(*words(server, *watching))
        with connect(nm.address) as client:
            client.sendall(b"hello")
            assert recv_all(client) == b""
        for observer in watching:
            assert observer.got(1) == [(b"hello", "fin")]


@pytest.mark.core
def test_rule_3_an_observer_that_leaves(mirror, observers, echo_server):
    (staying,) = observers(1)
    with Server(lambda sock, _: recv_exactly(sock, 4)) as leaving:
        name = "%s:%d" % leaving.address
        nm = mirror(*words(echo_server, staying, name))
        with connect(nm.address) as client:
            client.sendall(b"1234")
            assert recv_exactly(client, 4) == b"1234"
            leaving.wait_results(1)
            for number in range(20):
                message = pattern(3, number * 9999, 9999)
                client.sendall(message)
                assert recv_exactly(client, 9999) == message
        assert staying.got(1) == [(b"1234" + pattern(3, 0, 199980), "fin")]
        assert nm.counts(name)["connections that the observer ended before the client did"] == 1
        assert 0 < nm.counts(name)["bytes of clients that the observer was not sent"] <= 199980
        assert "199980" in nm.stop() or "bytes were not sent" in nm.stderr


@pytest.mark.core
@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_a_reset_for_observers_too(mirror, observers, who):
    """Behind all that was sent before it: an aborted upload never looks complete."""
    payload = pattern(4, 0, 300_000)

    def serve(sock, _number):
        recv_exactly(sock, len(payload))
        if who == "server":
            reset(sock)
            return None
        return recv_until_end(sock)

    with Server(serve) as server:
        watching = observers(2)
        nm = mirror(*words(server, *watching))
        client = connect(nm.address)
        client.sendall(payload)
        wait_until(lambda: all(nm.counts(o.name)["bytes sent to the observer"] == len(payload) for o in watching), "all is sent")
        if who == "client":
            reset(client)
            assert server.wait_results(1) == [(b"", "reset")]
        else:
            assert recv_until_end(client) == (b"", "reset")
        for observer in watching:
            assert observer.got(1) == [(payload, "reset")]


@pytest.mark.core
@pytest.mark.parametrize("how", ["INT", "TERM", "QUIT", "script"])
def test_a_connection_that_netmirror_ends_itself_is_no_complete_one(mirror, observers, folder, how):
    """By a signal, when the grace time is over, by the second signal, or since the script failed."""
    script = folder / "fail.lua"
    script.write_text("function client_data(data) return data:find('X') and error('no') or data end")
    watching = observers(2)
    with Server(lambda sock, _: sock.sendall(recv_exactly(sock, 4)) or recv_until_end(sock)) as server:
        nm = mirror("-s", script, "--grace", "0.2" if how == "TERM" else "1m", *words(server, *watching))
        with connect(nm.address) as client:
            client.sendall(b"half")
            assert recv_exactly(client, 4) == b"half"
            wait_until(lambda: all(nm.counts(o.name)["bytes sent to the observer"] == 4 for o in watching), "observers have it")
            if how == "script":
                client.sendall(b"X")
            else:
                nm.signal(getattr(signal, f"SIG{how}"))
            if how == "QUIT":
                nm.wait_said("waiting for")
                nm.signal(signal.SIGQUIT)
            for observer in watching:
                assert observer.got(1) == [(b"half", "reset")]
        if how == "script":
            nm.stop()
        else:
            assert nm.wait() == 0


@pytest.mark.core
def test_early_server_close_while_the_client_still_sends(mirror, observers):
    def brief(sock, _number):
        recv_exactly(sock, 100)
        sock.sendall(b"enough")

    with Server(brief) as server:
        (observer,) = observers(1)
        nm = mirror(*words(server, observer))
        with connect(nm.address) as client:
            client.sendall(bytes(100))
            assert recv_exactly(client, 6) == b"enough"
            try:
                while True:
                    client.sendall(bytes(65536))
                    time.sleep(0.01)
            except OSError:
                pass
        ((data, how),) = observer.got(1)
        assert how == "reset" and set(data) == {0} and len(data) >= 100


def test_no_observer_is_a_relay(mirror, echo_server):
    nm = mirror(*words(echo_server))
    payload = pattern(5, 0, 5 * MIB)
    assert exchange(nm.address, payload) == payload
    nm.stop()


def test_a_byte_at_a_time(mirror, observers, echo_server):
    (observer,) = observers(1)
    nm = mirror(*words(echo_server, observer))
    text = pattern(6, 0, 500)
    with connect(nm.address) as client:
        dribble(client, text)
        assert recv_exactly(client, 500) == text
    assert observer.got(1) == [(text, "fin")]


def test_a_server_that_speaks_first_and_a_client_that_says_nothing(mirror, observers):
    def greet(sock, _number):
        sock.sendall(b"220 ready")
        return recv_all(sock)

    with Server(greet) as server:
        watching = observers(2)
        nm = mirror(*words(server, *watching))
        with connect(nm.address) as client:
            assert recv_exactly(client, 9) == b"220 ready"
        for observer in watching:
            assert observer.got(1) == [(b"", "fin")]


def test_a_server_that_refuses(mirror, observers):
    (observer,) = observers(1)
    nm = mirror("127.0.0.1", str(free_port()), "0", observer.name)
    with pytest.raises(ConnectionResetError):
        with connect(nm.address) as client:
            client.sendall(b"x")
            recv_all(client)
    ((data, how),) = observer.got(1)
    assert how == "reset" and data in (b"", b"x")


def test_addresses_of_every_kind(mirror, folder):
    """IPv6 and unix sockets, as server, observer and to listen on."""
    with Server(echo, family=socket.AF_UNIX, path=folder / "server") as server:
        with Server(sink, host="::1", family=socket.AF_INET6) as six, Server(sink, family=socket.AF_UNIX, path=folder / "o") as local:
            nm = mirror(f"unix:{folder}/server", f"unix:{folder}/in", "[::1]:%d" % six.address[1], f"unix:{folder}/o")
            assert exchange(str(folder / "in"), b"by all ways") == b"by all ways"
            for each in (six, local):
                assert each.wait_results(1) == [b"by all ways"]
        assert server.results == [11]
        nm.stop()


def test_recording_beside_mirroring(mirror, observers, echo_server, logroot):
    (observer,) = observers(1)
    nm = mirror("-l", logroot, *words(echo_server, observer))
    payload = pattern(7, 0, MIB)
    assert exchange(nm.address, payload) == payload
    assert observer.got(1) == [(payload, "fin")]
    nm.stop()
    (log,) = logs.load_all(logroot).values()
    assert log.bytes("c") == payload and log.bytes("s") == payload


def test_bytes_that_could_not_be_recorded(mirror, observers, echo_server, logroot):
    (observer,) = observers(1)
    nm = mirror("-l", logroot, *words(echo_server, observer), wrap=["prlimit", "--fsize=100000"])
    payload = pattern(7, 0, MIB)
    assert exchange(nm.address, payload) == payload
    assert observer.got(1) == [(payload, "fin")]
    assert "what follows is lost" in nm.stop(expect=1)


def test_sample(mirror, observers, echo_server):
    """A share of the connections, whole ones, spread evenly; the others are relayed all the same."""
    (observer,) = observers(1)
    nm = mirror("--sample", "25%", *words(echo_server, observer))
    for number in range(80):
        assert exchange(nm.address, b"%d\n" % number) == b"%d\n" % number
    nm.stop()
    settled(lambda: len(observer.results))
    numbers = sorted(int(data) for data, how in observer.results if how == "fin")
    assert 18 <= len(numbers) <= 22
    assert all(later - earlier <= 8 for earlier, later in zip(numbers, numbers[1:]))


@pytest.mark.core
def test_many_connections_at_once(mirror, observers, echo_server):
    watching = observers(2)
    nm = mirror(*words(echo_server, *watching))
    payloads = [pattern(100 + n, 0, 1 + 997 * n) for n in range(60)]

    def work(number):
        assert exchange(nm.address, payloads[number]) == payloads[number]

    Many(work, len(payloads)).run()
    for observer in watching:
        assert observer.got(len(payloads)) == sorted((p, "fin") for p in payloads)
    nm.stop()


def test_quit_waits_for_connections_and_for_what_observers_have_not_read(mirror):
    payload = pattern(8, 0, 40 * MIB)
    go_on = []

    def lazy(sock, _number):
        wait_until(lambda: go_on, "the test lets it read")
        return recv_until_end(sock)

    with Server(count) as server, Server(lazy) as observer:
        nm = mirror("--queue", "64M", *words(server, "%s:%d" % observer.address))
        assert exchange(nm.address, payload) == b"%d" % len(payload)
        nm.signal(signal.SIGQUIT)
        nm.wait_said("waiting for 1 connections to end")
        go_on.append(True)
        assert observer.wait_results(1) == [(payload, "fin")]
        assert nm.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_observer_that_never_reads_does_not_keep_it_alive(mirror, number):
    let_go = threading.Event()
    with Server(count) as server, Server(lambda sock, _: let_go.wait()) as observer:
        nm = mirror("--grace", "0.5", "--queue", "64M", *words(server, "%s:%d" % observer.address))
        assert exchange(nm.address, bytes(40 * MIB)) == b"%d" % (40 * MIB)
        nm.stop(number)
        let_go.set()


def test_metrics_file(mirror, observers, echo_server, folder):
    (observer,) = observers(1)
    dead = f"127.0.0.1:{free_port()}"
    nm = mirror("--metrics", folder / "metrics", *words(echo_server, observer, dead))
    assert exchange(nm.address, b"12345") == b"12345"
    observer.got(1)
    nm.stop()
    text = (folder / "metrics").read_text()
    assert f'netmirror_observer_bytes_total{{proxy="0",observer="{observer.name}"}} 5\n' in text
    assert f'netmirror_observer_refused_total{{proxy="0",observer="{dead}"}} 1\n' in text
    assert text.count("# TYPE netmirror_observer_bytes_total counter\n") == 1
