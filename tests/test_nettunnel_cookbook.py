"""The recipe of docs/cookbook.md, run as it stands there, and the ways to encrypt the link that nettunnel(1) shows."""
import os
import re
import subprocess

import pytest

from harness.cookbook import Shell, blocks, filled
from harness.peers import Server, connect, echo, exchange
from harness.proc import TOP, run, wait_until
from harness.services import accepts, free_port
from harness.services_more import certificate


def served(port):
    """Whether the tunnel's client port serves by now."""
    try:
        return exchange(("127.0.0.1", port), b"ping") == b"ping"
    except OSError:
        return False


@pytest.fixture
def target():
    def tolerant(sock, number):
        try:
            return echo(sock, number)
        except OSError:
            return None

    with Server(tolerant) as server:
        yield server


def test_reach_a_server_behind_nat(folder, target):
    gate, home, *_ = blocks("Reach a server behind NAT")
    ports = {":8080": f"127.0.0.1:{free_port()}", ":9887": f"127.0.0.1:{free_port()}"}
    where = {"gate.example.net:9887": ports[":9887"], "localhost:80": f"127.0.0.1:{target.address[1]}"}
    with Shell(filled(gate, **ports), folder), Shell("sleep 0.3; " + filled(home, **where), folder):
        wait_until(lambda: served(int(ports[":8080"].split(":")[1])), "it is served")


def test_reach_it_in_tls(folder, target):
    cert, _ = certificate(folder)
    (folder / "ca.pem").write_bytes(cert.read_bytes())
    key, _, gate, home = blocks("Reach a server behind NAT")
    ports = {"9886": str(free_port()), "9887": str(free_port()), "9888": str(free_port()), ":8080": f"127.0.0.1:{free_port()}"}
    where = {"gate.example.net": "localhost", "9886": ports["9886"], "9888": ports["9888"], "localhost:80": f"127.0.0.1:{target.address[1]}"}
    script = key.splitlines()[0] + "\n" + filled(gate, **{k: v for k, v in ports.items() if k != "9886"})
    script += "sleep 0.3\n" + filled(home.replace("localhost:80", "TARGET"), **{("TARGET" if k == "localhost:80" else k): v for k, v in where.items()})
    with Shell(script + "wait\n", folder):
        wait_until(lambda: served(int(ports[":8080"].split(":")[1])), "it is served")


def examples():
    """The literal blocks of the manual's examples, as typed."""
    text = (TOP / "docs/man/nettunnel.1").read_text().split(".Sh EXAMPLES")[1]
    found = re.findall(r"\.Bd -literal[^\n]*\n(.*?)\.Ed\n", text, flags=re.S)
    return [re.sub(r"^\$ ", "", block, flags=re.M) for block in found]


def start_pair(tunnel, target, via):
    """A server and a provider that goes through port `via`."""
    tunnel.provider(target.address, via=("127.0.0.1", via))
    assert exchange(tunnel.address, b"hello" * 10000) == b"hello" * 10000


def test_inside_stunnel_as_the_manual_shows(tunnel, folder, target):
    cert, key = certificate(folder)
    pem = folder / "gate.pem"
    pem.write_bytes(cert.read_bytes() + key.read_bytes())
    pem.chmod(0o600)
    outer, inner = str(free_port()), free_port()
    tunnel.server()
    gate, home = (block for block in examples() if block.startswith("[tunnel]"))
    gate = filled(gate, **{"9888": outer, "127.0.0.1:9887": f"127.0.0.1:{tunnel.door[1]}", "/etc/stunnel/gate.pem": pem})
    home = filled(home, **{"127.0.0.1:9887": f"127.0.0.1:{inner}", "gate.example.net:9888": f"localhost:{outer}",
                           "/etc/stunnel/gate.crt": cert, "= gate.example.net": "= localhost"})
    children = []
    try:
        for name, text in (("gate", gate), ("home", home)):
            (folder / name).write_text(f"foreground = yes\npid =\n{text}")
            children.append(subprocess.Popen(["stunnel4", folder / name], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_until(lambda: accepts(inner) and accepts(int(outer)), "both listen")
        start_pair(tunnel, target, inner)
    finally:
        for child in children:
            child.terminate()
            child.wait()


SSHD = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
"""


def test_inside_ssh_as_the_manual_shows(tunnel, folder, target, root):
    """Killed ssh loses no connection, as it says."""
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    port, inner = free_port(), free_port()
    (folder / "sshd_config").write_text(SSHD.format(port=port, folder=folder))
    server = tunnel.server()
    sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)
    line = next(block for block in examples() if "ssh -N" in block).splitlines()[0]
    options = f"-F none -p {port} -i {folder}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ExitOnForwardFailure=yes -q"
    line = filled(line, **{"ssh -N": f"ssh {options} -N", "gate.example.net": "127.0.0.1",
                           "9887:127.0.0.1:9887": f"{inner}:127.0.0.1:{tunnel.door[1]}"})
    try:
        wait_until(lambda: accepts(port), "sshd listens")
        with Shell(line.replace("sleep 1", "sleep 0.2") + " wait", folder) as shell:
            wait_until(lambda: accepts(inner), "ssh forwards")
            start_pair(tunnel, target, inner)
            with connect(tunnel.address) as client:
                client.sendall(b"before")
                assert client.recv(100) == b"before"
                children = run("pgrep", "-g", shell.child.pid, "-x", "ssh").stdout.split()
                for pid in children:
                    os.kill(int(pid), 9)
                server.wait_said("link to provider .* lost")
                client.sendall(b"during")
                assert client.recv(100) == b"during"
    finally:
        sshd.terminate()
        sshd.wait()
