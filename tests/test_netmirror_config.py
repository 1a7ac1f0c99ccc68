"""-f FILE: tcp-clone's configuration, several proxies in one process, errors, HUP."""
import signal

import pytest

from harness.mirror import refused
from harness.peers import Server, connect, echo, exchange, recv_all, recv_exactly
from harness.proc import wait_until
from harness.services import free_port

# the file of tcp-clone's own README, unchanged but for the ports
CLONE = """[[tcp_clone]]

  [tcp_clone.server]
  listen_addr = "127.0.0.1:{listen}"

  [tcp_clone.target]
  addr = "{target}"

  [[tcp_clone.observer]]
  addr = "{first}"

  [[tcp_clone.observer]]
  addr = "{second}"

# Add more servers:
#
#[[tcp_clone]]
#
#  [tcp_clone.server]
#  listen_addr = "127.0.0.1:1111"
#
#  [tcp_clone.target]
#  addr = "127.0.0.1:3333"
#
#  [[tcp_clone.observer]]
#  addr = "127.0.0.1:5555"
"""
ONE = '[[tcp_clone]]\n[tcp_clone.server]\nlisten_addr = "127.0.0.1:{}"\n[tcp_clone.target]\naddr = "{}"\n'
SEEN = '[[tcp_clone.observer]]\naddr = "{}"\n'


def name(server):
    return "%s:%d" % server.address


@pytest.fixture
def echo_server():
    with Server(echo) as server:
        yield server


@pytest.fixture
def file(folder):
    return folder / "clone.toml"


@pytest.mark.core
def test_the_example_of_tcp_clone(mirror, observers, echo_server, file):
    first, second = observers(2)
    file.write_text(CLONE.format(listen=0, target=name(echo_server), first=first.name, second=second.name))
    nm = mirror("-f", file)
    assert exchange(nm.address, b"to all three") == b"to all three"
    for observer in (first, second):
        assert observer.got(1) == [(b"to all three", "fin")]
    nm.stop()


def test_several_proxies_in_one_process(mirror, observers, file):
    watching = observers(3)
    with Server(echo) as one, Server(lambda s, _: s.sendall(recv_all(s).upper())) as other:
        ports = free_port(), free_port()
        file.write_text(
            ONE.format(ports[0], name(one)) + SEEN.format(watching[0].name)
            + ONE.format(ports[1], name(other)) + SEEN.format(watching[1].name) + SEEN.format(watching[2].name)
        )
        nm = mirror("-f", file, listeners=2)
        assert set(nm.listening) == {"127.0.0.1:%d" % port for port in ports}
        assert exchange(("127.0.0.1", ports[0]), b"abc") == b"abc"
        assert exchange(("127.0.0.1", ports[1]), b"abcd") == b"ABCD"
        assert watching[0].got(1) == [(b"abc", "fin")]
        assert watching[1].got(1) == watching[2].got(1) == [(b"abcd", "fin")]
        nm.stop()


def test_several_ports_of_the_kernel(mirror, file):
    """Port 0 may be written more than once; on HUP each keeps its port."""

    def answering(word):
        return Server(lambda sock, _: sock.sendall(word + recv_all(sock)))

    with answering(b"one ") as one, answering(b"two ") as two, answering(b"three ") as three:
        file.write_text(ONE.format(0, name(one)) + ONE.format(0, name(two)))
        nm = mirror("-f", file, listeners=2)
        ports = [int(each.rsplit(":", 1)[1]) for each in nm.listening]
        assert [exchange(("127.0.0.1", port), b"x") for port in ports] == [b"one x", b"two x"]
        file.write_text(ONE.format(0, name(two)) + ONE.format(0, name(three)) + ONE.format(0, name(one)))
        nm.signal(signal.SIGHUP)
        nm.wait_said("is read anew")
        ports.append(int(nm.wait_said(r"listening on (\S+)", 3)[2].rsplit(":", 1)[1]))
        assert [exchange(("127.0.0.1", port), b"x") for port in ports] == [b"two x", b"three x", b"one x"]
        nm.stop()


def test_other_ways_to_write_the_same(mirror, observers, echo_server, file):
    first, second = observers(2)
    file.write_text(
        f"""# comment\r
tcp_clone = []  # nothing yet: refused below, an array that is closed cannot grow
"""
    )
    assert "clone.toml:1" in refused("-f", file) or "clone.toml:2" in refused("-f", file)
    file.write_text(
        f"""
[[ tcp_clone ]] # first
server.listen_addr = '127.0.0.1:0'\t# literal
"target".addr = "{name(echo_server)}"
[[tcp_clone."observer"]]
addr = "\\u0031{first.name[1:]}"
[[tcp_clone.observer]]
addr="{second.name}\""""
    )
    nm = mirror("-f", file)
    assert exchange(nm.address, b"x") == b"x"
    assert first.got(1) == second.got(1) == [(b"x", "fin")]


GOOD = ONE.format(0, "127.0.0.1:9")
BAD = {
    "no table": ("", 1, "there is no [[tcp_clone]]"),
    "unknown table": ("[other]\n" + GOOD, 1, "other: there is no such table"),
    "unknown key": (GOOD + 'adr = "127.0.0.1:1"\n', 6, "adr: there is no such key in target"),
    "unknown part": (GOOD + "[tcp_clone.targets]\n", 6, "targets: there is no such key in tcp_clone"),
    "no target": ('[[tcp_clone]]\n[tcp_clone.server]\nlisten_addr = ":1"\n', 1, "this tcp_clone has no target"),
    "no server": ('# c\n[[tcp_clone]]\n[tcp_clone.target]\naddr = "a:1"\n', 2, "this tcp_clone has no server"),
    "no addr": (GOOD + "[[tcp_clone.observer]]\n", 6, "observer has no addr"),
    "no array": (GOOD.replace("[[", "[").replace("]]", "]"), 1, "tcp_clone is a table, not an array"),
    "observer is a table": (GOOD + '[tcp_clone.observer]\naddr = "a:1"\n', 6, "observer is a table, not an array"),
    "a number": (GOOD.replace('"127.0.0.1:9"', "9"), 5, "addr is an integer, not a string"),
    "no port": (GOOD.replace("127.0.0.1:9", "127.0.0.1"), 5, 'addr "127.0.0.1": no :port'),
    "no host": (GOOD.replace("127.0.0.1:9", ":9"), 5, 'addr ":9": no host'),
    "port 0": (GOOD.replace("127.0.0.1:9", "127.0.0.1:0"), 5, "port 0"),
    "not resolved": (GOOD.replace("127.0.0.1:9", "no-such-host.invalid:9"), 5, "no-such-host.invalid:9"),
    "twice": (GOOD.replace(":0", ":1") * 2, 8, "is that of line 3 too"),
    "open string": (GOOD.replace(':9"', ":9"), 5, "a string is not ended on its line"),
    "no value": (GOOD + "x =\n", 6, "a value is missing"),
    "no equals": (GOOD + "x 5\n", 6, "= is missing"),
    "no bracket": (GOOD + "[[tcp_clone.observer]\n", 6, "]] is missing"),
    "rubbish behind": (GOOD + "x = 1 2\n", 6, "something follows"),
    "a key twice": (GOOD + 'addr = "b:1"\n', 6, "this key is there already"),
    "a float": (GOOD + "x = 1.5\n", 6, "no string in quotes, whole number"),
    "an inline table": (GOOD + "x = {a = 1}\n", 6, "tables in one line"),
    "many lines": (GOOD + 'x = """a\n"""\n', 6, "strings of several lines"),
    "a bad escape": (GOOD + 'x = "\\q"\n', 6, "a backslash"),
    "a control character": (GOOD + 'x = "\x01"\n', 6, "a control character"),
    "deep": (GOOD + "x = " + "[" * 100 + "\n", 6, "too many arrays"),
    "no comma": (GOOD + "x = [1 2]\n", 6, "a comma or ] is missing"),
}


@pytest.mark.parametrize("text, line, what", BAD.values(), ids=BAD)
def test_errors_name_the_line(file, text, line, what):
    file.write_text(text)
    said = refused("-f", file)
    assert f"{file}:{line}: " in said and what in said, said


def test_files_that_cannot_be_read(file, folder):
    assert "No such file" in refused("-f", file)
    assert "Is a directory" in refused("-f", folder)
    file.write_bytes(b"\xff\xfe\x00" * 100)
    assert f"{file}:1: " in refused("-f", file)


def test_hup_changes_what_comes_and_not_what_is_there(mirror, observers, file):
    before, after = observers(2)
    with Server(echo) as one, Server(lambda s, _: s.sendall(recv_all(s).upper())) as other:
        ports = free_port(), free_port()
        file.write_text(ONE.format(ports[0], name(one)) + SEEN.format(before.name))
        nm = mirror("-f", file)
        with connect(nm.address) as open_one:
            open_one.sendall(b"old")
            assert recv_exactly(open_one, 3) == b"old"
            file.write_text(ONE.format(ports[0], name(other)) + SEEN.format(after.name) + ONE.format(ports[1], name(one)))
            nm.signal(signal.SIGHUP)
            nm.wait_said("is read anew")
            assert nm.wait_said(r"listening on (\S+)", 2)[1] == "127.0.0.1:%d" % ports[1]
            assert exchange(nm.address, b"new") == b"NEW"
            assert exchange(("127.0.0.1", ports[1]), b"more") == b"more"
            open_one.sendall(b" still old")
            assert recv_exactly(open_one, 10) == b" still old"
        assert before.got(1) == [(b"old still old", "fin")]
        assert after.got(1) == [(b"new", "fin")]
        # and away again with the second, whose port is free then
        file.write_text(ONE.format(ports[0], name(one)))
        nm.signal(signal.SIGHUP)
        nm.wait_said("is read anew", 2)
        with pytest.raises(ConnectionRefusedError):
            connect(("127.0.0.1", ports[1]))
        assert exchange(nm.address, b"x") == b"x"
        nm.stop()


@pytest.mark.parametrize("bad", ["[[tcp_clone]\n", "taken", "gone"])
def test_hup_with_a_bad_file_changes_nothing(mirror, observers, echo_server, file, bad):
    (observer,) = observers(1)
    good = ONE.format(0, name(echo_server)) + SEEN.format(observer.name)
    file.write_text(good)
    nm = mirror("-f", file)
    with connect(nm.address) as client:
        if bad == "taken":  # a second proxy at a port that somebody listens on
            file.write_text(ONE.format(echo_server.address[1], name(echo_server)) + good)
        elif bad == "gone":
            file.unlink()
        else:
            file.write_text(bad)
        nm.signal(signal.SIGHUP)
        nm.wait_said("the configuration stays as it was")
        client.sendall(b"1")
        assert recv_exactly(client, 1) == b"1"
    assert exchange(nm.address, b"2") == b"2"
    assert observer.got(2) == [(b"1", "fin"), (b"2", "fin")]
    file.write_text(good)
    nm.signal(signal.SIGHUP)
    nm.wait_said("is read anew")
    assert exchange(nm.address, b"3") == b"3"
    nm.stop()


def test_hup_under_traffic(mirror, observers, echo_server, file):
    """Many times in a row, while connections come and go: each is mirrored to whom the file named, whole."""
    watching = observers(2)
    texts = [ONE.format(0, name(echo_server)) + SEEN.format(observer.name) for observer in watching]
    file.write_text(texts[0])
    nm = mirror("-f", file)
    for number in range(60):
        with connect(nm.address) as client:
            client.sendall(b"%d" % number)
            file.write_text(texts[number % 2])
            nm.signal(signal.SIGHUP)
            assert recv_exactly(client, len(b"%d" % number)) == b"%d" % number
    nm.stop()
    wait_until(lambda: sum(len(observer.results) for observer in watching) == 60, "the observers have seen all ends")
    assert sorted(int(data) for observer in watching for data, how in observer.results if how == "fin") == list(range(60))
