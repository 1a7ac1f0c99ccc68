"""The set-ups that the docs of tcp-clone and gopher show, as they stand in the cookbook."""
import re
import shlex
import signal
import subprocess

import pytest

from harness.cookbook import blocks
from harness.mirror import Netmirror
from harness.netns import join
from harness.proc import run, wait_until
from harness.services import BARE, Nginx, free_port

CLONE = "Copy live traffic to other servers"
GOPHER = "Copy live traffic without standing between"


@pytest.fixture
def abovecfg(folder):
    """tcp-clone's own configuration and the commands below it, at ports that are free: (file, nc, iperf)."""
    _, *config, nc, iperf = blocks(CLONE)
    ports = {"1202": free_port(), "5000": free_port(), "6000": free_port(), "7000": free_port()}
    file = folder / "abovecfg.toml"

    def moved(text):
        for old, new in ports.items():
            text = re.sub(rf"(?<=[: ]){old}\b", str(new), text)
        return text.replace("abovecfg.toml", str(file))

    file.write_text(moved("\n".join(config)))
    return file, [shlex.split(line) for line in moved(nc).splitlines()], [shlex.split(line) for line in moved(iperf).splitlines()]


def listens(port):
    return run("ss", "-ltnH", f"sport = :{port}").stdout


def test_tcp_clone_with_netcat(mirror, abovecfg):
    """Type into each: the client's words reach all, the target's the client, an observer's nobody."""
    _, (netmirror, *ncs), _ = abovecfg
    nm = mirror(*netmirror[1:])
    started = []
    try:
        for words in ncs:
            started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            if "-l" in words:
                wait_until(lambda port=words[-1]: listens(port), "nc listens")
        target, first, second, client = started
        for process, text in ((client, b"from the client\n"), (target, b"from the target\n"), (first, b"from an observer\n")):
            process.stdin.write(text)
            process.stdin.flush()
        assert client.stdout.readline() == b"from the target\n"
        for process in (target, first, second):
            assert process.stdout.readline() == b"from the client\n"
        (first_name,) = (f"127.0.0.1:{words[-1]}" for words in ncs[1:2])
        wait_until(lambda: nm.counts(first_name)["bytes received from the observer"] == 17, "an observer's words are read")
        client.stdin.write(b"bye\n")
        client.stdin.flush()
        for process in (target, first, second):
            assert process.stdout.readline() == b"bye\n"
        client.terminate()  # rule 1: all others see the end
        for process in (target, first, second):
            assert process.stdout.read() == b""
        assert client.stdout.read() == b""
    finally:
        for process in started:
            process.kill()
            process.communicate()
    nm.stop()


@pytest.mark.timeout(100)
def test_tcp_clone_with_iperf(mirror, abovecfg):
    """Target and observers read at speeds of their own; each gets exactly what the client sent."""
    _, _, (netmirror, *servers, client) = abovecfg
    nm = mirror(*netmirror[1:])
    started = []
    try:
        for words in servers:
            started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL))
            wait_until(lambda port=words[3]: listens(port), "iperf listens")
        run(*client, patience=60)
        for words in servers[1:]:
            name = f"127.0.0.1:{words[3]}"
            counts = wait_until(lambda name=name: (c := nm.counts(name))["connections open now"] == 0 and c, "it has read all", pause=0.2)
            assert counts["bytes sent to the observer"] == nm.counts()["bytes received from clients"] >= 1000 << 20
            assert counts["bytes of clients that the observer was not sent"] == 0
        for process in started:
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=20)[0].decode()
            # each of the four streams, as iperf itself counts what it read
            assert len(re.findall(r"\[ +\d+\] 0\.0+-\S+ sec +250 MBytes", said)) == 4, said
    finally:
        for process in started:
            process.kill()
            process.wait()
    nm.stop()


class Web(Nginx):
    """An nginx on a host, at port 80 or 1080, that logs what it is asked."""

    def __init__(self, folder, host, port):
        super().__init__(folder)
        self.host, self.port = host, port

    def prepare(self):
        super().prepare()
        file = self.folder / "nginx.conf"
        file.write_text(file.read_text().replace("listen 127.0.0.1:", "listen ").replace("access_log off;", f"access_log {self.folder}/log;"))
        (self.folder / "www" / "page").write_bytes(b"content")

    def argv(self):
        return [*self.host.wrap, *super().argv()]

    def ready(self):
        return self.host.run("ss", "-ltnH", f"sport = :{self.port}").stdout

    def asked(self):
        log = self.folder / "log"
        return sorted(re.findall(r'"GET (\S+)', log.read_text())) if log.exists() else []


@pytest.fixture
def network(hosts):
    """machineA to machineD and a client, all on one wire: a bridge."""
    wire, client, *machines = hosts(6)
    wire.run("ip", "link", "add", "wire", "type", "bridge")
    wire.run("ip", "link", "set", "wire", "up")
    addresses = {}
    for number, host in enumerate([client, *machines], 1):
        near, far = join(wire, host, network=100 + number)
        wire.run("ip", "addr", "flush", "dev", near)
        wire.run("ip", "link", "set", near, "master", "wire")
        host.run("ip", "addr", "flush", "dev", far)
        host.run("ip", "addr", "add", f"10.78.0.{number}/24", "dev", far)
        addresses[host] = f"10.78.0.{number}"
    return client, machines, addresses


@pytest.mark.parametrize("which", [0, 1], ids=["to one", "to three"])
def test_gopher(hosts, network, folder, which):
    client, machines, addresses = network
    names = {f"machine{letter}": addresses[host] for letter, host in zip("ABCD", machines)}
    a, b, c, d = machines
    lines = blocks(GOPHER)[which].splitlines()
    started, servers = [], []
    try:
        where = [(a, 80), (b, 1080)] if which == 0 else [(a, 80), (a, 1080), (b, 80), (d, 80)]
        servers = [Web(folder / f"web{n}", host, port).__enter__() for n, (host, port) in enumerate(where)]
        for line in reversed(lines):
            host = dict(zip("ABCD", machines))[line[7]] if line.startswith("machine") else a
            command = line.split(": ", 1)[-1] if line.startswith("machine") else line
            for name, address in names.items():
                command = command.replace(name, address)
            words = shlex.split(command)
            assert words[0] == "netmirror"
            started.append(Netmirror(*words[1:], listeners=0, wrap=host.wrap))
            started[-1].wait_said("listening on" if "--capture" not in words else "capturing on")
        paths = [f"/page?{n}" for n in range(30)]
        for path in paths:
            assert client.run("curl", "-s", f"http://{names['machineA']}{path}", env=BARE).stdout == b"content"
        for server in servers:
            wait_until(lambda server=server: server.asked() == sorted(paths), "every server was asked the same")
    finally:
        for process in started:
            process.finish()
        for server in servers:
            server.__exit__()


def test_comparing(mirror, folder):
    """The recipe of --compare, with an old and a new version."""
    (line,) = blocks("Does the new version answer as the old one does?")
    with Nginx(folder / "old") as old, Nginx(folder / "new") as new:
        for server, page in ((old, b"1"), (new, b"2")):
            (server.folder / "www" / "page").write_bytes(page)
            run("touch", "-d", "2020-01-01", server.folder / "www" / "page")
        command = line.removeprefix("$ ").replace("8080", str(old.port)).replace("8081", str(new.port)).replace(" 80 ", " 0 ")
        nm = mirror(*shlex.split(command)[1:])
        assert run("curl", "-s", "http://%s:%d/page" % nm.address).stdout == b"1"
        nm.stop(expect=1)
        assert "1 connection: 0 equal, 1 different" in nm.report and "1 difference" in nm.report
