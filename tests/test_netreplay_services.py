"""Sessions of real clients, recorded and replayed against a fresh server of the same kind: equal."""

import random
import smtplib
import subprocess
import time

import pytest

from harness import logs
from harness.peers import connect, pattern, recv_exactly
from harness.proc import run, wait_until
from harness.replay import at, different, equal, first_offsets, flipped
from harness.services import BARE, Memcached, Redis
from harness.services_more import Mosquitto, Smtp


def compared(done, root, connections):
    """All connections were compared to their last byte, and are equal."""
    recorded = logs.load_all(root)
    assert len(recorded) == connections
    assert set(done.results.values()) == {"equal"} and len(done.results) == connections, done
    assert done.json["summary"]["compared"] == sum(len(log.bytes("s")) for log in recorded.values()), done


# -- redis --


def redis_by_hand(address):
    """Values of all bytes, large ones, pipelines, errors, and commands in pieces."""
    binary = bytes(range(256)) * 300
    steps = [
        (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(binary), binary), b"+OK\r\n"),
        (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", b"$%d\r\n%s\r\n" % (len(binary), binary)),
        (b"*1\r\n$4\r\nPING\r\n" * 100, b"+PONG\r\n" * 100),
        (b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * 20, b"".join(b":%d\r\n" % n for n in range(1, 21))),
        (b"*1\r\n$7\r\nNOTHING\r\n", b"-ERR unknown command 'NOTHING', with args beginning with: \r\n"),
    ]
    with connect(address) as sock:
        for request, answer in steps:
            for piece in (request[:3], request[3:]):
                sock.sendall(piece)
            assert recv_exactly(sock, len(answer)) == answer
        sock.sendall(b"*1\r\n$4\r\nQUIT\r\n")
        assert recv_exactly(sock, 5) == b"+OK\r\n" and sock.recv(1) == b""


def test_redis(folder, netrecord, logroot):
    with Redis(folder / "redis") as redis:
        nr = netrecord(redis.address)
        redis_by_hand(nr.address)
        # not redis-cli reading commands from a terminal or pipe, which asks COMMAND DOCS first
        for words in (["set", "name", "value"], ["get", "name"], ["lpush", "list", *map(str, range(300))]):
            redis.cli(nr.port, *words)
        assert len(redis.cli(nr.port, "lrange", "list", "0", "-1").split()) == 300
        # one that waits for what the other sends
        words = ["redis-cli", "-h", "127.0.0.1", "-p", str(nr.port), "blpop", "queue", "20"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=BARE) as waiting:
            wait_until(lambda: b"blpop" in logs.so_far(logroot, 6, "c"), "BLPOP is on its way")
            redis.cli(nr.port, "rpush", "queue", "an item")
            assert waiting.communicate(timeout=30)[0] == b"queue\nan item\n"
        nr.stop()
    for options in ([], ["-S", "4"]):
        with Redis(folder / "fresh") as redis:
            compared(equal("-o", "json", *options, *redis.address, logroot), logroot, 7)


def test_redis_cli_in_pipe_mode(folder, netrecord, logroot):
    commands = b"".join(b"*3\r\n$3\r\nSET\r\n$5\r\nk%04d\r\n$3\r\nabc\r\n" % n for n in range(5000))
    with Redis(folder / "redis") as redis:
        nr = netrecord(redis.address)
        said = redis.cli(nr.port, "--pipe", stdin=None, input=commands)
        assert b"errors: 0, replies: 5000" in said
        nr.stop()
    with Redis(folder / "fresh") as redis:
        compared(equal("-o", "json", *redis.address, logroot), logroot, 1)
        assert redis.cli(redis.port, "dbsize") == b"5000\n"


# -- memcached --


def test_memcached(folder, netrecord, logroot):
    value = pattern(11, 0, 900_000)
    steps = [
        (b"set big 7 0 %d\r\n%s\r\n" % (len(value), value), b"STORED\r\n"),
        (b"get big\r\n", b"VALUE big 7 %d\r\n%s\r\nEND\r\n" % (len(value), value)),
        (b"set n 0 0 2\r\n41\r\nincr n 1\r\n", b"STORED\r\n42\r\n"),
        (b"get missing\r\n", b"END\r\n"),
        (b"nonsense\r\n", b"ERROR\r\n"),
        (b"".join(b"set k%d 0 0 3\r\nabc\r\n" % i for i in range(500)), b"STORED\r\n" * 500),
        (b"gets n k7\r\n", b"VALUE n 0 2 3\r\n42\r\nVALUE k7 0 3 11\r\nabc\r\nEND\r\n"),
        (b"delete big\r\n", b"DELETED\r\n"),
    ]
    with Memcached(folder / "memcached") as memcached:
        nr = netrecord(memcached.address)
        with connect(nr.address) as sock:
            for request, answer in steps:
                sock.sendall(request)
                assert recv_exactly(sock, len(answer)) == answer
            sock.sendall(b"quit\r\n")
            assert sock.recv(1) == b""
        nr.stop()
    with Memcached(folder / "fresh") as memcached:
        compared(equal("-o", "json", *memcached.address, logroot), logroot, 1)


# -- SMTP: the server speaks first, and ends first --


def test_smtp(folder, netrecord, logroot):
    with Smtp(folder / "smtp") as smtp:
        nr = netrecord(smtp.address)
        for sender in ("anna", "berta"):
            with smtplib.SMTP("127.0.0.1", nr.port, local_hostname="client.example", timeout=30) as client:
                text = f"Subject: of {sender}\r\n\r\nHello\r\n.dots\r\n" + "some words to say\r\n" * 3000
                assert client.sendmail(f"{sender}@example.org", ["you@example.org"], text) == {}
                assert client.docmd("nonsense")[0] == 500
                assert client.noop()[0] == 250
        nr.stop()
    assert logs.load(logroot, 1).shape().startswith("c con, s data, c data")
    with Smtp(folder / "fresh") as smtp:
        compared(equal("-o", "json", *smtp.address, logroot), logroot, 2)


# -- MQTT: one client is told what the other one publishes --


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mqtt(folder, netrecord, logroot, version):
    words = ["-V", version, "-h", "127.0.0.1", "-t", "news/#", "-q", "1"]
    with Mosquitto(folder / "mosquitto") as mosquitto:
        nr = netrecord(mosquitto.address)
        listening = ["mosquitto_sub", *words, "-p", str(nr.port), "-i", "reader", "-C", "3"]
        with subprocess.Popen(listening, stdout=subprocess.PIPE, env=BARE) as reader:
            # CONNACK and SUBACK
            wait_until(lambda: b"\x90" in logs.so_far(logroot, 1, "s")[4:], "the subscription is there")
            words[5] = "news/today"
            for number in range(3):
                more = ["-p", nr.port, "-i", f"writer{number}", "-m", f"message {number}", "-r"]
                run("mosquitto_pub", *words, *more, env=BARE)
                time.sleep(0.7)  # connections follow one another by their times only, and this machine may be busy
            assert reader.communicate(timeout=30)[0] == b"message 0\nmessage 1\nmessage 2\n"
        nr.stop()
    with Mosquitto(folder / "fresh") as mosquitto:
        compared(equal("-o", "json", *mosquitto.address, logroot), logroot, 4)


# -- none of their bytes may change --


def redis_session(redis, port):
    with connect(("127.0.0.1", port)) as sock:
        sock.sendall(b"*1\r\n$8\r\nFLUSHALL\r\n")
        assert recv_exactly(sock, 5) == b"+OK\r\n"
        for n in range(30):
            sock.sendall(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n")
            assert recv_exactly(sock, 12 + len(str(n + 1))) == b":%d\r\n$3\r\nabc\r\n" % (n + 1)


def memcached_session(memcached, port):
    with connect(("127.0.0.1", port)) as sock:
        value = pattern(5, 0, 3000)
        sock.sendall(b"flush_all\r\nset k 0 0 %d\r\n%s\r\nget k\r\n" % (len(value), value))
        assert recv_exactly(sock, 3000 + 35).startswith(b"OK\r\nSTORED\r\nVALUE k 0 3000\r\n")


def mqtt_session(mosquitto, port):
    steps = [
        (b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06reader", b"\x20\x02\x00\x00"),  # CONNECT, clean
        (b"\x82\x0a\x00\x01\x00\x05own/#\x01", b"\x90\x03\x00\x01\x01"),  # SUBSCRIBE with quality 1
        *((b"\x30\x0a\x00\x05own/x%03d" % n, b"\x30\x0a\x00\x05own/x%03d" % n) for n in range(20)),  # PUBLISH
        (b"\xc0\x00", b"\xd0\x00"),  # PINGREQ
    ]
    with connect(("127.0.0.1", port)) as sock:
        for request, answer in steps:
            sock.sendall(request)
            assert recv_exactly(sock, len(answer)) == answer
        sock.sendall(b"\xe0\x00")
        assert sock.recv(1) == b""


def smtp_session(smtp, port):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=30) as client:
        client.sendmail("anna@example.org", ["you@example.org"], "Subject: x\r\n\r\nHello\r\n")


SESSIONS = [(Redis, redis_session), (Smtp, smtp_session), (Mosquitto, mqtt_session)]


@pytest.mark.parametrize("kind, session", [*SESSIONS, pytest.param(Memcached, memcached_session, marks=pytest.mark.slow)])
def test_every_flipped_byte_is_found_at_its_offset(folder, netrecord, logroot, kind, session):
    with kind(folder / "server") as server:
        nr = netrecord(server.address)
        session(server, nr.port)
        nr.stop()
    seed = random.randrange(1 << 32)
    wanted = flipped(folder / "flipped", [logs.load(logroot, 1)], 40, seed)
    with kind(folder / "fresh") as server:
        equal("-t", "fast", at(server), logroot)
        done = different("-t", "fast", "-o", "json", at(server), folder / "flipped")
    assert first_offsets(done) == wanted, f"seed {seed}"
    assert set(done.results.values()) == {"different"}


def test_server_that_is_not_fresh(folder, netrecord, logroot):
    """What the first replay left behind is not what the second expects."""
    with Redis(folder / "redis") as redis:
        nr = netrecord(redis.address)
        redis.cli(nr.port, "incr", "n")
        nr.stop()
    with Redis(folder / "fresh") as redis:
        equal(at(redis), logroot)
        (found,) = different("-o", "json", at(redis), logroot).differences
        assert (found.offset, found.size, found.live_size) == (1, 1, 1)
        redis.cli(redis.port, "flushall")
        equal(at(redis), f"{logroot}_1")
