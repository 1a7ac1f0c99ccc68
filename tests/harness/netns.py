"""Network namespaces: hosts of a test's own, joined by cables. Needs root."""
import itertools
import os
import subprocess

from .proc import run

_numbers = itertools.count(1)


class Here:
    """The network namespace that the test itself is in."""

    name, wrap = None, []
    run = staticmethod(run)


class Host:
    """A network namespace. Cables are made by join(); `wrap` is put in front of a command to run it there."""

    def __init__(self):
        self.name = f"nrtest-{os.getpid()}-{next(_numbers)}"
        run("ip", "netns", "add", self.name)
        self.wrap = ["ip", "netns", "exec", self.name]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *argv, **options):
        return run(*self.wrap, *argv, **options)

    def popen(self, *argv, **options):
        return subprocess.Popen([*self.wrap, *map(str, argv)], **options)

    def remove(self):
        run("ip", "netns", "delete", self.name, check=False)


def join(one, other, network=None):
    """A cable (veth) between two hosts: 10.77.<network>.1 and .2, fd77:<network>::1 and ::2; returns the interfaces."""
    network = network or next(_numbers) % 250
    names = [f"nr{os.getpid() % 100000}-{network}{end}" for end in "ab"]
    run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1])
    for number, (host, name) in enumerate(zip((one, other), names), 1):
        if host.name:
            run("ip", "link", "set", name, "netns", host.name)
        host.run("ip", "addr", "add", f"10.77.{network}.{number}/24", "dev", name)
        host.run("ip", "addr", "add", f"fd77:{network:x}::{number}/64", "dev", name, "nodad")
        host.run("ip", "link", "set", name, "up")
    return names


def drop_syns(host, network=None):
    """Join `host` to the test's own namespace and return an address behind it whose packets it drops without a word."""
    network = network or os.getpid() % 250 + 1  # other tests may run beside this one
    near, far = join(Here, host, network)
    mac = host.run("cat", f"/sys/class/net/{far}/address").stdout.decode().strip()
    run("ip", "neigh", "replace", f"10.77.{network}.99", "lladdr", mac, "dev", near)
    return f"10.77.{network}.99"
