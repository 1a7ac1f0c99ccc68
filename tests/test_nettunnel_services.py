"""Real programs through nettunnel."""
import hashlib
import os
import re

from harness.proc import run
from harness.services import GitDaemon, Nginx, Postgres, Redis

SIZES = {"empty": 0, "small": 512, "page": 70000, "large": 12 << 20}


def test_curl_keeps_its_connection(tunnel, folder):
    with Nginx(folder / "nginx") as nginx:
        for name, size in SIZES.items():
            (nginx.folder / "www" / name).write_bytes(os.urandom(size))
        server = tunnel.server()
        tunnel.provider(nginx.address)
        url = "http://127.0.0.1:{}".format(tunnel.address[1])
        body = run("curl", "-sS", "--noproxy", "*", *(f"{url}/{name}" for name in SIZES), patience=60).stdout
        expected = b"".join((nginx.folder / "www" / name).read_bytes() for name in SIZES)
        assert hashlib.sha256(body).digest() == hashlib.sha256(expected).digest()
        assert server.metrics()["client connections accepted"] == 1
        payload = folder / "payload"
        payload.write_bytes(os.urandom(3 << 20))
        run("curl", "-sS", "--noproxy", "*", "-T", payload, f"{url}/upload/payload")
        assert (nginx.folder / "www/upload/payload").read_bytes() == payload.read_bytes()


def test_redis_benchmark(tunnel, folder):
    with Redis(folder / "redis") as redis:
        tunnel.server()
        tunnel.provider(redis.address)
        port = tunnel.address[1]
        words = ["-q", "-c", "50", "-n", "20000", "-t", "set,get,lrange_100", "-P", "16", "-d", "100"]
        done = run("redis-benchmark", "-h", "127.0.0.1", "-p", port, *words, patience=100).stdout
        assert re.search(rb"SET: [0-9.]+ requests", done) and b"LRANGE_100" in done
        redis.cli(port, "set", "key", "through the tunnel")
        assert redis.cli(redis.port, "get", "key") == b"through the tunnel\n"


def test_psql_and_pgbench(tunnel, folder):
    sql = "select i, repeat(chr(65 + i % 26), i), md5(i::text) from generate_series(1, 2000) i;"
    with Postgres(folder / "postgres") as postgres:
        tunnel.server()
        tunnel.provider(postgres.address)
        port = tunnel.address[1]
        direct = postgres.psql(postgres.port, sql)
        assert len(direct) > 1_000_000
        assert postgres.psql(port, sql) == direct
        postgres.pgbench(port, "-i", "-q", "-s", "1")
        done = postgres.pgbench(port, "-n", "-c", "8", "-j", "2", "-t", "50", "-M", "prepared")
        assert b"number of transactions actually processed: 400/400" in done.stdout


def test_git_clone_and_push(tunnel, folder):
    with GitDaemon(folder / "git") as daemon:
        tunnel.server()
        tunnel.provider(daemon.address)
        url = "git://127.0.0.1:{}/project.git".format(tunnel.address[1])
        clone = folder / "clone"
        daemon.git("clone", "-q", url, clone)
        daemon.git("fsck", "--full", "--strict", cwd=clone)
        (clone / "large").write_bytes(os.urandom(2 << 20))
        daemon.git("add", "large", cwd=clone)
        daemon.git("commit", "-q", "-m", "a large file", cwd=clone)
        daemon.git("push", "-q", "origin", "main", cwd=clone)
        here = daemon.git("rev-parse", "main", cwd=clone).stdout
        assert daemon.git("rev-parse", "main", cwd=daemon.folder / "project.git").stdout == here


def test_netrecord_in_front_of_it(tunnel, netrecord, folder, logroot):
    with Redis(folder / "redis") as redis:
        tunnel.server()
        tunnel.provider(redis.address)
        recorder = netrecord(tunnel.address)
        assert redis.cli(recorder.port, "set", "a", "b") == b"OK\n"
        recorder.stop()
        assert b"+OK\r\n" in (folder / "log_1").read_bytes()
