"""What a user reads: help, version, and one line for every wrong use."""
import socket

import pytest

from harness.peers import Server, echo, exchange
from harness.proc import BIN, run

NETRECORD = BIN / "netrecord"


def refused(*argv, **options):
    """Runs with a wrong use; returns the one line it says."""
    done = run(NETRECORD, *argv, check=False, **options)
    text = done.stderr.decode()
    assert done.returncode == 2, f"exit status {done.returncode}: {text}"
    assert done.stdout == b""
    assert text.endswith("\n") and text.count("\n") == 1, f"not one line: {text!r}"
    assert text.startswith("netrecord: "), text
    assert not text.endswith(".\n"), text
    assert text.isprintable() or text[:-1].isprintable()
    return text


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    done = run(NETRECORD, option)
    text = done.stdout.decode()
    assert done.stderr == b""
    assert "netrecord [options] host port proxyport logroot" in text
    for word in """-b --bind -4 -6 -z --gzip --rotate --keep -x --exec -m --max-connections
        --connect-timeout --idle-timeout --half-close-timeout --on-log-error --log-stall -u --user --no-index
        --metrics --grace -s --script --route-limit --route-timeout -h --help -V --version -v -q""".split():
        assert word in text, f"{word} is not explained"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option):
    done = run(NETRECORD, option)
    assert done.stdout.startswith(b"netrecord ") and done.stdout.count(b"\n") == 1
    assert done.stderr == b""


SERVER = ("127.0.0.1", "9")
CASES = {
    "nothing": (),
    "one operand": ("127.0.0.1",),
    "three operands": (*SERVER, "0"),
    "five operands": (*SERVER, "0", "{root}", "more"),
    "port is no number": ("127.0.0.1", "http!", "0", "{root}"),
    "port too large": ("127.0.0.1", "65536", "0", "{root}"),
    "port negative": ("127.0.0.1", "--", "-1", "0", "{root}"),
    "server port 0": ("127.0.0.1", "0", "0", "{root}"),
    "proxyport no number": (*SERVER, "x", "{root}"),
    "proxyport too large": (*SERVER, "65536", "{root}"),
    "host:port with a bad port": ("127.0.0.1:99999", "0", "{root}"),
    "unclosed bracket": ("[::1:80", "0", "{root}"),
    "unknown host": ("no-such-host.invalid", "80", "0", "{root}"),
    "empty host": ("", "80", "0", "{root}"),
    "empty logroot": (*SERVER, "0", ""),
    "logroot in a missing directory": (*SERVER, "0", "{folder}/missing/log"),
    "unknown option": ("--nonsense", *SERVER, "0", "{root}"),
    "unknown letter": ("-Y", *SERVER, "0", "{root}"),
    "option without its argument": (*SERVER, "0", "{root}", "--rotate"),
    "bad size": ("--rotate", "12q", *SERVER, "0", "{root}"),
    "negative size": ("--rotate", "-5", *SERVER, "0", "{root}"),
    "size 0": ("--rotate", "0", *SERVER, "0", "{root}"),
    "bad time": ("--idle-timeout", "soon", *SERVER, "0", "{root}"),
    "negative time": ("--connect-timeout", "-3", *SERVER, "0", "{root}"),
    "bad gzip level": ("-z12", *SERVER, "0", "{root}"),
    "bad number of connections": ("-m", "none", *SERVER, "0", "{root}"),
    "no connections": ("-m", "0", *SERVER, "0", "{root}"),
    "bad policy": ("--on-log-error", "panic", *SERVER, "0", "{root}"),
    "bad bind address": ("-b", "999.1.1.1", *SERVER, "0", "{root}"),
    "address of another machine": ("-b", "192.0.2.1", *SERVER, "0", "{root}"),
    "families that exclude the address": ("-6", "-b", "127.0.0.1", *SERVER, "0", "{root}"),
    "unknown user": ("-u", "no-such-user", *SERVER, "0", "{root}"),
    "live capture in place of a log": ("-w", "{root}_7", *SERVER, "0", "{root}"),
    "live capture in a missing directory": ("-w", "/missing/live.pcapng", *SERVER, "0", "{root}"),
    "script that is not there": ("-s", "{folder}/x.lua", *SERVER, "0", "{root}"),
    "nobody chooses the server": ("-", "-", "0", "{root}"),
    "bad limit of a route": ("--route-limit", "much", *SERVER, "0", "{root}"),
    "bad time of a route": ("--route-timeout", "long", *SERVER, "0", "{root}"),
    "control character": ("127.0.0.1", "8\x1b[31m0", "0", "{root}"),
}


@pytest.mark.parametrize("argv", CASES.values(), ids=CASES.keys())
def test_wrong_use_is_one_line_and_exit_2(folder, argv):
    refused(*(word.format(folder=folder, root=folder / "log") for word in argv))
    assert list(folder.iterdir()) == [], "something was created nevertheless"


WORDS = {
    "unknown host": "no-such-host.invalid",
    "proxyport too large": "65536",
    "bad size": "12q",
    "bad time": "soon",
    "logroot in a missing directory": "/missing",
    "bad policy": "panic",
    "unknown user": "no-such-user",
    "live capture in place of a log": "name of a log",
    "live capture in a missing directory": "--pcap /missing",
    "script that is not there": "x.lua",
    "nobody chooses the server": "-s",
    "unknown option": "nonsense",
}


@pytest.mark.parametrize("case", WORDS)
def test_the_line_names_what_is_wrong(folder, case):
    line = refused(*(word.format(folder=folder, root=folder / "log") for word in CASES[case]))
    assert WORDS[case] in line


SPELLINGS = {
    "log": "{root}_1",
    "log in this directory": "./log_1",
    "log in this directory, by name alone": "log_1",
    "log, slashes": "{folder}//log_1",
    "log, a way around": "{folder}/../{folder.name}/log_1",
    "log, the directory's other name": "{folder}/other/log_1",
    "log to come": "./log_8.gz",
    "part of a log": "./log_1.2",
    "link to a log": "{folder}/link",
    "index": "./log_index.jsonl",
}


@pytest.mark.parametrize("option", ["-w", "--metrics"])
@pytest.mark.parametrize("path", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_finished_log_is_never_overwritten(folder, option, path):
    kept = {"log_1": b"c 0.000000 con\n", "log_index.jsonl": b"{}\n"}
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    (folder / "other").symlink_to(folder)
    (folder / "link").symlink_to("log_1")
    before = sorted(folder.iterdir())
    path = path.format(folder=folder, root=folder / "log")
    for logroot in (folder / "log", "log"):
        assert f"{path}: that is the name of a log" in refused(option, path, *SERVER, "0", logroot, cwd=folder)
    assert sorted(folder.iterdir()) == before
    assert all((folder / name).read_bytes() == content for name, content in kept.items())


@pytest.mark.parametrize("path", ["log", "log_", "log_1.txt", "xlog_1", "else/log_1", "log_index.json"])
def test_other_names_beside_the_logs_are_free(netrecord, folder, path):
    (folder / "else").mkdir()
    netrecord(SERVER, "--metrics", folder / path).stop()
    assert (folder / path).read_text().startswith("# HELP")


def test_port_in_use(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("-b", "127.0.0.1", *SERVER, str(port), folder / "log")
    assert str(port) in line and "in use" in line.lower()


def test_directory_that_may_not_be_written(folder, root):
    """Told at the start, as the user that will write."""
    place = folder / "private"
    place.mkdir(mode=0o700)
    assert "ermission denied" in refused("-u", "nobody", *SERVER, "0", place / "log")


@pytest.mark.parametrize("option, lines", [("-q", 0), ("-v", 2)])
def test_quiet_and_verbose(netrecord, folder, option, lines):
    """-q still announces the listener, as scripts wait for it, and says no more; -v tells of connections."""
    with Server(echo) as server:
        nr = netrecord(server.address, option, "-b", "127.0.0.1")
        exchange(nr.address, b"x")
        nr.stop()
    assert len(nr.lines) - 1 >= lines if lines else len(nr.lines) == 1
