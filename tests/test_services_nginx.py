"""nginx through netrecord: curl and wrk."""
import hashlib
import os
import re

import pytest

from harness import logs
from harness.proc import run
from harness.services import Nginx
from harness.tap import Tap
from harness.wire import assert_recorded

SIZES = {"empty": 0, "small": 512, "page": 70000, "large": 24 << 20}


@pytest.fixture
def nginx(folder):
    with Nginx(folder / "nginx") as server:
        for name, size in SIZES.items():
            (server.folder / "www" / name).write_bytes(os.urandom(size))
        yield server


def curl(*words):
    return run("curl", "-sS", "--noproxy", "*", *words, patience=60).stdout


def test_curl_gets_what_nginx_has(nginx, netrecord, logroot):
    nr = netrecord(nginx.address)
    for name in SIZES:
        body = curl(f"http://127.0.0.1:{nr.port}/{name}")
        expected = (nginx.folder / "www" / name).read_bytes()
        assert hashlib.sha256(body).digest() == hashlib.sha256(expected).digest()
    nr.stop()
    recorded = list(logs.load_all(logroot).values())
    assert len(recorded) == len(SIZES)
    for log, (name, size) in zip(recorded, SIZES.items()):
        assert log.bytes("c").startswith(f"GET /{name} HTTP/1.1\r\n".encode())
        head, _, body = log.bytes("s").partition(b"\r\n\r\n")
        assert f"Content-Length: {size}".encode() in head
        assert body == (nginx.folder / "www" / name).read_bytes()


def test_curl_keepalive_upload_and_errors(nginx, netrecord, logroot, folder):
    payload = folder / "payload"
    payload.write_bytes(os.urandom(3 << 20))
    with Tap(nginx.address) as behind:
        nr = netrecord(behind.address)
        with Tap(nr.address) as front:
            url = "http://127.0.0.1:{}".format(front.address[1])
            pages = curl(f"{url}/small", f"{url}/page", f"{url}/small")
            assert len(pages) == 2 * SIZES["small"] + SIZES["page"]
            curl("-T", payload, f"{url}/upload/payload")
            assert "404" in curl("-w", "%{http_code}", f"{url}/missing").decode()
            assert (nginx.folder / "www/upload/payload").read_bytes() == payload.read_bytes()
            front.wait_idle()
            behind.wait_idle()
            nr.stop()
            assert_recorded(logroot, front, behind, least=3)
    assert logs.load(logroot, 1).bytes("c").count(b"GET /") == 3


def test_wrk_without_an_error(nginx, netrecord, logroot):
    nr = netrecord(nginx.address)
    with Tap(nr.address) as front:
        report = run("wrk", "-t1", "-c10", "-d2s", "http://127.0.0.1:{}/small".format(front.address[1])).stdout.decode()
        assert "Socket errors" not in report and "Non-2xx" not in report, report
        requests = int(re.search(r"(\d+) requests in", report)[1])
        front.wait_idle()
        nr.stop()
        assert_recorded(logroot, front, least=10)
    asked = sum(log.bytes("c").count(b"GET /small") for log in logs.load_all(logroot).values())
    assert asked >= requests > 100
