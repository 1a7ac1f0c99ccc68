"""Reports are coloured on a terminal, by all commands alike, and NO_COLOR refuses that if it is not empty."""
import contextlib
import os
import pty

import pytest

from harness.mirror import NETMIRROR
from harness.peers import Server, connect, recv_all, recv_exactly
from harness.proc import BIN, Process
from harness.serve import NETREPLAY, dialog, write_logs

ASKED = dialog(("c", b"how are you?\n"), ("s", b"good\n"))
OTHER = dialog(("c", b"how are you?\n"), ("s", b"bad\n"))


def answering(answer):
    def serve(sock, _number):
        recv_exactly(sock, 13)
        sock.sendall(answer)
        recv_all(sock)

    return serve


def ask(address, question=b"how are you?\n"):
    with connect(address) as sock:
        sock.sendall(question)
        sock.shutdown(1)
        recv_all(sock)


class Shown(Process):
    """A command whose standard output is a terminal."""

    def __init__(self, *argv, env):
        self.main, terminal = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        super().__init__(argv, stdout=terminal, env={**clean, **env})
        os.close(terminal)

    def port(self):
        return int(self.wait_said(r"listening on \S+:(\d+)")[0])

    def report(self, status=1):
        """What the terminal got, once it has ended."""
        found, seen = self.wait(), b""
        with contextlib.suppress(OSError):
            while piece := os.read(self.main, 65536):
                seen += piece
        os.close(self.main)
        assert found == status, f"exit status {found}\n{seen.decode()}\n{self.stderr}"
        return seen


def differ(folder, env):
    """netlog diff"""
    first, second = (write_logs(folder / name, log) for name, log in (("first", ASKED), ("second", OTHER)))
    return Shown(BIN / "netlog", "diff", first, second, env=env).report()


def play(folder, env):
    """netreplay as the client"""
    with Server(answering(b"bad\n")) as server:
        return Shown(NETREPLAY, "-t", "fast", *server.address, write_logs(folder / "log", ASKED), env=env).report()


def serve(folder, env):
    """netreplay --serve"""
    shown = Shown(NETREPLAY, "-t", "fast", "--serve", "0", write_logs(folder / "log", ASKED), env=env)
    ask(("127.0.0.1", shown.port()), b"how are they?\n")
    return shown.report()


def mirror(_folder, env):
    """netmirror --compare"""
    with Server(answering(b"good\n")) as server, Server(answering(b"bad\n")) as observer:
        shown = Shown(NETMIRROR, "--compare", *server.address, "0", "%s:%d" % observer.address, env=env)
        ask(("127.0.0.1", shown.port()))
        observer.wait_results(1)
        shown.signal(15)
        return shown.report()


@pytest.mark.parametrize("command", [differ, play, serve, mirror])
def test_no_color(folder, command):
    for env in ({}, {"NO_COLOR": ""}):
        assert b"\x1b[" in command(folder, env), f"no colours with {env}"
    assert b"\x1b[" not in command(folder, {"NO_COLOR": "1"})
