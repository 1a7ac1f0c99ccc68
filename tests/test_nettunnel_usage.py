"""nettunnel: options, secrets, tokens, several providers, limits, signals, metrics."""
import signal
import socket
import time

import pytest

from harness.peers import Server, connect, echo, exchange, hold, recv_all, recv_exactly, recv_until_end
from harness.proc import BIN, run, wait_until


def nettunnel(*argv, **options):
    return run(BIN / "nettunnel", *argv, check=False, **options)


def quiet_echo(sock, _number):
    try:
        return echo(sock)
    except OSError:
        return None


@pytest.mark.parametrize(
    "argv, message",
    [
        ([], "server or provider is needed"),
        (["middle"], "neither server nor provider"),
        (["server"], "--key is needed"),
        (["server", "--key"], "option needs a value"),
        (["server", "--key", "{key}", "more"], "too many operands"),
        (["server", "--key", "{key}", "--name", "x"], "--name is an option of nettunnel provider"),
        (["provider", "--key", "{key}", "--listen", ":1", "h:1", "h:2"], "--listen is an option of nettunnel server"),
        (["provider", "--key", "{key}", "127.0.0.1:1"], "server and target are needed"),
        (["provider", "--key", "{key}", "127.0.0.1:0", "127.0.0.1:1"], "port 0 is no server's"),
        (["provider", "--key", "{key}", "127.0.0.1", "127.0.0.1:1"], "needed"),
        (["server", "--key", "{key}", "--hold", "soon"], "--hold: soon is not a time"),
        (["server", "--key", "{key}", "--hold", "0.0001"], "--hold: 0.0001 is too short"),
        (["server", "--key", "{key}", "--max-connections", "0"], "--max-connections: 0 is too small"),
        (["server", "--key", "{key}", "--listen", "nowhere"], "cannot listen"),
        (["server", "--key", "{key}", "--nonsense"], "unknown option"),
        (["provider", "--key", "{key}", "--name", "", "h:1", "h:2"], "--name: 1 to 64 bytes"),
    ],
)
def test_wrong_usage_is_told_in_one_line(folder, argv, message):
    key = folder / "key"
    key.write_text("secret, and long enough\n")
    key.chmod(0o600)
    done = nettunnel(*(word.replace("{key}", str(key)) for word in argv))
    assert done.returncode == 2
    assert done.stderr.startswith(b"nettunnel: ") and done.stderr.count(b"\n") == 1
    assert message in done.stderr.decode()


def test_help_and_version():
    assert nettunnel("--help").stdout.startswith(b"usage: nettunnel server")
    assert nettunnel("-h").returncode == 0
    assert nettunnel("server", "-V").stdout.startswith(b"nettunnel ")


@pytest.mark.parametrize("option", ["--key", "--client-auth"])
@pytest.mark.parametrize(
    "mode, text, message",
    [
        (0o640, "secret\n", "can be accessed by others"),
        (0o604, "secret\n", "can be accessed by others"),
        (0o600, "", "empty|no token"),
        (0o600, "x" * 70000, "too large"),
        (None, "", "No such file"),
    ],
)
def test_secrets_must_be_secret(folder, option, mode, text, message):
    good, bad = folder / "good", folder / "bad"
    good.write_text("secret\n")
    good.chmod(0o600)
    if mode:
        bad.write_text(text)
        bad.chmod(mode)
    secrets = ["--key", bad] if option == "--key" else ["--key", good, option, bad]
    done = nettunnel("server", "--listen", "127.0.0.1:0", "--provider", "127.0.0.1:0", *secrets)
    assert done.returncode == 2
    assert option in done.stderr.decode() and any(part in done.stderr.decode() for part in message.split("|"))


def test_addresses_as_two_operands_and_unix_sockets(tunnel, folder):
    with Server(echo) as target:
        end = tunnel.start("server", "--listen", f"unix:{folder}/front", "--provider", f"unix:{folder}/door", "--key", tunnel.key)
        end.wait_said("for providers")
        provider = tunnel.start("provider", f"unix:{folder}/door", *map(str, target.address), "--key", tunnel.key)
        provider.wait_said("linked to the server")
        assert exchange(str(folder / "front"), b"hello") == b"hello"


def test_several_providers_share_the_clients(tunnel):
    def named(name):
        def serve(sock, _number):
            sock.sendall(name)
            return hold(sock)

        return serve

    with Server(named(b"1")) as one, Server(named(b"2")) as two, Server(named(b"3")) as three:
        tunnel.server()
        for target in (one, two, three):
            tunnel.provider(target.address)
        clients = [connect(tunnel.address) for _ in range(30)]
        answers = [recv_exactly(client, 1) for client in clients]
        assert {name: answers.count(name) for name in answers} == {b"1": 10, b"2": 10, b"3": 10}
        for client in clients:
            client.close()


def test_provider_that_leaves_does_not_disturb_the_clients_of_another(tunnel):
    with Server(quiet_echo) as one, Server(quiet_echo) as two:
        tunnel.server()
        first = tunnel.provider(one.address)
        tunnel.provider(two.address)
        clients = [connect(tunnel.address) for _ in range(4)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            assert recv_exactly(client, 1) == b"%d" % number
        first.stop(signal.SIGINT)
        ends = []
        for client in clients:
            try:
                client.sendall(b"x")
                ends.append(client.recv(1) or b"end")
            except OSError:
                ends.append(b"reset")
        assert sorted(ends) == [b"reset", b"reset", b"x", b"x"]
        assert exchange(tunnel.address, b"new") == b"new"
        for client in clients:
            client.close()


def test_client_of_whom_nothing_has_passed_moves_to_a_provider_that_comes(tunnel):
    with Server(quiet_echo) as one, Server(quiet_echo) as two:
        server = tunnel.server()
        forwarder = tunnel.forwarder()
        first = tunnel.provider(one.address, via=("127.0.0.1", forwarder.port))
        with connect(tunnel.address) as silent, connect(tunnel.address) as busy:
            busy.sendall(b"1")
            assert recv_exactly(busy, 1) == b"1"
            forwarder.cut()
            server.wait_said("link to provider .* lost")
            tunnel.provider(two.address)
            silent.sendall(b"2")
            assert recv_exactly(silent, 1) == b"2"
            forwarder.mend()
            first.wait_said("linked again")
            busy.sendall(b"3")
            assert recv_exactly(busy, 1) == b"3"
        wait_until(lambda: one.results, "the first target's connection of the silent one has ended too")


def test_max_connections_leaves_others_in_the_backlog(tunnel):
    with Server(echo) as target:
        server = tunnel.server("--max-connections", "2")
        tunnel.provider(target.address)
        one, two, three = (connect(tunnel.address) for _ in range(3))
        three.sendall(b"wait")
        server.wait_metric("connections open now", 2)
        three.settimeout(0.3)
        with pytest.raises(TimeoutError):
            three.recv(1)
        one.close()
        three.settimeout(30)
        assert recv_exactly(three, 4) == b"wait"
        two.close()
        three.close()


HTTP = "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n"


@pytest.fixture
def gated(tunnel):
    tokens = tunnel.secret("tokens", "# two of them\nfirst-token\n\n  second token  \n")
    with Server(quiet_echo) as target:
        tunnel.server("--client-auth", tokens)
        tunnel.provider(target.address)
        yield tunnel


@pytest.mark.parametrize(
    "header",
    ["X-Nettunnel-Auth: first-token\r\n", "x-nettunnel-auth:second token \r\n", "Cookie: a\r\nX-NETTUNNEL-AUTH:   first-token\r\n"],
)
def test_http_client_with_a_token_is_served(gated, header):
    request = HTTP.format(header).encode() + b"\0 the rest is not looked at"
    assert exchange(gated.address, request) == request
    with connect(gated.address) as slow:
        for at in range(len(request)):
            slow.sendall(request[at : at + 1])
        assert recv_exactly(slow, len(request)) == request


@pytest.mark.parametrize(
    "request_text",
    [
        HTTP.format(""),
        HTTP.format("X-Nettunnel-Auth: third-token\r\n"),
        HTTP.format("X-Nettunnel-Auth: first-toke\r\n"),
        HTTP.format("X-Nettunnel-Auth: first-token\r\nX-Nettunnel-Auth: second token\r\n"),
        HTTP.format("X-Nettunnel-Auth2: first-token\r\n"),
        HTTP.format("A: b\r\n\r\nX-Nettunnel-Auth: first-token\r\n"),
        "X-Nettunnel-Auth: first-token\r\n\r\n",
        "SSH-2.0-client\r\nX-Nettunnel-Auth: first-token\r\n\r\n",
        "\x16\x03\x01",
        HTTP.format("A: " + "b" * 20000 + "\r\n"),
    ],
)
def test_client_without_a_token_is_sent_away(gated, request_text):
    with connect(gated.address) as client:
        client.sendall(request_text.encode("latin-1"))
        answer, _ = recv_until_end(client)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 401 ")
        assert "A: bbb" in request_text or answer
    gated.server_process.wait_metric("clients without a valid token", 1)
    gated.server_process.wait_metric("connections open now", 0)
    assert gated.ends[1].metrics()["client connections accepted"] == 0


def test_hup_reads_secrets_again_and_keeps_the_old_if_they_are_bad(gated):
    tokens = gated.folder / "tokens"
    request = HTTP.format("X-Nettunnel-Auth: newest\r\n").encode()
    tokens.write_text("newest\n")
    gated.server_process.signal(signal.SIGHUP)
    gated.server_process.wait_said("secrets were read again")
    assert exchange(gated.address, request) == request
    tokens.chmod(0o644)
    tokens.write_text("other\n")
    gated.server_process.signal(signal.SIGHUP)
    gated.server_process.wait_said("can be accessed by others")
    assert exchange(gated.address, request) == request


@pytest.mark.core
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("who", ["server", "provider"])
def test_term_and_quit_wait_for_the_last_connection(tunnel, who, number):
    with Server(echo) as target:
        server = tunnel.server()
        provider = tunnel.provider(target.address)
        end = server if who == "server" else provider
        with connect(tunnel.address) as client:
            client.sendall(b"before")
            assert recv_exactly(client, 6) == b"before"
            end.signal(number)
            end.wait_said("waiting for 1 connections to end")
            if who == "server":
                with pytest.raises(ConnectionRefusedError):
                    connect(tunnel.address)
            else:
                server.wait_said("takes no more clients")
            client.sendall(b"x" * 100_000)
            client.shutdown(socket.SHUT_WR)
            assert recv_all(client) == b"x" * 100_000
        assert end.wait() == 0


@pytest.mark.parametrize("who", ["server", "provider"])
def test_term_ends_all_after_the_grace_time(tunnel, who):
    with Server(quiet_echo) as target:
        server = tunnel.server("--grace", "200ms")
        provider = tunnel.provider(target.address, "--grace", "200ms")
        end = server if who == "server" else provider
        with connect(tunnel.address) as client:
            client.sendall(b"before")
            assert recv_exactly(client, 6) == b"before"
            end.stop(signal.SIGTERM)
            assert "grace time is over: 1 connections are ended" in end.stderr
            assert recv_until_end(client) == (b"", "reset")


def test_metrics_file_and_usr1(tunnel, folder):
    with Server(echo) as target:
        server = tunnel.server("--metrics", folder / "metrics")
        tunnel.provider(target.address)
        assert exchange(tunnel.address, b"12345") == b"12345"
        server.wait_metric("connections open now", 0)
        server.stop()
        text = (folder / "metrics").read_text()
        for line in ("nettunnel_connections_total 1", "nettunnel_client_bytes_total 5", "nettunnel_server_bytes_total 5"):
            assert f"\n{line}\n" in text
        assert "# TYPE nettunnel_links_open gauge" in text and "recorded_bytes" not in text


def test_restarted_server_binds_at_once(tunnel):
    with Server(echo) as target:
        server = tunnel.server()
        tunnel.provider(target.address)
        address, door = tunnel.address, tunnel.door
        assert exchange(address, b"1") == b"1"
        server.stop()
        tunnel.server(listen=f"127.0.0.1:{address[1]}", door=f"127.0.0.1:{door[1]}")
        assert exchange(address, b"2") == b"2"


def test_verbose_tells_clients_and_quiet_says_nothing(tunnel):
    with Server(echo) as target:
        server = tunnel.server("-v")
        provider = tunnel.provider(target.address, "-v")
        with connect(tunnel.address) as client:
            name = "%s:%d" % client.getsockname()
            server.wait_said(f"client {name} is served by")
            provider.wait_said(f"client {name}")
        quiet = nettunnel("provider", "-q", "--key", tunnel.folder / "nothing", "127.0.0.1:1", "127.0.0.1:2")
        assert quiet.returncode == 2 and b"No such file" in quiet.stderr


def test_idle_clients_cost_little(tunnel):
    with Server(hold) as target:
        server = tunnel.server()
        provider = tunnel.provider(target.address)
        before = server.memory(), provider.memory()
        clients = [connect(tunnel.address) for _ in range(1000)]
        provider.wait_metric("connections open now", 1000)
        wait_until(lambda: target.accepted == 1000, "all are there")
        assert (server.memory() - before[0]) / 1000 < 4096
        assert (provider.memory() - before[1]) / 1000 < 4096
        cpu = server.cpu_seconds()
        time.sleep(0.5)
        assert server.cpu_seconds() - cpu < 0.1
        for client in clients:
            client.close()
        provider.wait_metric("connections open now", 0)
