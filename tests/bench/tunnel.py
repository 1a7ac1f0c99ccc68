"""Rows of nettunnel, beside ssh -R: how much passes, how long a request takes. Both have two processes between client and
server, a user's key or a shared one, and nothing of the system's own configuration."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from peers import Direct, Failed, Peer, free_port, listening, wait_for

BULK = [("tunnel-%s-%d" % (way, count), way, count) for way in ("up", "down") for count in (1, 16)]
REQUESTS = [("tunnel-request-1", 1), ("tunnel-request-50", 50)]
STUCK = "tunnel-stuck"  # 99 clients, beside one that asks for much and does not read
ROWS = [row[0] for row in BULK + REQUESTS] + [STUCK]
STARTS = {"tunnel-request-1": 3}

# Metric, unit, target against ssh -R: throughput, and what a request takes.
METRICS = (
    [(row, "MB/s", ("least", 2.0)) for row, _, _ in BULK]
    + [("%s %s" % (row, share), "us", ("most", 1.0)) for row, _ in REQUESTS for share in ("p50", "p99")])
KEPT = 0.9     # of their throughput
ADDED = 1000  # microseconds that a request may take longer at p50 than without a tunnel


class Pair(Peer):
    """Two programs, the second of which connects to the first."""

    def __init__(self):
        super().__init__()
        self.second = None

    def spawn(self, words):
        with open(self.messages, "ab") as messages:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
                                    cwd=self.folder, start_new_session=True)

    def start(self, folder, server_port):
        self.folder, self.messages = folder, os.path.join(folder, "messages")
        port, between = free_port(), free_port()
        self.process = self.spawn(self.arguments(port, between))
        wait_for(self.name, lambda: listening(between), self.process)
        self.second = self.spawn(self.connecting(port, between, server_port))
        wait_for(self.name, lambda: self.ready(port), self.second)
        return port

    def connecting(self, port, between, server_port):
        raise NotImplementedError

    def ready(self, port):
        return listening(port)

    def stop(self):
        for process in (self.second, self.process):
            if process is None:
                continue
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(5)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass


class Nettunnel(Pair):
    name = "nettunnel"

    def __init__(self, build):
        super().__init__()
        self.program = os.path.join(build, "nettunnel")
        self.remedy = "make"

    def arguments(self, port, between):
        self.key = os.path.join(self.folder, "key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as key:
            key.write("a key for a moment\n")
        return [self.program, "server", "--key", self.key, "--listen", "127.0.0.1:%d" % port,
                "--provider", "127.0.0.1:%d" % between]

    def connecting(self, port, between, server_port):
        return [self.program, "provider", "--key", self.key, "127.0.0.1:%d" % between,
                "127.0.0.1:%d" % server_port]

    def ready(self, port):
        return " connected from " in self.said()


class SshReverse(Pair):
    name = "ssh -R"
    program = "/usr/sbin/sshd"
    remedy = "apt-get install openssh-server"

    def path(self, name):
        return os.path.join(self.folder, name)

    def arguments(self, port, between):
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        shutil.copy(self.path("user.pub"), self.path("authorized"))
        os.chmod(self.folder, 0o700)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with open(self.path("sshd_config"), "w", encoding="ascii") as config:
            config.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\n"
                         "StrictModes no\nUsePAM no\nAllowTcpForwarding yes\nPermitRootLogin yes\n"
                         % (between, self.path("host"), self.path("authorized")))
        return [self.program, "-D", "-e", "-f", self.path("sshd_config")]

    def connecting(self, port, between, server_port):
        return ["ssh", "-F", "none", "-N", "-p", str(between), "-i", self.path("user"), "-o", "IdentitiesOnly=yes",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ExitOnForwardFailure=yes",
                "-R", "127.0.0.1:%d:127.0.0.1:%d" % (port, server_port), "127.0.0.1"]


def one(bench, peer, row):
    """One measurement of one peer, in a folder and with a server of its own."""
    folder = tempfile.mkdtemp(dir=bench.options.folder)
    server = subprocess.Popen([bench.load, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = peer.start(folder, int(server.stdout.readline()))
        for name, way, count in BULK:
            if name == row:
                got = bench.generate("bulk", port, way, count, bench.options.size // count * count)
                bench.note(peer, row, got["bytes"] / got["seconds"] / 1e6)
        for name, count in REQUESTS:
            if name == row:
                got = bench.generate("request", port, count, bench.options.milliseconds // STARTS.get(row, 1))
                for share in ("p50", "p99"):
                    bench.note(peer, "%s %s" % (row, share), got[share])
        if row == STUCK:
            stuck(bench, peer, port)
    finally:
        peer.stop()
        server.stdin.close()
        server.wait()
        shutil.rmtree(folder)


def stuck(bench, peer, port):
    """Without and with the one that does not read, one after the other, several times."""
    size = bench.options.size // 99 * 99
    for _ in range(3):
        got = bench.generate("bulk", port, "down", 99, size)
        bench.note(peer, STUCK + " without", got["bytes"] / got["seconds"] / 1e6)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.sendall(b"D%015x" % (1 << 30))
            time.sleep(0.3)
            got = bench.generate("bulk", port, "down", 99, size)
        bench.note(peer, STUCK + " with", got["bytes"] / got["seconds"] / 1e6)


def measure(bench, row):
    """The peers take turns."""
    others = [] if row == STUCK else [SshReverse(), Direct()]
    for peer in [Nettunnel(os.path.abspath(bench.options.build)), *others] * STARTS.get(row, 1):
        try:
            if peer.missing():
                raise Failed("%s (%s)" % (peer.missing(), peer.remedy))
            one(bench, peer, row)
        except Failed as failure:
            bench.remark("%s, %s: FAILED: %s" % (peer.name, row, failure))


def verdict(met):
    return "pass" if met else "FAIL"


def tell(bench, number):
    """The table: medians, ratios, targets."""
    print("\nTunnel: server and provider on one machine, beside ssh -R\n")
    print("%-24s %-6s%10s%10s%8s%10s  %s" % ("", "", "nettunnel", "ssh -R", "ratio", "direct", "target"))
    for metric, unit, (kind, target) in METRICS:
        got, base, direct = (bench.median(metric, name) for name in ("nettunnel", "ssh -R", "direct"))
        if got is None:
            continue
        ratio = got / base if base else None
        met = ratio is not None and (ratio >= target if kind == "least" else ratio <= target)
        print("%-24s %-6s%10s%10s%8s%10s  at %s %g: %s"
              % (metric, unit, number(got), number(base), number(ratio), number(direct), kind, target, verdict(met)))
        if metric == "tunnel-request-1 p50" and direct is not None:
            added = got - direct
            print("%-24s %-6s%10s%38s  at most %d us: %s"
                  % ("  added to direct", unit, number(added), "", ADDED, verdict(added <= ADDED)))
    alone, beside = (bench.median(STUCK + end, "nettunnel") for end in (" without", " with"))
    if alone:
        print("%-24s %-6s%10s%10s%8s%10s  at least %g: %s"
              % ("99 clients beside 1 stuck", "MB/s", number(beside), number(alone), number(beside / alone), "",
                 KEPT, verdict(beside / alone >= KEPT)))
