"""nettunnel: a server, its providers, and what lies between them."""
import os
import signal
import subprocess

from .proc import BIN, Process, wait_until
from .services import free_port

SANITIZERS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")


def listening(port):
    """By the kernel's table, since a connection would be taken for a provider's."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(f":{port:04X} " in line and " 0A " in line for line in table)


class End(Process):
    """A nettunnel process."""

    def metrics(self):
        """Its counters, as USR1 shows them."""
        before = len(self.said("links that are up"))
        self.signal(signal.SIGUSR1)
        self.wait_said("bytes sent and not yet acknowledged", before + 1)
        found = {}
        for line in self.lines:
            name, _, value = line.partition(": ")[2].rpartition(": ")
            if value.isdigit():
                found[name] = int(value)
        return found

    def wait_metric(self, name, value):
        wait_until(lambda: self.metrics()[name] == value, f"{name} is {value}", pause=0.05)

    def stop(self, number=signal.SIGTERM, expect=0):
        self.signal(number)
        status = self.wait()
        assert status == expect, f"exit status {status}, expected {expect}\n{self.stderr}"
        return self.stderr


class Forwarder:
    """socat between providers and their server, to be killed and started again on the same port."""

    def __init__(self, target):
        self.port, self.target, self.child = free_port(), target, None
        self.mend()

    def mend(self):
        listen = f"TCP-LISTEN:{self.port},bind=127.0.0.1,reuseaddr,fork"
        argv = ["socat", "-b", "262144", listen, f"TCP:{self.target[0]}:{self.target[1]}"]
        self.child = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: listening(self.port), "the forwarder listens")

    def cut(self):
        """Kill it and the connections that it carries."""
        if self.child:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        self.child = None

    def freeze(self):
        """Carry nothing, but close nothing."""
        os.killpg(self.child.pid, signal.SIGSTOP)

    def freeze_carriers(self):
        """The same for the connections that there are; new ones are carried."""
        children = open(f"/proc/{self.child.pid}/task/{self.child.pid}/children", encoding="ascii").read().split()
        assert children
        for pid in children:
            os.kill(int(pid), signal.SIGSTOP)


class Tunnel:
    """A server and any number of providers; all are ended with the test."""

    def __init__(self, folder, backend):
        self.folder, self.env = folder, {**os.environ, "NETRECORD_BACKEND": backend}
        self.key = self.secret("key", "correct horse battery staple\n")
        self.ends, self.forwarders = [], []
        self.server_process = None

    def secret(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def start(self, *argv, namespace=None):
        wrap = ["ip", "netns", "exec", namespace] if namespace else []
        self.ends.append(End([*wrap, BIN / "nettunnel", *argv], env=self.env))
        return self.ends[-1]

    def server(self, *options, listen="127.0.0.1:0", door="127.0.0.1:0", namespace=None):
        """Start the server; `address` and `door` are then where it listens."""
        end = self.start("server", "--listen", listen, "--provider", door, "--key", self.key, *options, namespace=namespace)
        self.address = self.where(end.wait_said(r"(?m)listening on (\S+)$")[0])
        self.door = self.where(end.wait_said(r"listening on (\S+) for providers")[0])
        self.server_process = end
        return end

    @staticmethod
    def where(text):
        host, _, port = text.rpartition(":")
        return host, int(port)

    def provider(self, target, *options, via=None, linked=True, key=None, namespace=None):
        """Start a provider; it has a link when this returns, unless told otherwise."""
        host, port = via or self.door
        words = ["--key", key or self.key, *options, f"{host}:{port}", f"{target[0]}:{target[1]}"]
        end = self.start("provider", *words, namespace=namespace)
        if linked:
            end.wait_said("linked to the server")
            # the server knows of it a moment later
            self.server_process.wait_said("provider .* connected", self.linked() or 1)
        return end

    def linked(self):
        return sum(len(end.said("linked to the server as")) for end in self.ends)

    def forwarder(self):
        self.forwarders.append(Forwarder(self.door))
        return self.forwarders[-1]

    def finish(self):
        for forwarder in self.forwarders:
            forwarder.cut()
        for end in self.ends:
            end.kill()
        for end in self.ends:
            for report in SANITIZERS:
                assert report not in end.stderr, end.stderr
