"""redis through netrecord: its own clients, and a client of which every byte is known."""
import pytest

from harness import logs
from harness.peers import connect, recv_exactly
from harness.services import Redis
from harness.proc import run
from harness.tap import Tap
from harness.wire import assert_recorded


@pytest.fixture
def redis(folder):
    with Redis(folder / "redis") as server:
        yield server


def session(address):
    """A raw RESP session; returns what was sent and what came back."""
    value = bytes(range(256)) * 300
    steps = [
        (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value), b"+OK\r\n"),
        (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", b"$%d\r\n%s\r\n" % (len(value), value)),
        (b"*1\r\n$4\r\nPING\r\n" * 100, b"+PONG\r\n" * 100),
        (b"*1\r\n$7\r\nNOTHING\r\n", b"-ERR unknown command 'NOTHING', with args beginning with: \r\n"),
        (b"*1\r\n$4\r\nQUIT\r\n", b"+OK\r\n"),
    ]
    with connect(address) as sock:
        for request, answer in steps:
            sock.sendall(request)
            assert recv_exactly(sock, len(answer)) == answer
        assert sock.recv(1) == b""
    return b"".join(r for r, _ in steps), b"".join(a for _, a in steps)


@pytest.mark.core
def test_known_session(redis, netrecord, logroot):
    nr = netrecord(redis.address)
    sent, answered = session(nr.address)
    nr.stop()
    (log,) = logs.load_all(logroot).values()
    assert log.bytes("c") == sent
    assert log.bytes("s") == answered
    assert sorted(log.ends()) == ["c hup", "s hup"]


def test_cli_answers_as_without(redis, netrecord, logroot):
    nr = netrecord(redis.address)
    script = [
        ("set", "name", "a value with \x01 control characters"),
        ("get", "name"),
        ("lpush", "list", *map(str, range(500))),
        ("lrange", "list", "0", "-1"),
        ("no-such-command",),
        ("eval", "return redis.call('dbsize')", "0"),
    ]
    direct = [redis.cli(redis.port, *words, check=False) for words in script]
    redis.cli(redis.port, "flushall")
    through = [redis.cli(nr.port, *words, check=False) for words in script]
    assert through == direct
    nr.stop()
    recorded = logs.load_all(logroot)
    assert len(recorded) == len(script)
    assert b"a value with \x01 control" in recorded[2].bytes("s")


@pytest.mark.parametrize("requests", [20000, pytest.param(500000, marks=pytest.mark.slow)])
def test_benchmark_leaves_exact_logs(redis, netrecord, logroot, requests):
    with Tap(redis.address) as behind:
        nr = netrecord(behind.address)
        with Tap(nr.address) as front:
            words = ["-q", "-c", "20", "-n", requests, "-t", "set,get", "-P", "16", "-d", "100"]
            done = run("redis-benchmark", "-h", "127.0.0.1", "-p", front.address[1], *words, patience=100)
            assert b"SET:" in done.stdout and b"GET:" in done.stdout
            front.wait_idle()
            behind.wait_idle()
            nr.stop()
            assert_recorded(logroot, front, behind, least=20)


