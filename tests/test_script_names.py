"""Names that scripts route to are looked up beside the loop, however long that takes."""
import os
import signal
import socket
from pathlib import Path

import pytest

from harness import logs
from harness.peers import Server, connect, echo, exchange, recv_exactly, recv_until_end, reset
from harness.proc import run, wait_until
from harness.script import only_log

ROUTE = """
    function route(data)
      local name = data:match("^to (%S+)\\n")
      if name then return { remote = name .. ":{port}", connect_timeout = tonumber(data:match("within (%S+)\\n")) } end
    end
    function connect_error(remote, conn) print("no server", remote) end"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The double of a slow nameserver, for LD_PRELOAD."""
    path = tmp_path_factory.mktemp("names") / "slow_names.so"
    source = Path(__file__).parent / "doubles" / "slow_names.c"
    run("cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl")
    return path


@pytest.fixture
def named(netrecord, folder, library):
    """A recorder whose script routes to the name that the client gives; and the flag that makes lookups hang."""
    flag = folder / "flag"
    flag.touch()

    def start(server, *options):
        path = folder / "test.lua"
        path.write_text(ROUTE.replace("{port}", str(server.address[1])))
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        env = {"LD_PRELOAD": str(library), "SLOW_FLAG": str(flag), "ASAN_OPTIONS": sanitizer}
        return netrecord(("-", "-"), "-s", path, *options, env=env), flag

    return start


def begin(nr, name, more=b""):
    sock = connect(nr.address)
    sock.sendall(b"to %s\n" % name + more)
    return sock


def threads(nr):
    return int(nr.status("Threads")[0])


def quick(nr):
    """A connection that needs no lookup goes on at once."""
    assert exchange(nr.address, b"to 127.0.0.1\n") == b"to 127.0.0.1\n"


def test_others_go_on_while_names_are_looked_up(named, logroot):
    """More names hang than there are threads for lookups; all come to their server in the end."""
    with Server(echo) as server:
        nr, flag = named(server)
        alone = threads(nr)
        waiting = [begin(nr, b"host%d.slow" % number) for number in range(30)]
        wait_until(lambda: len(logs.index(logroot)) == 30, "all are known")
        for _ in range(20):
            quick(nr)
        assert server.accepted == 20
        assert threads(nr) <= alone + 8
        flag.unlink()
        for number, sock in enumerate(waiting):
            text = b"to host%d.slow\n" % number
            assert recv_exactly(sock, len(text)) == text
            sock.close()
        wait_until(lambda: len(logs.closed(logroot)) == 50, "all are closed")
        wait_until(lambda: threads(nr) <= alone, "the threads have ended")
        nr.stop()


def test_clients_of_one_name_share_its_lookup(named):
    """Hundreds of clients of a name that hangs take one thread, not all."""
    with Server(echo) as server:
        nr, flag = named(server, "--route-timeout", "1h")
        alone = threads(nr)
        waiting = [begin(nr, b"same.slow") for _ in range(300)]
        other = begin(nr, b"localhost")
        assert recv_exactly(other, 13) == b"to localhost\n"
        assert threads(nr) <= alone + 2
        other.close()
        for sock in waiting[::2]:
            reset(sock)
        flag.unlink()
        for sock in waiting[1::2]:
            assert recv_exactly(sock, 13) == b"to same.slow\n"
            sock.close()
        nr.stop()


def test_a_name_that_is_not_known(named, logroot):
    with Server(echo) as server:
        nr, _ = named(server)
        sock = begin(nr, b"host.gone")
        assert recv_until_end(sock) == (b"", "reset")
        log, event = only_log(nr, logroot)
        assert log.shape() == "c con" and event["end"] == "refused"
        nr.wait_said("cannot connect to host.gone:.*: Name or service not known")
        nr.wait_said("no server host.gone:")
        assert server.accepted == 0


def test_connect_timeout_bounds_the_lookup(named, logroot):
    with Server(echo) as server:
        nr, flag = named(server)
        sock = begin(nr, b"host.slow", b"within 0.3\n")
        assert recv_until_end(sock)[0] == b""
        _, event = only_log(nr, logroot)
        assert event["duration"] >= 0.3
        nr.wait_said("no server host.slow:")
        flag.unlink()
        quick(nr)
        assert server.accepted == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_ending_does_not_wait_for_a_lookup(named, logroot, number):
    with Server(echo) as server:
        nr, flag = named(server, "--grace", "200ms")
        waiting = [begin(nr, b"host%d.slow" % each) for each in range(12)]
        wait_until(lambda: len(logs.index(logroot)) == 12, "all are known")
        nr.stop(number)
        assert flag.exists()
        for sock in waiting:
            assert recv_until_end(sock)[0] == b""
            sock.close()
    assert len(logs.closed(logroot)) == 12


ENTER = """#!/usr/bin/python3
import os, socket, subprocess, sys
for name in ("resolv.conf", "nsswitch.conf"):
    subprocess.run(["mount", "--bind", "{folder}/" + name, "/etc/" + name], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
silent.set_inheritable(True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_nameserver_that_never_answers(root, netrecord, folder, logroot):
    """No double: the C library waits for a nameserver that swallows all questions; nothing else waits."""
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:3\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    enter = folder / "enter"
    enter.write_text(ENTER.format(folder=folder))
    enter.chmod(0o755)
    script = folder / "test.lua"
    script.write_text(
        'function route(data) return data == "slow" and "www.example.com:80" or "unix:%s/server" end' % folder
    )
    with Server(echo, path=folder / "server", family=socket.AF_UNIX) as server:
        proxy = f"{folder}/proxy"
        wrap = ("unshare", "--net", "--mount", enter)
        nr = netrecord(("-", "-"), "-s", script, listen=f"unix:{proxy}", wrap=wrap)
        with connect(proxy) as slow:
            slow.sendall(b"slow")
            wait_until(lambda: logs.index(logroot), "it is known")
            for _ in range(20):
                assert exchange(proxy, b"quick") == b"quick"
            assert 1 not in logs.closed(logroot)
        nr.stop(signal.SIGINT)
        assert server.accepted == 20
