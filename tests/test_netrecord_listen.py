"""Where netrecord listens, whom it connects to, and as which user."""
import os
import pwd
import re
import socket
import subprocess

import pytest

from harness import logs
from harness.netns import join
from harness.peers import Server, connect, echo, exchange, hold, recv_exactly, recv_until_end
from harness.proc import LISTENING, BIN, Netrecord, wait_until
from harness.services import free_port


@pytest.fixture
def echo_server():
    with Server(echo) as server:
        yield server


def works(address, text=b"does it work"):
    return exchange(address, text) == text


def test_port_0_is_announced_for_all_addresses(netrecord, echo_server):
    nr = netrecord(echo_server.address)
    assert works(("127.0.0.1", nr.port)) and works(("::1", nr.port))
    assert set(nr.said(LISTENING)) <= {f"0.0.0.0:{nr.port}", f"[::]:{nr.port}"}


def test_given_port(netrecord, echo_server):
    port = free_port()
    nr = netrecord(echo_server.address, listen=str(port))
    assert nr.port == port
    assert works(("127.0.0.1", port))


@pytest.mark.parametrize("option, host, other", [("-4", "127.0.0.1", "::1"), ("-6", "::1", "127.0.0.1")])
def test_one_family(netrecord, option, host, other):
    with Server(echo, host=host, family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        nr = netrecord(server.address, option)
        assert works((host, nr.port))
        with pytest.raises(ConnectionRefusedError):
            connect((other, nr.port))


def test_bind_one_and_several_addresses(netrecord, echo_server):
    nr = netrecord(echo_server.address, "-b", "127.0.0.2")
    assert nr.listening == [f"127.0.0.2:{nr.port}"]
    assert works(("127.0.0.2", nr.port))
    with pytest.raises(ConnectionRefusedError):
        connect(("127.0.0.1", nr.port))
    nr = netrecord(echo_server.address, "-b", "127.0.0.2", "--bind", "127.0.0.3", "-b", "::1", listeners=3)
    ports = dict(address.rsplit(":", 1) for address in nr.listening)
    assert list(ports) == ["127.0.0.2", "127.0.0.3", "[::1]"]
    for host in ("127.0.0.2", "127.0.0.3", "::1"):
        assert works((host, int(ports[f"[{host}]" if ":" in host else host])))


def test_ipv6_server_and_client(netrecord, logroot):
    with Server(echo, host="::1", family=socket.AF_INET6) as server:
        for target in (("::1", server.address[1]), "[::1]:{}".format(server.address[1])):
            nr = netrecord(target, "-b", "::1")
            assert works(("::1", nr.port))
            nr.stop()
    for event in logs.closed(logroot).values():
        assert re.fullmatch(r"\[::1\]:\d+", event["client"])
        assert event["server"] == "[::1]:{}".format(server.address[1])


@pytest.mark.core
def test_unix_server(netrecord, logroot, folder):
    with Server(echo, family=socket.AF_UNIX, path=folder / "socket") as _:
        nr = netrecord(f"unix:{folder}/socket")
        assert works(nr.address)
        nr.stop()
    (event,) = logs.closed(logroot).values()
    assert event["server"] == f"unix:{folder}/socket"
    assert logs.load(logroot, 1).ends() == ["c hup", "s hup"]


@pytest.mark.parametrize("form", ["two operands", "host:port", "localhost"])
def test_forms_of_the_server(netrecord, echo_server, form):
    port = echo_server.address[1]
    target = {"two operands": ("127.0.0.1", port), "host:port": f"127.0.0.1:{port}", "localhost": ("localhost", port)}
    nr = netrecord(target[form])
    assert works(nr.address)


def test_name_with_several_addresses_tries_them_all(netrecord, echo_server):
    """localhost may be ::1 first; the server listens on 127.0.0.1 only."""
    nr = netrecord("localhost:{}".format(echo_server.address[1]))
    for _ in range(5):
        assert works(nr.address)


def test_options_may_follow_operands(logroot, folder):
    with Server(echo) as server:
        child = subprocess.Popen(
            [BIN / "netrecord", "127.0.0.1", str(server.address[1]), "0", "-b", "127.0.0.1", logroot, "--no-index"],
            stderr=subprocess.PIPE,
        )
        try:
            line = child.stderr.readline().decode()
            port = int(re.search(LISTENING, line)[1].rsplit(":", 1)[1])
            assert works(("127.0.0.1", port))
            child.terminate()
            assert child.wait(30) == 0
        finally:
            child.kill()
            child.wait()
            child.stderr.close()
    assert [path.name for path in folder.iterdir()] == ["log_1"]


def test_sockets_of_systemd_are_used(folder, logroot, echo_server):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        shell = f'export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@" 3<&{one.fileno()} 4<&{two.fileno()}'
        with Netrecord(
            echo_server.address,
            logroot,
            wrap=["bash", "-c", shell, "bash"],
            listeners=2,
            pass_fds=[one.fileno(), two.fileno()],
        ) as nr:
            ports = {sock.getsockname()[1] for sock in (one, two)}
            assert {int(address.rsplit(":", 1)[1]) for address in nr.listening} == ports
            assert works(one.getsockname()) and works(two.getsockname())
            assert len(nr.said(LISTENING)) == 2, "it bound a socket of its own as well"
            nr.stop()
    assert len(logs.load_all(logroot)) == 2


def test_sockets_meant_for_another_process_are_left_alone(netrecord, echo_server):
    nr = netrecord(echo_server.address, env={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert works(nr.address)


def test_privileges_are_dropped_after_binding(netrecord, root, echo_server, folder):
    nobody = pwd.getpwnam("nobody")
    place = folder / "owned"
    place.mkdir(mode=0o700)
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    port = next(port for port in range(700, 1000) if not_in_use(port))
    nr = netrecord(echo_server.address, "-u", "nobody", root=place / "log", listen=str(port))
    assert works(nr.address)
    assert [int(uid) for uid in nr.status("Uid")] == [nobody.pw_uid] * 4
    assert [int(gid) for gid in nr.status("Gid")] == [nobody.pw_gid] * 4
    assert set(map(int, nr.status("Groups"))) <= {nobody.pw_gid}
    assert int(nr.status("CapEff")[0], 16) == 0
    nr.stop()
    assert {path.stat().st_uid for path in place.iterdir()} == {nobody.pw_uid}
    assert len(list(place.iterdir())) == 2


def not_in_use(port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("0.0.0.0", port))
            return True
        except OSError:
            return False


@pytest.mark.core
def test_max_connections_leaves_the_others_in_the_backlog(netrecord, logroot):
    with Server(hold) as server:
        nr = netrecord(server.address, "-m", "2")
        socks = [connect(nr.address) for _ in range(5)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%d" % number)
        for count in range(2, 6):
            wait_until(lambda: server.accepted >= count, f"{count} connections were served")
            assert len(logs.index(logroot)) - len(logs.closed(logroot)) <= count
            assert open_now(logroot) <= 2
            socks.pop(0).close()
        for sock in socks:
            sock.close()
        server.wait_results(5)
        nr.stop()
    assert [log.bytes("c") for log in logs.load_all(logroot).values()] == [b"0", b"1", b"2", b"3", b"4"]


def open_now(logroot):
    return sum(1 if event["event"] == "open" else -1 for event in logs.index(logroot))


@pytest.mark.core
def test_second_start_binds_at_once(netrecord, logroot):
    """The port's old connections may be in TIME_WAIT, and some may still be held by clients."""
    port = free_port()
    with Server(echo) as server:
        for _ in range(3):
            nr = netrecord(server.address, listen=str(port))
            for _ in range(5):
                assert works(nr.address)
            held = connect(nr.address)
            held.sendall(b"x")
            assert recv_exactly(held, 1) == b"x"
            nr.stop(2)
            recv_until_end(held)
            held.close()
    assert len(logs.load_all(logroot)) == 18


def test_keepalive_where_the_other_end_can_vanish(netrecord, hosts):
    """From and to other hosts; not within the machine, where nothing vanishes without a word."""
    near, far = hosts(2)
    join(near, far, network=12)
    children = [far.popen("nc", "-lk", "10.77.12.2", "7000", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)]
    try:
        nr = netrecord(("10.77.12.2", 7000), wrap=near.wrap)
        for host, address in ((far, "10.77.12.1"), (near, "127.0.0.1")):
            children.append(host.popen("nc", address, nr.port, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))

        def established():
            return near.run("ss", "-Htno", "state", "established").stdout.decode().splitlines()

        wait_until(lambda: len(established()) == 5, "both clients, one of them here, and their servers' connections")
        assert [line for line in established() if ("keepalive" in line) == ("127.0.0.1" in line)] == []
    finally:
        for child in children:
            child.kill()
            child.wait()
