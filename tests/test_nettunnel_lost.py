"""nettunnel: links that are lost, processes that are started again."""
import os
import signal
import socket
import threading
import time
from hashlib import sha256

import pytest

from harness.peers import Many, Server, connect, echo, exchange, hold, pattern, recv_all, recv_exactly, recv_until_end
from harness.proc import wait_until


def quietly(handler):
    """A handler whose connections may fail."""

    def tolerant(sock, number):
        try:
            return handler(sock, number)
        except OSError as error:
            return error

    return tolerant


class Transfers:
    """`count` clients at a time, each sending while it reads back what it sent; `size` bytes each."""

    def __init__(self, address, count, size):
        self.address, self.size, self.done = address, size, [0] * count
        self.many = Many(self.work, count, count)
        self.runner = threading.Thread(target=self.run, daemon=True)
        self.runner.start()

    def run(self):
        try:
            self.many.run()
        except BaseException:  # told by finish()
            pass

    def work(self, number):
        data = os.urandom(self.size)
        with connect(self.address, patience=60) as sock:
            sender = threading.Thread(target=self.send, args=(sock, data), daemon=True)
            sender.start()
            got = bytearray()
            while piece := sock.recv(1 << 16):
                got += piece
                self.done[number] = len(got)
            sender.join()
            assert sha256(got).digest() == sha256(data).digest(), f"client {number}: {len(got)} bytes came back"

    @staticmethod
    def send(sock, data):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    def wait_under_way(self, share=0.1):
        """Until so much of all bytes has come back; returns how many connections have some."""
        total = len(self.done) * self.size
        wait_until(lambda: self.many.errors or sum(self.done) > share * total, "transfers are under way", pause=0.001)
        return sum(1 for done in self.done if 0 < done < self.size)

    def finish(self):
        self.runner.join(100)
        if self.many.errors:
            raise self.many.errors[0]
        assert self.done == [self.size] * len(self.done)


@pytest.mark.parametrize("size", [500_000, pytest.param(4_000_000, marks=pytest.mark.slow)])
def test_link_cut_in_the_middle_of_100_transfers(tunnel, size):
    with Server(echo) as target:
        server = tunnel.server()
        forwarder = tunnel.forwarder()
        provider = tunnel.provider(target.address, via=("127.0.0.1", forwarder.port))
        transfers = Transfers(tunnel.address, 100, size)
        assert transfers.wait_under_way() > 0
        forwarder.cut()
        server.wait_said("link to provider .* lost")
        provider.wait_said("link to the server lost")
        time.sleep(2)
        assert sum(transfers.done) < 100 * size
        forwarder.mend()
        transfers.finish()
        for end in (server, provider):
            assert end.metrics()["lost links that were continued on a new connection"] == 1
        server.wait_metric("bytes sent and not yet acknowledged", 0)


@pytest.mark.core
def test_link_cut_again_and_again(tunnel):
    with Server(echo) as target:
        server = tunnel.server()
        forwarder = tunnel.forwarder()
        tunnel.provider(target.address, via=("127.0.0.1", forwarder.port))
        transfers = Transfers(tunnel.address, 10, 3_000_000)
        for turn in range(8):
            transfers.wait_under_way(turn / 10)
            forwarder.cut()
            forwarder.mend()
            server.wait_said("provider .* is back", turn + 1)
        transfers.finish()


def test_dead_link_is_noticed_by_pings(tunnel):
    with Server(echo) as target:
        server = tunnel.server("--ping", "300ms")
        forwarder = tunnel.forwarder()
        provider = tunnel.provider(target.address, "--ping", "300ms", via=("127.0.0.1", forwarder.port))
        with connect(tunnel.address) as client:
            client.sendall(b"before")
            assert recv_exactly(client, 6) == b"before"
            forwarder.freeze()
            client.sendall(b"during")
            server.wait_said("nothing came from it, not even an answer to a ping")
            provider.wait_said("nothing came from it, not even an answer to a ping")
            forwarder.cut()
            forwarder.mend()
            assert recv_exactly(client, 6) == b"during"


def test_idle_link_stays_up_by_pings(tunnel):
    with Server(echo) as target:
        server = tunnel.server("--ping", "400ms")
        tunnel.provider(target.address, "--ping", "400ms")
        time.sleep(1.5)
        assert server.metrics()["links whose connection was lost"] == 0


def test_provider_that_is_killed_and_started_again(tunnel):
    with Server(quietly(hold)) as target:
        server = tunnel.server()
        first = tunnel.provider(target.address)
        silent = [connect(tunnel.address) for _ in range(5)]
        busy = [connect(tunnel.address) for _ in range(5)]
        for sock in busy:
            sock.sendall(b"something")
        wait_until(lambda: first.metrics()["bytes received from clients"] == 5 * 9, "the busy ones are across")
        first.kill()
        server.wait_said("link to provider .* lost")
        new = connect(tunnel.address)
        new.sendall(b"new")
        time.sleep(5)
        for sock in silent + busy + [new]:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):  # all are kept meanwhile
                sock.recv(1)
            sock.settimeout(30)
        with Server(echo) as other:
            again = [word if word != f"127.0.0.1:{target.address[1]}" else f"127.0.0.1:{other.address[1]}" for word in first.argv]
            name = first.said(r"linked to the server as (\S+)")[0]
            tunnel.start(*again[1:], "--name", name)
            for sock in busy:
                assert recv_until_end(sock) == (b"", "reset")
            assert recv_exactly(new, 3) == b"new"
            for number, sock in enumerate(silent):
                sock.sendall(b"silent %d" % number)
                assert recv_exactly(sock, 8) == b"silent %d" % number
            assert exchange(tunnel.address, b"later") == b"later"
            for sock in [*silent, *busy, new]:
                sock.close()


def test_provider_of_the_same_command_line_is_the_same_provider(tunnel):
    with Server(quietly(hold)) as target:
        server = tunnel.server()
        first = tunnel.provider(target.address)
        with connect(tunnel.address) as busy:
            busy.sendall(b"something")
            wait_until(lambda: first.metrics()["bytes received from clients"] == 9, "it is across")
            first.kill()
            server.wait_said("link to provider .* lost")
            tunnel.provider(target.address)
            assert recv_until_end(busy) == (b"", "reset")


def test_provider_that_was_started_again_without_a_sign_of_its_end(tunnel):
    with Server(quietly(hold)) as target:
        server = tunnel.server("--ping", "500ms", "--hold", "1h")
        first = tunnel.provider(target.address)
        with connect(tunnel.address) as busy:
            busy.sendall(b"something")
            wait_until(lambda: first.metrics()["bytes received from clients"] == 9, "it is across")
            first.signal(signal.SIGSTOP)  # as if its machine had lost power
            tunnel.provider(target.address)
            assert recv_until_end(busy) == (b"", "reset")
            server.wait_said("was started again; 1 of its clients are reset")


def test_providers_of_one_name_that_both_live_both_serve(tunnel):
    with Server(quietly(echo)) as target:
        server = tunnel.server("--ping", "1s")
        first = tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            client.sendall(b"first")
            assert recv_exactly(client, 5) == b"first"
            tunnel.provider(target.address)
            time.sleep(1.5)  # longer than an answer is waited for
            client.sendall(b"still")
            assert recv_exactly(client, 5) == b"still"
            assert server.metrics()["links that are up"] == 2 and first.alive


def test_client_that_was_greeted_is_not_greeted_again(tunnel):
    def greet(sock, _number):
        sock.sendall(b"220 ready\r\n")
        return hold(sock)

    with Server(quietly(greet)) as target:
        server = tunnel.server()
        first = tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            assert recv_exactly(client, 11) == b"220 ready\r\n"
            first.kill()
            server.wait_said("link to provider .* lost")
            tunnel.provider(target.address)
            assert recv_until_end(client) == (b"", "reset")


def test_provider_that_ends_lets_others_serve_at_once(tunnel):
    with Server(quietly(hold)) as target, Server(echo) as other:
        tunnel.server()
        first = tunnel.provider(target.address)
        with connect(tunnel.address) as busy, connect(tunnel.address) as silent:
            busy.sendall(b"something")
            wait_until(lambda: first.metrics()["bytes received from clients"] == 9, "it is across")
            first.stop(signal.SIGINT)
            assert recv_until_end(busy) == (b"", "reset")
            tunnel.provider(other.address)
            silent.sendall(b"hello")
            assert recv_exactly(silent, 5) == b"hello"


def test_times_of_0_are_no_limits(tunnel):
    with Server(echo) as target:
        server = tunnel.server("--hold", "0", "--ping", "0")
        forwarder = tunnel.forwarder()
        with connect(tunnel.address) as early:
            early.sendall(b"early")
            time.sleep(0.3)  # waits for a provider
            tunnel.provider(target.address, "--hold", "0", "--ping", "0", "--connect-timeout", "0", via=("127.0.0.1", forwarder.port))
            assert recv_exactly(early, 5) == b"early"
            forwarder.cut()
            server.wait_said("link to provider .* lost")
            early.sendall(b"late")
            time.sleep(0.3)
            forwarder.mend()
            assert recv_exactly(early, 4) == b"late"


@pytest.mark.core
def test_beyond_hold_both_sides_are_reset(tunnel):
    def stay(sock, _number):
        """Does not end its own stream when the client does; returns what came and how it ended."""
        got, end = recv_until_end(sock)
        deadline = time.monotonic() + 30
        while end == "fin" and time.monotonic() < deadline:
            try:
                sock.sendall(b".")
                time.sleep(0.05)
            except OSError:
                end = "fin, then reset"
        return got, end

    with Server(stay) as target:
        server = tunnel.server("--hold", "700ms")
        forwarder = tunnel.forwarder()
        provider = tunnel.provider(target.address, "--hold", "700ms", via=("127.0.0.1", forwarder.port))
        with connect(tunnel.address) as busy, connect(tunnel.address) as silent, connect(tunnel.address) as ended:
            busy.sendall(b"something")
            ended.sendall(b"all of it")
            ended.shutdown(socket.SHUT_WR)
            wait_until(lambda: provider.metrics()["bytes received from clients"] == 18, "they are across")
            forwarder.cut()
            for client in (busy, silent, ended):
                assert recv_until_end(client)[1] == "reset"
        results = target.wait_results(3)
        assert sorted(results) == [(b"", "reset"), (b"all of it", "fin, then reset"), (b"something", "reset")]
        server.wait_metric("connections open now", 0)
        provider.wait_metric("connections open now", 0)
        forwarder.mend()
        server.wait_said("provider .* connected", 2)


def test_server_that_is_started_again(tunnel):
    with Server(quietly(hold)) as target:
        server = tunnel.server()
        door = f"127.0.0.1:{tunnel.door[1]}"
        provider = tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            client.sendall(b"something")
            wait_until(lambda: provider.metrics()["bytes received from clients"] == 9, "it is across")
            server.kill()
            provider.wait_said("link to the server lost")
            tunnel.server(door=door)
            provider.wait_said("the server does not know it any more")
            assert target.wait_results(1) == [(b"something", "reset")]
        provider.wait_said("linked to the server as", 2)
        with connect(tunnel.address) as client:
            client.sendall(b"again")
            wait_until(lambda: provider.metrics()["bytes received from clients"] == 14, "it is across")
        target.wait_results(2)


def test_server_that_ends_resets_all_at_once(tunnel):
    with Server(quietly(hold)) as target:
        server = tunnel.server()
        provider = tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            client.sendall(b"something")
            wait_until(lambda: provider.metrics()["bytes received from clients"] == 9, "it is across")
            server.stop(signal.SIGINT)
            assert recv_until_end(client) == (b"", "reset")
            assert target.wait_results(1) == [(b"something", "reset")]
        provider.wait_said("Connection refused; trying again")


def test_new_link_supersedes_one_that_the_server_believes_in(tunnel):
    with Server(echo) as target:
        server = tunnel.server()
        forwarder = tunnel.forwarder()
        provider = tunnel.provider(target.address, "--ping", "500ms", via=("127.0.0.1", forwarder.port))
        with connect(tunnel.address) as client:
            client.sendall(b"before")
            assert recv_exactly(client, 6) == b"before"
            forwarder.freeze_carriers()  # new connections are carried; the server pings every ten seconds only
            client.sendall(b"during")
            provider.wait_said("linked again")
            server.wait_said("is back")
            assert recv_exactly(client, 6) == b"during"
            assert server.metrics()["links whose connection was lost"] == 0
