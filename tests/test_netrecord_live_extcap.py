"""netrecord as a capture source of Wireshark: its extcap script, called as Wireshark does."""
import os
import pwd
import re
import signal
import subprocess

import pytest

from harness import logs, tshark
from harness.peers import Server, connect, echo, exchange, recv_exactly
from harness.proc import BIN, PATIENCE, TOP, Process, wait_until
from harness.services import accepts, free_port

SCRIPT = TOP / "netrecord/extcap.sh"


def environment(folder):
    return {**os.environ, "HOME": str(folder), "NETRECORD": str(BIN / "netrecord"), "XDG_STATE_HOME": ""}


def ask(folder, *words, status=0, env=None):
    env = env or environment(folder)
    done = subprocess.run([SCRIPT, *words], capture_output=True, env=env, timeout=PATIENCE, check=False)
    assert done.returncode == status, done
    return done.stdout.decode() if status == 0 else done.stderr.decode()


@pytest.mark.parametrize("joined", [False, True], ids=["words", "joined by ="])
def test_what_wireshark_asks(folder, joined):
    version = ["--extcap-version=4.0"] if joined else ["--extcap-version", "4.0"]
    which = ["--extcap-interface=netrecord"] if joined else ["--extcap-interface", "netrecord"]
    assert re.search(r"^interface \{value=netrecord\}", ask(folder, "--extcap-interfaces", *version), re.M)
    assert ask(folder, *which, "--extcap-dlts") == "dlt {number=101}{name=RAW}{display=Raw IP}\n"
    arguments = ask(folder, "--extcap-config", *which)
    assert re.findall(r"\{call=(\S+?)\}", arguments) == ["--server", "--listen", "--logroot", "--more"]
    assert f"{folder}/.local/state/netrecord" in arguments
    assert "no capture filters" in ask(folder, *which, "--extcap-capture-filter", "tcp", status=1)
    assert ask(folder, *which, "--extcap-capture-filter", "") == ""
    assert "is not set" in ask(folder, "--capture", *which, "--fifo", "/none", status=1)


@pytest.mark.parametrize("home", [None, ""], ids=["unset", "empty"])
def test_without_home(folder, home):
    """As in some services: it is listed, and keeps logs where the user's home is."""
    env = {**environment(folder), "HOME": home}
    if home is None:
        del env["HOME"]
    assert "{value=netrecord}" in ask(folder, "--extcap-interfaces", env=env)
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert f"{{default={home}/.local/state/netrecord/wireshark}}" in ask(folder, "--extcap-config", env=env)


def test_capture(folder):
    """Until the reader ends it: the recording is there, and nothing is said that would make Wireshark show an error."""
    os.mkfifo(folder / "fifo")
    port = free_port()
    with Server(echo) as server:
        where = ["--server", f"127.0.0.1:{server.address[1]}", "--listen", f"127.0.0.1:{port}", "--more", "-z --no-index"]
        words = [SCRIPT, "--capture", "--extcap-interface", "netrecord", "--fifo", folder / "fifo", *where]
        script = Process(words, env=environment(folder))
        try:
            with open(folder / "fifo", "rb") as fifo:
                wait_until(lambda: accepts(port), "it listens")
                with connect(("127.0.0.1", port)) as sock:
                    sock.sendall(b"hello")
                    assert recv_exactly(sock, 5) == b"hello"
                    script.signal(signal.SIGTERM)
                    (folder / "live").write_bytes(fifo.read())
            assert script.wait() == 0
        finally:
            script.signal(signal.SIGTERM)
            script.kill()
    assert script.stderr == ""
    assert tshark.complaints(folder / "live") == []
    assert tshark.streams(folder / "live", 2)[1].sent == {"c": b"hello", "s": b"hello"}
    root = folder / ".local/state/netrecord/wireshark"
    assert logs.load(root, 2).bytes("s") == b"hello" and not os.path.exists(f"{root}_index.jsonl")


def test_error_of_netrecord_reaches_wireshark(folder):
    os.mkfifo(folder / "fifo")
    with Server(echo) as taken:
        where = ["--server", "127.0.0.1:9", "--listen", f"127.0.0.1:{taken.address[1]}"]
        said = ask(folder, "--capture", "--extcap-interface", "netrecord", "--fifo", folder / "fifo", *where, status=2)
    assert "netrecord: " in said and "Address already in use" in said


def test_tshark_lists_it_and_captures_with_it(folder):
    home = folder / ".config/wireshark/extcap"
    home.mkdir(parents=True)
    (home / "netrecord").symlink_to(SCRIPT)
    env = environment(folder)
    listed = subprocess.run(["tshark", "-D"], env=env, capture_output=True, timeout=PATIENCE, check=True).stdout
    assert b"netrecord (netrecord: TCP proxy that records)" in listed
    port = free_port()
    with Server(echo) as server:
        options = {"server": f"127.0.0.1:{server.address[1]}", "listen": f"127.0.0.1:{port}", "logroot": f"{folder}/log"}
        words = [word for name, value in options.items() for word in ("-o", f"extcap.netrecord.{name}:{value}")]
        fields = ["-l", "-Y", "tcp.payload", "-T", "fields", "-e", "tcp.payload"]
        reader = subprocess.Popen(
            ["tshark", "-n", "-i", "netrecord", *words, *fields], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: accepts(port), "it listens")
            assert exchange(("127.0.0.1", port), b"hello") == b"hello"
            for _ in range(2):
                assert bytes.fromhex(reader.stdout.readline().decode()) == b"hello"
            reader.send_signal(signal.SIGINT)
            reader.wait(PATIENCE)
            wait_until(lambda: not accepts(port), "netrecord has ended")
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()
    assert b"hello" in b"".join(log.bytes("s") for log in logs.load_all(folder / "log").values())
