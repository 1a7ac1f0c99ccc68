"""nettunnel passes bytes, ends and resets as they are."""
import os
import socket
import threading
from hashlib import sha256

import pytest

from harness.peers import Many, Server, connect, echo, exchange, get_nothing, hold, pattern, recv_all, recv_exactly, recv_until_end, reset
from harness.proc import wait_until
from harness.services import free_port


@pytest.mark.core
@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
def test_echo_with_half_close(tunnel, size):
    with Server(echo) as target:
        tunnel.server()
        tunnel.provider(target.address)
        data = pattern(1, 0, size)
        assert exchange(tunnel.address, data) == data
        assert target.wait_results(1) == [size]


@pytest.mark.core
def test_half_close_of_the_target_leaves_the_other_direction(tunnel):
    def greet(sock, _number):
        sock.sendall(b"that is all")
        sock.shutdown(socket.SHUT_WR)
        return recv_all(sock)

    with Server(greet) as target:
        tunnel.server()
        tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            assert recv_all(client) == b"that is all"
            client.sendall(b"not for me")
        assert target.wait_results(1) == [b"not for me"]


@pytest.mark.core
def test_reset_of_the_client_comes_as_reset_behind_its_bytes(tunnel):
    with Server(hold) as target:
        tunnel.server()
        tunnel.provider(target.address)
        client = connect(tunnel.address)
        client.sendall(b"x" * 100_000)
        wait_until(lambda: tunnel.ends[1].metrics()["bytes received from clients"] == 100_000, "all bytes are across")
        reset(client)
        assert target.wait_results(1) == [(b"x" * 100_000, "reset")]


@pytest.mark.core
def test_reset_of_the_target_comes_as_reset_behind_its_bytes(tunnel):
    def fail(sock, _number):
        sock.sendall(b"y" * 100_000)
        recv_exactly(sock, 1)
        reset(sock)

    with Server(fail) as target:
        tunnel.server()
        tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            assert recv_exactly(client, 100_000) == b"y" * 100_000
            client.sendall(b"!")
            assert recv_until_end(client) == (b"", "reset")


@pytest.mark.core
def test_refusing_target_resets_the_client_and_nobody_else(tunnel):
    server = tunnel.server()
    provider = tunnel.provider(("127.0.0.1", free_port()))
    for _ in range(3):
        get_nothing(tunnel.address)
    assert provider.metrics()["connections whose server never accepted"] == 3
    server.wait_metric("connections whose server never accepted", 3)
    assert server.metrics()["links that are up"] == 1


def test_target_that_closes_after_5_mb(tunnel):
    data = pattern(3, 0, 5_000_000)

    def send(sock, _number):
        sock.sendall(data)

    with Server(send) as target:
        tunnel.server()
        tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            assert recv_until_end(client) == (data, "fin")


def test_client_that_comes_before_a_provider_is_served_by_the_first(tunnel):
    with Server(echo) as target:
        server = tunnel.server()
        with connect(tunnel.address) as early, connect(tunnel.address) as silent:
            early.sendall(b"early")
            early.shutdown(socket.SHUT_WR)
            server.wait_metric("connections open now", 2)
            tunnel.provider(target.address)
            assert recv_all(early) == b"early"
            silent.sendall(b"later")
            assert recv_exactly(silent, 5) == b"later"


def test_provider_that_is_started_first_finds_the_server(tunnel):
    door = free_port()
    with Server(echo) as target:
        tunnel.door = ("127.0.0.1", door)
        provider = tunnel.provider(target.address, linked=False)
        provider.wait_said("Connection refused; trying again")
        tunnel.server(door=f"127.0.0.1:{door}")
        provider.wait_said("linked to the server")
        assert exchange(tunnel.address, b"hello") == b"hello"


def test_target_that_speaks_first_is_heard(tunnel):
    def greet(sock, _number):
        sock.sendall(b"220 ready\r\n")
        return recv_all(sock)

    with Server(greet) as target:
        tunnel.server()
        tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            assert recv_exactly(client, 11) == b"220 ready\r\n"


def exchange_while_sending(address, data):
    """Send and read at the same time; returns what came back."""
    with connect(address) as sock:
        sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()
        got = recv_all(sock)
        sender.join()
        return got


@pytest.mark.parametrize("size", [1_000_000, pytest.param(8_000_000, marks=pytest.mark.slow)])
def test_hundred_clients_of_whom_one_does_not_read(tunnel, size):
    with Server(echo) as target:
        tunnel.server()
        tunnel.provider(target.address)
        stuck = connect(tunnel.address, rcvbuf=4096)
        stuck.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += stuck.send(pattern(1000, sent, 65536))
        assert sent > 100_000

        def work(number):
            data = os.urandom(size + number * 10_000)
            got = exchange_while_sending(tunnel.address, data)
            assert (len(got), sha256(got).digest()) == (len(data), sha256(data).digest())

        Many(work, 99, 33).run()
        stuck.settimeout(30)
        stuck.shutdown(socket.SHUT_WR)
        assert recv_all(stuck) == pattern(1000, 0, sent)
        stuck.close()


def test_small_requests_pass_a_bulk_transfer_that_nobody_reads(tunnel):
    def echo_until_it_fails(sock, _number):
        try:
            echo(sock)
        except OSError:
            pass

    with Server(echo_until_it_fails) as target:
        tunnel.server()
        tunnel.provider(target.address)
        bulk = connect(tunnel.address)
        bulk.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while True:
                bulk.send(bytes(65536))
        with connect(tunnel.address) as small:
            for number in range(100):
                small.sendall(b"%03d" % number)
                assert recv_exactly(small, 3) == b"%03d" % number
        bulk.close()
