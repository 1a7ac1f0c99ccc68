"""Recipes of docs/cookbook.md, run as they stand there, but for ports and names."""
import signal
import ssl
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from harness import logs
from harness.cookbook import Shell, blocks, filled
from harness.netlog import con, write
from harness.peers import Server, connect, recv_exactly
from harness.proc import run, settled, wait_until
from harness.services import Redis, accepts, free_port
from harness.services_more import trusting

SHOP = """#!/usr/bin/python3
import http.server, sys

class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = {"/": b"welcome\\n", "/price": b"17.50 EUR\\n"}.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
"""


@pytest.fixture
def shop(folder):
    """The five lines: those that record, and the one for CI; with a shop in place."""
    (folder / "tests").mkdir()
    (folder / "shop").write_text(SHOP)
    (folder / "shop").chmod(0o755)
    ports = {"8080": free_port(), "8081": free_port()}
    once, again = blocks("A regression test in CI in five lines")
    assert len(once.splitlines()) + len(again.splitlines()) == 5
    return filled(once, **ports), again.replace("8080", str(ports["8080"]))


def test_regression_test_in_ci(folder, shop):
    once, again = shop
    port = again.split("127.0.0.1:")[1].split()[0]
    with subprocess.Popen([folder / "shop", port]) as server:
        try:
            wait_until(lambda: accepts(int(port)), "the shop is open")
            with Shell(once, folder) as shell:
                assert "17.50 EUR" in shell.ends(0)
        finally:
            server.terminate()
    assert len(logs.load_all(folder / "tests/shop")) == 1
    assert "Date" in (folder / "tests/shop.ignore").read_text()
    with Shell(again, folder) as shell:
        shell.ends(0)
    run("xmllint", "--noout", folder / "junit.xml")
    (folder / "shop").write_text(SHOP.replace("17.50", "18.50"))
    with Shell(again, folder) as shell:
        shell.ends(1)
    report = ElementTree.parse(folder / "junit.xml").getroot()
    assert [failure for failure in report.iter("failure")]
    with Shell(again.replace("-o junit", "--update tests/new").replace(">junit.xml", ""), folder) as shell:
        shell.ends(0)
    with Shell(again.replace(" tests/shop ", " tests/new "), folder) as shell:
        shell.ends(0)


def test_recording_inside_tls(folder):
    chain, make, replay = blocks("Record what is inside TLS")
    with Shell(make, folder) as shell:
        shell.ends(0)
    # the certificate's name is checked on both ways; the server has the same one here
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def serve(sock, number):
        with context.wrap_socket(sock, server_side=True) as inside, inside.makefile("rwb") as stream:
            for line in stream:
                stream.write(b"you said " + line)
                stream.flush()

    ports = {"8443": free_port(), "8444": free_port(), "8445": free_port()}
    with Server(serve) as server:
        where = {"shop.example.net": "localhost", ":443,": f":{server.address[1]},"}
        with Shell(filled(chain, **ports, **where) + "\nwait", folder):
            wait_until(lambda: all(accepts(port) for port in ports.values()), "all three listen")
            with connect(("127.0.0.1", ports["8443"])) as sock:
                with trusting(folder / "cert.pem").wrap_socket(sock, server_hostname="localhost") as inside:
                    inside.sendall(b"hello\n")
                    assert recv_exactly(inside, 15) == b"you said hello\n"
                    inside.sendall(b"good bye\n")
                    assert recv_exactly(inside, 18) == b"you said good bye\n"
            found = wait_until(
                lambda: [n for n, log in logs.load_all(folder / "inside").items() if b"said good bye" in log.bytes("s") and log.ends()],
                "the recording is there",
            )
            assert logs.load(folder / "inside", found[0]).bytes("s") == b"you said hello\nyou said good bye\n"
            script = replay.replace("8445", str(ports["8445"])).replace("inside", f"inside_{found[0]}")
            with Shell(script, folder) as replaying:
                replaying.ends(0)


def test_tcpdump_to_regression_test(folder, root):
    capture, replay = blocks("From a tcpdump to a regression test")
    with Redis(folder / "redis") as redis:
        with Shell(filled(capture, **{"6379": redis.port}).replace("tcpdump", "exec tcpdump -U --immediate-mode -B 65536 -Z root"), folder) as dump:
            wait_until(lambda: (folder / "redis.pcap").exists() and (folder / "redis.pcap").stat().st_size, "tcpdump listens")
            redis.cli(redis.port, "set", "name", "value")
            redis.cli(redis.port, "get", "name")
            settled(lambda: (folder / "redis.pcap").stat().st_size)
            dump.child.send_signal(signal.SIGINT)
            assert "0 packets dropped" in dump.ends(0)
    with Shell("set -e\n" + filled(replay, **{"7777": free_port()}), folder) as shell:
        assert "s hup" in shell.ends(0)
    assert b"value" in logs.load(folder / "session", 2).bytes("s")


def commands(heading):
    """What is typed there, without what is told, as one script that ends at the first failure."""
    lines, typing = [], False
    for line in "".join(blocks(heading)).splitlines():
        if line.startswith("$ "):
            typing = line.count("'") % 2 == 1
            lines.append(line[2:])
        elif typing:
            typing = line.count("'") % 2 == 0
            lines.append(line)
    return "set -e\n" + "\n".join(lines) + "\n"


REQUEST = b"POST /login HTTP/1.1\r\nHost: shop\r\nCookie: id=1\r\nContent-Length: 33\r\n\r\nuser=ann&password=correct horse&x"


@pytest.fixture
def recordings(folder):
    """Recordings as the recipes name theirs."""
    for name in ("session_1", "session_3", "monday_1", "tuesday_1", "login_1"):
        request = REQUEST if name == "login_1" else b"*1\r\n$4\r\nping\r\n"
        records = [con(12), b"c 12.100000 %d\n" % len(request) + request, b"s 12.600000 7\n+PONG\r\n", b"c 14.000000 hup\n"]
        write(folder / name, records)
    return folder


def test_reading_recipes(recordings):
    with Shell(commands("Look at a recording").replace("&& xdg-open session.html", ""), recordings) as shell:
        shell.ends(0)
    assert b"</html>" in (recordings / "session.html").read_bytes()[-100:]
    with Shell(commands("Open a recording in Wireshark").replace("\nwireshark", "\ncapinfos"), recordings) as shell:
        assert "Request: ping" in shell.ends(0)
    with Shell(commands("Give a recording away: overwrite the secrets"), recordings) as shell:
        told = shell.ends(0)
    assert "netlog: 1 matches of password=[^&]* overwritten" in told and "correct horse" not in told
    assert "user=ann&XXXXXXXXXXXXXXXXXXXXXX&x" in told
    with Shell(commands("Keep the interesting part"), recordings) as shell:
        shell.ends(0)
    assert (recordings / "incident_1").read_bytes() == b"c 12.000000 con\ns 12.600000 7\n+PONG\r\n"
    assert b"+PONG" not in (recordings / "requests_1").read_bytes()
    assert len(logs.load_all(recordings / "all")) == 2
    with Shell(commands("Process a recording with a script"), recordings) as shell:
        assert r"1 s b'+PONG\r\n'" in shell.ends(0)


def test_metrics_recipe(folder):
    """The counters that it shows are there."""
    names = [line.split()[0] for line in "".join(blocks("Know that it is well")).splitlines() if line.startswith("netrecord_")]
    ports = {"6379": free_port(), "6380": free_port(), "/var/lib/prometheus/node-exporter": folder}
    start = filled(commands("Know that it is well").splitlines()[1], **ports)
    with Shell(start, folder):
        text = wait_until(lambda: (folder / "recorder.prom").exists() and (folder / "recorder.prom").read_text(), "counters are written")
    there = [line.split()[0] for line in text.splitlines() if not line.startswith("#")]
    assert names and [name for name in names if name not in there] == []
