"""netreplay --serve: real clients complete against a recording of the real server, which is stopped by then."""
import smtplib

import pytest

from harness import logs
from harness.peers import Server
from harness.proc import run
from harness.services import BARE, GitDaemon, Nginx, Postgres, Redis


@pytest.fixture
def replay(serve, logroot):
    """Play what was recorded."""
    return lambda *options, port=0: serve(*options, logroot, port=port)


@pytest.fixture(params=["fast", pytest.param("recorded", marks=pytest.mark.slow)])
def timing(request):
    return ("-t", request.param)


# -- redis --


def redis_session(client, port, keys):
    """What a redis-cli a key sees, in that order; each is a connection of its own."""
    seen = {}
    for key in keys:
        script = b"SET %s value-of-%s\nGET %s\nAPPEND %s more\nSTRLEN %s\n" % (key, key, key, key, key)
        seen[key] = client(port, stdin=None, input=script)
    return seen


def test_redis_cli(folder, netrecord, replay, timing):
    keys = [b"apple", b"banana", b"cherry"]
    with Redis(folder / "redis") as redis:
        nr = netrecord(redis.address)
        recorded = redis_session(redis.cli, nr.port, keys)
        large = redis.cli(nr.port, "DEBUG", "RELOAD"), redis.cli(nr.port, "ECHO", "x" * 100_000)
        nr.stop()
    assert b"value-of-apple" in recorded[b"apple"]
    server = replay(*timing)
    assert redis.cli(server.port, "ECHO", "x" * 100_000) == large[1]
    assert redis.cli(server.port, "DEBUG", "RELOAD") == large[0]
    assert redis_session(redis.cli, server.port, keys[::-1]) == recorded
    server.ends(0)


def test_redis_cli_that_asks_something_else(folder, netrecord, replay):
    with Redis(folder / "redis") as redis:
        nr = netrecord(redis.address)
        redis.cli(nr.port, "SET", "k", "v")
        assert redis.cli(nr.port, "GET", "k") == b"v\n"
        nr.stop()
    server = replay("-t", "fast", "-o", "json")
    assert redis.cli(server.port, "SET", "k", "v") == b"OK\n"
    assert redis.cli(server.port, "GET", "j") == b"v\n"
    at = len(b"*2\r\n$3\r\nGET\r\n$1\r\n")
    assert server.departures(2) == [("log_2", at, 1, at, 1)]


# -- nginx --


def test_curl_over_one_connection(folder, netrecord, replay, timing):
    nginx = Nginx(folder / "nginx")
    with nginx:
        for number, size in enumerate((0, 10, 1 << 20)):
            (folder / "nginx/www" / f"file{number}").write_bytes(bytes([65 + number]) * size)
        nr = netrecord(nginx.address)

        def fetch(port, names, to):
            urls = [f"http://127.0.0.1:{port}/{name}" for name in names]
            words = [word for number, url in enumerate(urls) for word in ("-o", to / f"{number}", url)]
            to.mkdir()
            done = run("curl", "-sS", "-w", "%{http_code} %{num_connects}\n", *words, env=BARE)
            return done.stdout, [(to / f"{number}").read_bytes() for number in range(len(names))]

        mixed, plain = ["file0", "file1", "file2", "none", "file1"], ["file2"]
        first = fetch(nr.port, mixed, folder / "a"), fetch(nr.port, plain, folder / "b")
        nr.stop()
    assert first[0][0].split() == [b"200", b"1", b"200", b"0", b"200", b"0", b"404", b"0", b"200", b"0"]
    server = replay(*timing, port=nr.port)  # the Host header names it
    assert fetch(server.port, plain, folder / "c") == first[1]
    assert fetch(server.port, mixed, folder / "d") == first[0]
    server.ends(0)


def test_curl_with_headers_of_another_length_behind_a_mask(folder, netrecord, replay):
    nginx = Nginx(folder / "nginx")
    with nginx:
        (folder / "nginx/www/file").write_bytes(b"content")
        nr = netrecord(nginx.address)
        run("curl", "-sS", "-A", "one", f"http://127.0.0.1:{nr.port}/file", env=BARE)
        nr.stop()
    server = replay("-t", "fast", "-i", "(Host|User-Agent): [^\r]*")
    url = f"http://localhost:{server.port}/file"
    assert run("curl", "-4sS", "-A", "another one of them", url, env=BARE).stdout == b"content"
    server.ends(0)


# -- postgresql --

SQL = """
create table t (id int primary key, body text);
insert into t select i, repeat(chr(65 + i % 26), i) from generate_series(1, 500) i;
select id, length(body), md5(body) from t order by id;
copy (select * from t where id > 400) to stdout;
"""


def test_psql(folder, netrecord, replay, timing):
    with Postgres(folder / "postgres") as postgres:
        nr = netrecord(postgres.address)
        sessions = [SQL, "select count(*) from t;", "delete from t where id > 10; select * from t;"]
        recorded = [postgres.psql(nr.port, sql) for sql in sessions]
        nr.stop()
    assert len(recorded[0]) > 20_000
    server = replay(*timing)
    for number in (2, 0, 1):
        assert postgres.psql(server.port, sessions[number]) == recorded[number]
    server.ends(0)


# -- git --


def test_git_clone(folder, netrecord, replay, timing):
    with GitDaemon(folder / "git") as daemon:
        nr = netrecord(daemon.address)
        daemon.git("clone", "-q", f"git://127.0.0.1:{nr.port}/project.git", folder / "first")
        nr.stop()
        wanted = daemon.git("rev-parse", "main", cwd=daemon.folder / "project.git").stdout
    server = replay(*timing, "-i", "host=127.0.0.1:[0-9]+")
    daemon.git("clone", "-q", f"git://127.0.0.1:{server.port}/project.git", folder / "second")
    server.ends(0)
    assert daemon.git("rev-parse", "main", cwd=folder / "second").stdout == wanted
    daemon.git("fsck", "--full", "--strict", cwd=folder / "second")


# -- SMTP: the server speaks first --


def smtp_server(sock, number):
    """As much of RFC 5321 as smtplib asks for."""
    stream = sock.makefile("rwb")

    def say(text):
        stream.write(text.encode() + b"\r\n")
        stream.flush()

    say("220 mail.example ESMTP ready")
    for line in stream:
        word = line.split()[0].upper()
        if word == b"EHLO":
            say("250-mail.example\r\n250 8BITMIME")
        elif word == b"DATA":
            say("354 go on")
            while stream.readline() != b".\r\n":
                pass
            say(f"250 queued as {number}")
        elif word == b"QUIT":
            say("221 bye")
            return
        else:
            say("250 ok")


def deliver(port, sender):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=30) as client:
        message = f"Subject: of {sender}\r\n\r\nHello\r\n.dots\r\n"
        assert client.sendmail(f"{sender}@example.org", ["you@example.org"], message) == {}
        return client.noop()


def test_smtp(netrecord, replay, logroot, timing):
    senders = ["anna", "berta", "carla"]
    with Server(smtp_server) as server:
        nr = netrecord(server.address)
        recorded = {sender: deliver(nr.port, sender) for sender in senders}
        nr.stop()
    assert logs.load(logroot, 1).shape().startswith("c con, s data, c data")
    served = replay(*timing)
    for sender in senders[::-1]:
        assert deliver(served.port, sender) == recorded[sender]
    served.ends(0)


def test_smtp_with_another_message(netrecord, replay):
    with Server(smtp_server) as server:
        nr = netrecord(server.address)
        deliver(nr.port, "anna")
        nr.stop()
    served = replay("-t", "fast", "-o", "json")
    deliver(served.port, "anne")
    sender = len(b"ehlo client.example\r\nmail FROM:<ann")
    subject = len(b"ehlo client.example\r\nmail FROM:<anna@example.org>\r\nrcpt TO:<you@example.org>\r\n")
    subject += len(b"data\r\nSubject: of ann")
    assert served.departures() == [("log_1", at, 1, at, 1) for at in (sender, subject)]
