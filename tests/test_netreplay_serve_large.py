"""netreplay --serve with many logs."""
import pytest

from harness.peers import Many
from harness.serve import ask, dialog, peak, write_logs


@pytest.mark.parametrize("count", [1000, pytest.param(10000, marks=pytest.mark.slow)])
def test_memory_follows_the_clients_not_the_logs(serve, logroot, count):
    body = b"x" * 20000
    write_logs(logroot, *(dialog(("c", b"PUT k%05d\r\n" % n + body), ("s", body)) for n in range(count)))
    server = serve("-t", "fast", logroot)

    def client(n):
        ask(server.address, ("c", b"PUT k%05d\r\n" % n + body), ("s", body))

    Many(client, count - 1).run()
    assert peak(server) < 48 << 20, "the recording is kept in memory"
    client(count - 1)
    server.ends(0)
