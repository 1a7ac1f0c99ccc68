"""Rows of netmirror: as a relay beside haproxy; what each further observer that reads costs, beside one plain loop of
send(2) and a chain of socats; and what the primary notices of observers that are stopped, refuse or hang."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

from peers import Failed, Haproxy, Peer, Socat, free_port

RELAY = [("mirror-relay-%s-%d" % (way, count), way, count) for way in ("up", "down") for count in (1, 16)]
OBSERVERS = "mirror-observers"
SICK = "mirror-sick"
ROWS = [row[0] for row in RELAY] + [OBSERVERS, SICK]
COUNTS = (0, 1, 2, 4, 8)
RELAYED = 1.7   # times haproxy's throughput
EACH = 1.3      # times the CPU of the loop
RATE = 4000     # requests a second, over 16 connections
NOTICED = 0.05  # of throughput and p99


class Netmirror(Peer):
    """With observers, given as ports. They may fall behind for want of a core: their queues are as large as all."""

    name = "netmirror"

    def __init__(self, build, observers=(), options=("--queue", "2G")):
        super().__init__()
        self.program = os.path.join(build, "netmirror")
        self.remedy = "make"
        self.observers, self.options = observers, options

    def arguments(self, port, server_port):
        return [self.program, *self.options, "-b", "127.0.0.1", "127.0.0.1", str(server_port), str(port),
                *(each if ":" in str(each) else "127.0.0.1:%d" % each for each in self.observers)]


class Chain(Socat):
    """socat copying to socat: what was sent is written to a second one by tee, as shells do it."""

    name = "socats"

    def __init__(self, observers):
        super().__init__()
        self.observers = observers

    def arguments(self, port, server_port):
        copies = " | ".join("tee >(exec socat -u - TCP:127.0.0.1:%d >/dev/null)" % each for each in self.observers)
        script = os.path.join(self.folder, "copy")
        with open(script, "w", encoding="ascii") as file:
            file.write("#!/bin/bash\n%s | exec socat - TCP:127.0.0.1:%d\n" % (copies or "cat", server_port))
        os.chmod(script, 0o755)
        return ["socat", "TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr" % port, "EXEC:" + script]


class Servers:
    """Servers of the load generator: what is sent to them is read, and acknowledged."""

    def __init__(self, bench, count):
        self.children = [subprocess.Popen([bench.load, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                         for _ in range(count)]
        self.ports = [int(child.stdout.readline()) for child in self.children]

    def __enter__(self):
        return self.ports

    def __exit__(self, *_):
        for child in self.children:
            child.send_signal(signal.SIGCONT)
            child.stdin.close()
            child.wait()


def run(bench, peer, server_port, work):
    """Start the peer, have `work(port)` measure through it, end it."""
    if peer.missing():
        raise Failed("%s (%s)" % (peer.missing(), peer.remedy))
    folder = tempfile.mkdtemp(dir=bench.options.folder)
    try:
        port = peer.start(folder, server_port)
        try:
            return work(port)
        finally:
            peer.stop()
            peer.said_before = peer.said()
    finally:
        shutil.rmtree(folder)


def relay(bench, build, row, way, count):
    with Servers(bench, 1) as (server,):
        for peer in (Haproxy(), Netmirror(build)):
            def work(port, peer=peer):
                before = peer.cpu()
                got = bench.generate("bulk", port, way, count, bench.options.size // count * count)
                bench.note(peer, row, got["bytes"] / got["seconds"] / 1e6)
                bench.note(peer, row + " cpu", (peer.cpu() - before) / (got["bytes"] / 1e9))
            run(bench, peer, server, work)


def observers(bench, build):
    size = bench.options.size
    with Servers(bench, 1 + max(COUNTS)) as (server, *ports):
        for count in COUNTS:
            peer = Netmirror(build, ports[:count])
            loop = bench.generate("send", server, size)
            bench.note(peer, OBSERVERS + " loop", loop["cpu"] / (size / 1e9))

            def work(port, peer=peer):
                before = peer.cpu()
                got = bench.generate("bulk", port, "up", 1, size)
                after = peer.cpu()
                while True:  # what is queued for observers is sent yet
                    time.sleep(0.1)
                    if peer.cpu() == after:
                        break
                    after = peer.cpu()
                return got, (after - before) / (size / 1e9)
            got, cpu = run(bench, peer, server, work)
            if count and "were not sent" in peer.said_before:
                raise Failed("an observer was dropped")
            bench.note(peer, "%s %d" % (OBSERVERS, count), got["bytes"] / got["seconds"] / 1e6)
            bench.note(peer, "%s %d cpu" % (OBSERVERS, count), cpu)
            if count in (1, 2):
                chain = Chain(ports[:count])
                small = size // 8
                got = run(bench, chain, server, lambda port: bench.generate("bulk", port, "up", 1, small))
                bench.note(chain, "%s %d" % (OBSERVERS, count), got["bytes"] / got["seconds"] / 1e6)


def sick(bench, build):
    """Paired: the healthy observer alone, and with three others beside it, in turns."""
    with Servers(bench, 3) as (server, healthy, stopped):
        children = subprocess.run(["ss", "-ltnpH", "sport = :%d" % stopped], stdout=subprocess.PIPE, text=True, check=True)
        pid = int(children.stdout.split("pid=")[1].split(",")[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            for name, others in (("alone", []), ("beside", [stopped, free_port(), "192.0.2.1:9"])):
                peer = Netmirror(build, [healthy, *others], ())
                got = run(bench, peer, server,
                          lambda port: bench.generate("rate", port, 16, RATE, 4 * bench.options.milliseconds))
                bench.note(peer, "%s %s" % (SICK, name), got["answered"] / (4 * bench.options.milliseconds / 1e3))
                bench.note(peer, "%s %s p99" % (SICK, name), got["p99"])
        finally:
            os.kill(pid, signal.SIGCONT)


def measure(bench, row):
    build = os.path.abspath(bench.options.build)
    try:
        if row == OBSERVERS:
            observers(bench, build)
        elif row == SICK:
            sick(bench, build)
        for name, way, count in RELAY:
            if name == row:
                relay(bench, build, name, way, count)
    except Failed as failure:
        bench.remark("netmirror, %s: FAILED: %s" % (row, failure))


def verdict(met):
    return "pass" if met else "FAIL"


def tell(bench, number):
    """The tables: a relay, each observer, sick observers."""
    print("\nMirror: a relay beside haproxy's default\n")
    for row, _, _ in RELAY:
        got, base = (bench.median(row, name) for name in ("netmirror", "haproxy"))
        if got and base:
            print("%-24s %-6s%10s%10s%8s  at least %g: %s" % (row, "MB/s", number(got), number(base), number(got / base),
                                                            RELAYED, verdict(got / base >= RELAYED)))
            got, base = (bench.median(row + " cpu", name) for name in ("netmirror", "haproxy"))
            print("%-24s %-6s%10s%10s%8s" % ("  cpu", "s/GB", number(got), number(base), number(got / base)))
    loop = bench.median(OBSERVERS + " loop", "netmirror")
    if loop:
        print("\nMirror: observers that read; a loop of send(2) takes %s s/GB\n" % number(loop))
        base = bench.median(OBSERVERS + " 0 cpu", "netmirror")
        for count in COUNTS:
            rate, cpu = (bench.median("%s %d%s" % (OBSERVERS, count, end), "netmirror") for end in ("", " cpu"))
            chain = bench.median("%s %d" % (OBSERVERS, count), "socats")
            each = (cpu - base) / count / loop if count else None
            print("%d observers  %8s MB/s (socats %s)  %8s s/GB%s" % (
                count, number(rate), number(chain), number(cpu),
                "  each %s of the loop, at most %g: %s" % (number(each), EACH, verdict(each <= EACH)) if count else ""))
    for end, unit in (("", "req/s"), (" p99", "us")):
        alone, beside = (bench.median(SICK + " " + name + end, "netmirror") for name in ("alone", "beside"))
        if alone:
            change = beside / alone - 1 if end else 1 - beside / alone
            print("%-30s %-6s%10s%10s  at most %g%% worse: %s" % (
                "sick observers beside" + end, unit, number(alone), number(beside), 100 * NOTICED, verdict(change <= NOTICED)))
