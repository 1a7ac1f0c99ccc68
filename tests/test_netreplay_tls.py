"""A recording of TLS cannot be replayed: it is recognised, and that is said."""
import smtplib
import subprocess

import pytest

from harness import logs
from harness.peers import Server, echo
from harness.proc import run, wait_until
from harness.replay import expect, replay, at
from harness.serve import dialog, write_logs
from harness.services import accepts, free_port
from harness.services_more import Smtp, certificate, trusting

PING = dialog(("c", b"PING\r\n"), ("s", b"PING\r\n"))


@pytest.fixture
def server():
    with Server(echo) as server:
        yield server


def test_tls_is_recognised(folder, netrecord, logroot):
    cert, key = certificate(folder)
    port = free_port()
    words = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-quiet"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            wait_until(lambda: accepts(port), "s_server listens")
            nr = netrecord(("127.0.0.1", port))
            done = run("openssl", "s_client", "-connect", f"127.0.0.1:{nr.port}", "-brief", check=False)
            assert b"CONNECTION ESTABLISHED" in done.stdout + done.stderr
            nr.stop()
            done = expect(2, "127.0.0.1", port, logroot)
            assert "TLS" in done.out + done.err, done
        finally:
            child.kill()


def test_starttls_is_recognised(folder, netrecord, logroot):
    tls = certificate(folder)
    with Smtp(folder / "smtp", tls) as smtp:
        nr = netrecord(smtp.address)
        with smtplib.SMTP("127.0.0.1", nr.port, local_hostname="client.example", timeout=30) as client:
            client.starttls(context=trusting(tls[0]))
            client.sendmail("anna@example.org", ["you@example.org"], "Subject: x\r\n\r\nHello\r\n")
        nr.stop()
    assert b"STARTTLS" in logs.load(logroot, 1).bytes("c")
    with Smtp(folder / "fresh", tls) as smtp:
        done = expect(2, smtp.address[0], smtp.port, logroot)
    assert "TLS" in done.out + done.err, done


def test_tls_among_others(server, logroot):
    hello = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("00000213010100")
    root = write_logs(logroot, PING, dialog(("c", hello), ("s", b"\x16\x03\x03\x00\x02\x02\x00")))
    done = replay("-o", "json", at(server), root)
    assert done.status == 1 and done.results == {"log_1": "equal", "log_2": "skipped"}, done
    assert "TLS" in done.out
