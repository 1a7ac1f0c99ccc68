"""nettunnel: whoever does not know the key, or breaks the protocol, is refused, counted, and disturbs nobody."""
import os
import random
import socket
import time

import pytest

from harness.peers import Server, connect, echo, exchange, recv_exactly, recv_until_end
from harness.proc import wait_until
from harness.tunnel_peer import ACK, BYE, DATA, DRAIN, END, GRANTED, OPEN, PING, RESET, RESUME, UNKNOWN, WINDOW, Listener, Peer, frame

KEY = b"correct horse battery staple"
UNAUTHENTICATED = "connections that did not prove to know the key"
VIOLATIONS = "links ended since their peer broke the protocol"


@pytest.fixture
def served(tunnel):
    """A server with an honest provider, and a client in the middle of a conversation."""
    with Server(echo) as target:
        server = tunnel.server()
        tunnel.provider(target.address)
        with connect(tunnel.address) as client:
            client.sendall(b"first")
            assert recv_exactly(client, 5) == b"first"
            yield server
            client.sendall(b"last")
            assert recv_exactly(client, 4) == b"last"
        assert exchange(tunnel.address, b"another") == b"another"


@pytest.mark.core
def test_python_provider_is_served(tunnel):
    """The document says enough to write another provider."""
    server = tunnel.server()
    with Peer(tunnel.door, KEY) as peer:
        assert peer.link() == (GRANTED, 0)
        with connect(tunnel.address) as client:
            assert peer.read()[:2] == (OPEN, 1)
            client.sendall(b"hello")
            assert peer.read() == (DATA, 1, b"hello")
            peer.send(DATA, 1, b"you too")
            assert recv_exactly(client, 7) == b"you too"
            client.shutdown(socket.SHUT_WR)
            assert peer.read() == (END, 1, b"")
            peer.send(END, 1)
            assert recv_until_end(client) == (b"", "fin")
        with connect(tunnel.address) as client:
            assert peer.read()[:2] == (OPEN, 2)
            peer.send(RESET, 2, b"\1")
            assert recv_until_end(client) == (b"", "reset")
        peer.send(BYE)
        server.wait_said("provider python: it has ended")


def test_frames_are_sent_again_from_where_the_provider_is(tunnel):
    tunnel.server()
    first = Peer(tunnel.door, KEY)
    first.link()
    with connect(tunnel.address) as client:
        client.sendall(b"a")
        assert first.read()[0] == OPEN
        assert first.read() == (DATA, 1, b"a")
        # the second frame was got, but is claimed not to be
        first.sock.close()
        with Peer(tunnel.door, KEY) as again:
            again.received = 1
            assert again.link(RESUME, session=first.session) == (GRANTED, 0)
            assert again.read() == (DATA, 1, b"a")
            again.send(DATA, 1, b"b")
            assert recv_exactly(client, 1) == b"b"
            # cut in the middle of a frame, which is then sent again as a whole
            again.sock.sendall(frame(DATA, 1, b"cdefgh")[:15])
            again.sock.close()
            with Peer(tunnel.door, KEY) as third:
                third.received = again.received
                assert third.link(RESUME, session=first.session) == (GRANTED, 1)
                third.send(DATA, 1, b"cdefgh")
                assert recv_exactly(client, 6) == b"cdefgh"


@pytest.mark.parametrize("port", ["door", "clients"])
def test_random_bytes_on_either_port(served, tunnel, port):
    chance = random.Random(7)
    socks = [connect(tunnel.door if port == "door" else tunnel.address) for _ in range(8)]
    for sock, size in zip(socks, (1, 7, 8, 40, 41, 161, 5000, 100_000)):
        try:
            sock.sendall(chance.randbytes(size))
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # it was closed at once
            assert port == "door"
    for sock in socks:
        got, _ = recv_until_end(sock)
        assert port == "clients" or got == b""
        sock.close()
    if port == "door":
        served.wait_metric(UNAUTHENTICATED, 8)


def test_wrong_key_is_refused_on_both_ends(served, tunnel):
    with Peer(tunnel.door, b"another key") as peer:
        peer.greet()
        peer.sock.sendall(peer.claims())
        assert peer.closed() == b""  # not a word about the session
    other = tunnel.secret("other", "another key\n")
    provider = tunnel.provider(("127.0.0.1", 1), key=other, linked=False)
    provider.wait_said("trying again")
    assert served.metrics()[UNAUTHENTICATED] >= 2
    served.wait_said("refused as a provider: 127.0.0.1:[0-9]+ does not have our key")
    assert not provider.said("linked")


def test_server_without_the_key_is_not_believed(tunnel):
    with Listener(KEY) as listener:
        tunnel.door = listener.address
        provider = tunnel.provider(("127.0.0.1", 1), linked=False)
        sock = listener.accept()
        recv_exactly(sock, 40)
        sock.sendall(b"nettunl\x01" + os.urandom(32))
        recv_exactly(sock, 121)
        sock.sendall(b"\1" + bytes(8) + os.urandom(32))
        assert recv_until_end(sock)[0] == b""
        provider.wait_said("does not have our key; trying again")


def test_replayed_handshake_is_refused(served, tunnel):
    with Peer(tunnel.door, KEY) as peer:
        peer.greet()
        claim = peer.claims()
        peer.sock.sendall(claim)
        assert recv_exactly(peer.sock, 41)[0] == GRANTED
        for session in (claim, claim[:16] + bytes([RESUME]) + claim[17:]):
            with Peer(tunnel.door, KEY) as thief:
                thief.nonce = peer.nonce
                thief.greet()
                thief.sock.sendall(session)
                assert thief.closed() == b""
        peer.send(BYE)
    assert served.metrics()[UNAUTHENTICATED] == 2


def test_reflected_handshake_is_refused(served, tunnel):
    """What the server says to one cannot be used by another, nor its hello given back to it."""
    with Peer(tunnel.door, KEY) as peer:
        peer.nonce = os.urandom(32)
        peer.greet()
        with Peer(tunnel.door, KEY) as mirror:
            mirror.nonce = peer.theirs
            mirror.greet()
            peer.sock.sendall(mirror.claims())
            served.wait_metric(UNAUTHENTICATED, 1)


def test_claim_is_bound_to_session_offset_and_name(served, tunnel):
    peers = [Peer(tunnel.door, KEY) for _ in range(6)]
    for peer, at in zip(peers, (0, 16, 24, 25, 88, 100)):
        peer.greet()
        claim = bytearray(peer.claims())
        claim[at] ^= 1
        peer.sock.sendall(claim)
    for peer in peers:
        assert peer.closed() == b""
        peer.sock.close()
    assert served.metrics()[UNAUTHENTICATED] == 6


def test_unknown_session_and_impossible_offset(served, tunnel):
    with Peer(tunnel.door, KEY) as peer:
        assert peer.link(RESUME)[0] == UNKNOWN
        assert peer.closed() == b""
    with Peer(tunnel.door, KEY) as peer:
        assert peer.link()[0] == GRANTED
    with Peer(tunnel.door, KEY) as again:
        again.received = 10
        assert again.link(RESUME, session=peer.session)[0] == GRANTED
        again.closed()
    served.wait_metric(VIOLATIONS, 1)


def test_other_version_is_told_apart(served, tunnel):
    with connect(tunnel.door) as sock:
        sock.sendall(b"nettunl\x02" + os.urandom(32))
        served.wait_said("speaks another version of the tunnel protocol")


WRONG = {
    "data of a stream that was never opened": frame(DATA, 77, b"x"),
    "reset of a stream that was never opened": frame(RESET, 1 << 63, b"\1"),
    "window of a stream that was never opened": frame(WINDOW, 5, b"\0\0\1\0"),
    "an open from the provider": frame(OPEN, 1, b"x"),
    "an acknowledgement of what was never sent": frame(ACK, 0, b"\0" * 7 + b"\5"),
    "an unknown type": frame(11),
    "type 0": frame(0),
    "too large": bytes([DATA]) + b"\xff\xff\xff" + bytes(8) + b"x" * 20000,
    "data without a stream": frame(DATA, 0, b"x"),
    "a ping with a stream": frame(PING, 1, bytes(8)),
    "empty data": frame(DATA, 1),
    "a short window": frame(WINDOW, 1, b"\1"),
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda name: name.replace(" ", "-"))
def test_frames_that_break_the_protocol_end_their_link_only(served, tunnel, wrong):
    with Peer(tunnel.door, KEY) as peer:
        assert peer.link()[0] == GRANTED
        peer.sock.sendall(WRONG[wrong])
        peer.closed()
        served.wait_metric(VIOLATIONS, 1)
        assert served.metrics()["links that are up"] == 1


@pytest.mark.core
@pytest.mark.parametrize("wrong", ["window", "behind the end", "twice ended", "too far"])
def test_streams_that_are_abused_end_their_link(tunnel, wrong):
    server = tunnel.server()
    with Peer(tunnel.door, KEY) as peer:
        peer.link()
        with connect(tunnel.address, rcvbuf=4096) as client:
            client.sendall(b"x")
            assert peer.read()[0] == OPEN
            try:
                if wrong == "window":
                    for _ in range(3000):  # nobody reads: far more than any window
                        peer.send(DATA, 1, bytes(16000))
                elif wrong == "behind the end":
                    peer.sock.sendall(frame(END, 1) + frame(DATA, 1, b"x"))
                elif wrong == "twice ended":
                    peer.sock.sendall(frame(END, 1) + frame(END, 1))
                else:
                    peer.send(WINDOW, 1, b"\xff\xff\xff\xff")
            except OSError:
                pass
            peer.closed()
            server.wait_metric(VIOLATIONS, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            ended = wrong in ("behind the end", "twice ended")  # which came first, and is no violation
            assert recv_until_end(client)[1] == ("fin" if ended else "reset")


def test_frames_of_streams_that_have_ended_are_ignored(tunnel):
    tunnel.server()
    with Peer(tunnel.door, KEY) as peer:
        peer.link()
        with connect(tunnel.address) as client:
            assert peer.read()[:2] == (OPEN, 1)
            peer.send(RESET, 1, b"\1")
            assert recv_until_end(client)[1] == "reset"
        with connect(tunnel.address) as client:
            assert peer.read()[:2] == (OPEN, 2)
            peer.sock.sendall(frame(DATA, 1, b"old") + frame(WINDOW, 1, b"\0\0\1\0") + frame(END, 1) + frame(DATA, 2, b"new"))
            assert recv_exactly(client, 3) == b"new"


@pytest.mark.core
def test_frames_cut_anywhere(tunnel):
    """Frames that come byte by byte are the same frames."""
    server = tunnel.server()
    with Peer(tunnel.door, KEY) as peer:
        peer.link()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connect(tunnel.address) as client:
            assert peer.read()[0] == OPEN
            stream = frame(PING, 0, b"12345678") + frame(DATA, 1, b"a" * 30) + frame(WINDOW, 1, b"\0\0\1\0") + frame(DATA, 1, b"b")
            for at in range(len(stream)):
                peer.sock.sendall(stream[at : at + 1])
                time.sleep(0.001)
            assert recv_exactly(client, 31) == b"a" * 30 + b"b"
    assert server.metrics()[VIOLATIONS] == 0


def test_provider_is_not_misled_by_its_server(tunnel):
    """The other end of the link checks as much."""
    with Listener(KEY) as listener, Server(echo_until_reset) as target:
        tunnel.door = listener.address
        provider = tunnel.provider(target.address, linked=False)
        for number, wrong in enumerate((frame(DATA, 9, b"x"), frame(OPEN, 5) + frame(OPEN, 5), frame(DRAIN), os.urandom(3000))):
            with accept_provider(listener) as sock:
                sock.sendall(wrong)
                recv_until_end(sock)
            provider.wait_metric(VIOLATIONS, number + 1)
        with accept_provider(listener) as sock:
            sock.sendall(frame(OPEN, 1, b"client\x1b[31m") + frame(DATA, 1, b"still well"))
            wait_until(lambda: b"still well" in sock.recv(1000), "it is served")


def echo_until_reset(sock, number):
    try:
        echo(sock, number)
    except ConnectionResetError:
        pass


def accept_provider(listener):
    """What a server does to have a provider linked."""
    peer = Peer.__new__(Peer)
    peer.key, peer.sock, peer.theirs = KEY, listener.accept(), os.urandom(32)
    peer.nonce = recv_exactly(peer.sock, 40)[8:]
    peer.sock.sendall(b"nettunl\x01" + peer.theirs)
    peer.claim = recv_exactly(peer.sock, 121)[:89]
    grant = bytes([GRANTED]) + bytes(8)
    peer.sock.sendall(grant + peer.code(b"tunnel server\n\n\n", grant))
    return peer.sock


def test_many_who_fail_are_told_in_few_lines_and_keep_nobody_out(served, tunnel):
    for _ in range(100):
        with connect(tunnel.door) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    served.wait_metric(UNAUTHENTICATED, 100)
    assert len(served.said("refused as a provider")) < 40
    with Peer(tunnel.door, KEY) as peer:
        assert peer.link() == (GRANTED, 0)
        peer.send(BYE)


def test_silent_strangers_make_room_for_providers_and_take_little_memory(served, tunnel):
    before = served.memory()
    crowd = [connect(tunnel.door) for _ in range(1500)]
    with Peer(tunnel.door, KEY) as peer:
        assert peer.link() == (GRANTED, 0)
        peer.send(BYE)
    assert served.memory() - before < 4 << 20
    assert served.descriptors() < 700
    for sock in crowd:
        sock.close()


def test_names_with_escape_sequences_do_not_reach_the_terminal(tunnel):
    server = tunnel.server()
    with Peer(tunnel.door, KEY) as peer:
        peer.link(name=b"\x1b[31mred")
        server.wait_said("connected from")
    assert "\x1b" not in server.stderr and "[31mred" in server.stderr


def test_client_gone_before_a_provider_came_is_no_ones(tunnel):
    server = tunnel.server()
    get = connect(tunnel.address)
    get.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.wait_metric("connections open now", 1)
    get.close()
    server.wait_metric("connections open now", 0)
