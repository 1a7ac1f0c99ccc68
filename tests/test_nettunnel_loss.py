"""nettunnel over a network that loses packets, and then carries none at all for a while."""
import pytest

from harness.lossy import Lossy, within
from harness.peers import Many, Server, connect, echo, pattern, recv_all

SIZES = [40_000, pytest.param(2_000_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("size", SIZES)
def test_bytes_are_exact_where_packets_are_lost(tunnel, root, size):
    with Lossy(0.03) as network:
        near, far = network.ADDRESSES
        target = within(network.far, lambda: Server(echo, host=far))
        server = tunnel.server(listen=f"{near}:0", door=f"{near}:0", namespace=network.near)
        provider = tunnel.provider(target.address, "--ping", "500ms", namespace=network.far)

        def work(number):
            data = pattern(number, number, size)
            with connect(tunnel.address) as sock:
                for at in range(0, size, 20_000):
                    sock.sendall(data[at : at + 20_000])
                sock.shutdown(1)
                assert recv_all(sock) == data

        runner = Many(work, 20, 10)
        within(network.near, runner.run)
        assert network.dropped > 5, "nothing was lost"

        def during_an_outage():
            """No FIN, no RST: pings notice it."""
            with connect(tunnel.address) as sock:
                before = len(provider.said("link to the server lost"))
                network.share = 1.0
                sock.sendall(b"x" * 1000)
                provider.wait_said("link to the server lost", before + 1)
                network.share = 0.03
                sock.shutdown(1)
                return recv_all(sock)

        assert within(network.near, during_an_outage) == b"x" * 1000
        server.wait_said("provider .* is back")
        target.close()
