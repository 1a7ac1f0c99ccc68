"""Real sessions, exported and captured live: Wireshark recognises what was spoken."""
import signal
import smtplib

import pytest

from harness import logs, tshark
from harness.netlog import good
from harness.proc import run
from harness.services import Nginx, Postgres, Redis
from harness.services_more import Smtp


def http(server, port):
    (server.folder / "www/index.txt").write_bytes(bytes(100_000))
    run("curl", "-s", f"http://127.0.0.1:{port}/index.txt", f"http://127.0.0.1:{port}/nothing")


def resp(server, port):
    server.cli(port, "set", "key", "value" * 1000)
    server.cli(port, "get", "key")


def pgsql(server, port):
    server.psql(port, "select repeat('x', i) from generate_series(1, 300) i; select 6 * 7 as answer")


def smtp(_server, port):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="here") as client:
        client.sendmail("a@example.org", ["b@example.org"], "Subject: hello\r\n\r\nWorld\r\n")


KINDS = {
    "http": (Nginx, http, 80, ["http.request.uri"], {"/index.txt", "/nothing"}),
    "resp": (Redis, resp, 6379, ["resp.bulk_string.value"], {b"set".hex(), b"get".hex()}),
    "pgsql": (Postgres, pgsql, 5432, ["pgsql.query"], {"select 6 * 7 as answer"}),
    "smtp": (Smtp, smtp, 25, ["smtp.req.command"], {"mail", "rcpt", "data"}),
}


@pytest.mark.parametrize("protocol", KINDS)
def test_dissected(folder, netrecord, logroot, protocol):
    server, session, port, names, wanted = KINDS[protocol]
    live, later = folder / "live.pcapng", folder / "later.pcapng"
    with server(folder / "server") as service:
        recorder = netrecord(service.address, "-w", live)
        session(service, recorder.port)
        recorder.stop(signal.SIGTERM)
    good("pcap", "-w", later, "--server", f":{port}", logroot)
    found = {value.strip() for line in tshark.fields(later, *names, where=protocol) for value in line[0].split(",")}
    assert wanted <= found, found
    assert tshark.fields(later, "frame.number", where=f"{protocol} and _ws.malformed") == []
    same_bytes(logroot, live, later)


def same_bytes(logroot, live, later):
    recorded = logs.load_all(logroot)
    for capture in live, later:
        assert tshark.complaints(capture) == []
        found = tshark.streams(capture, len(recorded))
        assert sorted((stream.sent["c"], stream.sent["s"]) for stream in found) == sorted(
            (log.bytes("c"), log.bytes("s")) for log in recorded.values()
        )
