"""Captures that tcpdump made of real sessions: connection by connection, import agrees with tcpflow and tshark."""
import contextlib
import random
import socket
import threading

import pytest

from harness import logs, packets, tshark
from harness.cookbook import Shell, blocks, filled
from harness.dump import Dump, editcap, tcpflow
from harness.netlog import good, run
from harness.peers import Server, connect, pattern, recv_all, recv_exactly, recv_until_end, reset
from harness.proc import wait_until
from harness.proc import run as execute
from harness.replay import different, equal
from harness.services import Nginx, Redis

pytestmark = pytest.mark.usefixtures("root")


def serve(sock, number):
    """Answer each request for bytes with these; reset if it asks for 0."""
    with sock, contextlib.suppress(ConnectionResetError):
        while request := sock.recv(4, socket.MSG_WAITALL):
            size = int.from_bytes(request, "big")
            if size == 0:
                reset(sock)
                return
            sock.sendall(pattern(number, 0, size))
        sock.sendall(b"good bye")


def talk(address, number):
    """Requests and answers of all sizes; then half of them half-close, some are reset or reset."""
    with connect(address) as sock:
        for size in (1, 100, 5000, 70_000 * (number % 3)):
            if size:
                sock.sendall(size.to_bytes(4, "big"))
                recv_exactly(sock, size)
        if number % 5 == 3:
            sock.sendall(bytes(4))
            recv_until_end(sock)
        elif number % 5 == 4:
            reset(sock)
        elif number % 2:
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b"good bye"


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """A capture of forty connections that overlap, and what tcpflow and tshark make of it."""
    folder = tmp_path_factory.mktemp("sessions")
    path = folder / "lo.pcap"
    with Server(serve) as server, Dump(path, server.address[1]):
        threads = [threading.Thread(target=talk, args=(server.address, n)) for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    flows = tcpflow(path, folder / "flows")
    streams = tshark.streams(path, 40)
    seen = {}
    for stream in streams:
        seen[stream.client, stream.server] = stream.sent["c"]
        seen[stream.server, stream.client] = stream.sent["s"]
    assert flows == {ends: sent for ends, sent in seen.items() if sent}
    assert sum(map(len, flows.values())) > 1_000_000
    return path, packets.read_pcap(path), flows


def names(pair):
    return frozenset("%s:%d" % end for end in pair)


def resets(sent):
    """The connections that were reset, as sets of two ends."""
    return {names(packets.tcp_of(p)[:2]) for p in sent if packets.tcp_of(p)[3] & packets.RST}


def connection(packet):
    return names(packets.tcp_of(packet)[:2])


def imported(folder, path, status=0):
    """What each end sent, as tcpflow() tells it; logs and index entries by number."""
    result = run("import", path, folder / "out")
    assert result.returncode == status, result
    found, closed = logs.load_all(folder / "out"), logs.closed(folder / "out")
    assert set(found) == set(closed)
    flows = {}
    for n, log in found.items():
        client, server = closed[n]["client"], closed[n]["server"]
        flows[client, server], flows[server, client] = log.bytes("c"), log.bytes("s")
    return {ends: sent for ends, sent in flows.items() if sent}, found, closed


@pytest.mark.parametrize("kind", ["as it is", "pcapng", "nsecpcap", "cut in two"])
def test_agrees_with_tcpflow_and_tshark(folder, sessions, kind):
    path, _, flows = sessions
    if kind in ("pcapng", "nsecpcap"):
        editcap("-F", kind, path, folder / "other")
        path = folder / "other"
    elif kind == "cut in two":
        execute("mergecap", "-w", folder / "other", path, path)
        path = folder / "other"
    found, recorded, _ = imported(folder, path)
    assert found == flows and len(recorded) == 40
    assert all(log.ends() for log in recorded.values())
    assert {log.ends()[0] for log in recorded.values()} == {"c hup", "c err", "s err"}


CHANGES = {
    "shuffled": lambda sent: packets.shuffled(sent, 10),
    "duplicated": packets.duplicated,
    "shuffled and duplicated": lambda sent: packets.shuffled(packets.duplicated(sent), 10, seed=2),
    "fragmented": packets.fragmented,
    "fragmented and shuffled": lambda sent: packets.shuffled(packets.fragmented(sent, 8000), 10, seed=3),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("link", ["ethernet", "vlan", "qinq", "pppoe"])
def test_agrees_after_changes(folder, sessions, change, link):
    _, sent, flows = sessions
    path = packets.write(folder / "in.pcap", packets.pcap(CHANGES[change](sent), link))
    found = imported(folder, path)[0]
    # what was under way when the other side reset may have come in front of that, or behind
    ended = resets(sent) if "shuffled" in change else set()
    assert set(found) <= set(flows)
    for ends, content in flows.items():
        assert found.get(ends, b"") == content or (frozenset(ends) in ended and content.startswith(found.get(ends, b"")))


def test_agrees_in_any_order(folder, sessions):
    """Packets in an order that has nothing to do with that in which they were sent."""
    _, sent, flows = sessions
    ended = resets(sent)
    kept = [p for p in sent if connection(p) not in ended]
    path = packets.write(folder / "in.pcap", packets.pcap(packets.shuffled(kept, 10**9)))
    assert imported(folder, path)[0] == {ends: content for ends, content in flows.items() if frozenset(ends) not in ended}


def first_holes(sent):
    """Per direction, where bytes are first missing: (offset, size). From the packets alone."""
    begin, pieces = {}, {}
    for packet in sent:
        source, target, seq, flags, payload = packets.tcp_of(packet)
        ends = "%s:%d" % source, "%s:%d" % target
        if flags & packets.SYN:
            begin[ends] = seq + 1
        length = len(payload) + packet.wire - len(packet.ip)
        pieces.setdefault(ends, []).append((seq, len(payload), length + bool(flags & packets.FIN)))
    holes = {}
    for ends, found in pieces.items():
        stretches = sorted(((seq - begin[ends]) % 2**32, there, length) for seq, there, length in found if length)
        at = 0
        for offset, there, length in stretches:
            if offset > at:
                holes[ends] = (at, offset - at)
                break
            if there < length - 1:  # cut
                holes[ends] = (offset + there, length - there)
                break
            at = max(at, offset + length)
    return holes


def agrees_up_to_gaps(folder, path, flows, holes):
    """Logs hold the beginnings of `flows`; each gap is one of `holes`. Returns the number of gaps."""
    found, _, closed = imported(folder, path, status=1)
    gaps = 0
    for entry in closed.values():
        ends = {"c": (entry["client"], entry["server"]), "s": (entry["server"], entry["client"])}
        for pair in ends.values():
            assert flows.get(pair, b"").startswith(found.get(pair, b""))
        if "gap_size" in entry:
            gaps += 1
            assert holes[ends[entry["gap_side"]]] == (entry["gap_offset"], entry["gap_size"])
            assert len(found.get(ends[entry["gap_side"]], b"")) == entry["gap_offset"]
        else:
            assert not any(pair in holes for pair in ends.values())
            assert all(found.get(pair, b"") == flows.get(pair, b"") for pair in ends.values())
        kept = sum(len(found.get(pair, b"")) for pair in ends.values())
        assert entry["lost"] == sum(len(flows.get(pair, b"")) for pair in ends.values()) - kept
    return gaps


def has_data(packet):
    return len(packets.tcp_of(packet)[4]) > 0


def test_one_deleted_segment(folder, sessions):
    """One gap, of its size, where it was; the other connections as they are."""
    _, sent, flows = sessions
    ended = resets(sent)  # what these did not acknowledge leaves no trace
    candidates = [n for n, p in enumerate(sent) if has_data(p) and connection(p) not in ended]
    random.Random(4).shuffle(candidates)
    done = 0
    while done < 10:
        where = candidates.pop()
        payload = packets.tcp_of(sent[where])[4]
        kept = sent[:where] + sent[where + 1 :]
        holes = first_holes(kept)
        if sum(size for _, size in holes.values()) < len(payload):
            continue  # the kernel, kept waiting, sent it twice
        place = folder / str(where)
        place.mkdir()
        path = packets.write(place / "in.pcap", packets.pcap(kept))
        assert [size for _, size in holes.values()] == [len(payload)]
        assert agrees_up_to_gaps(place, path, flows, holes) == 1
        done += 1


def test_thinned(folder, sessions):
    _, sent, flows = sessions
    dice, ended = random.Random(5), resets(sent)
    kept = [p for p in sent if not has_data(p) or connection(p) in ended or dice.random() > 0.05]
    path = packets.write(folder / "in.pcap", packets.pcap(kept))
    assert agrees_up_to_gaps(folder, path, flows, first_holes(kept)) > 3


def test_cut_at_a_snapshot_length(folder, sessions):
    path, _, flows = sessions
    editcap("-F", "pcap", "-s", "1000", path, folder / "cut.pcap")
    sent = packets.read_pcap(folder / "cut.pcap")
    assert agrees_up_to_gaps(folder, folder / "cut.pcap", flows, first_holes(sent)) == 40


def test_http_captured_on_any_interface(folder):
    """A capture of all interfaces (Linux cooked), of a web server and curl."""
    content = random.Random(6).randbytes(300_000)
    with Nginx(folder / "nginx") as nginx:
        (nginx.folder / "www/file").write_bytes(content)
        with Dump(folder / "in.pcap", nginx.port, interface="any"):
            got = execute("curl", "-s", f"http://127.0.0.1:{nginx.port}/file", f"http://127.0.0.1:{nginx.port}/none").stdout
    assert got.startswith(content)
    good("import", folder / "in.pcap", folder / "out")
    assert list(logs.load_all(folder / "out")) == [1]
    log = logs.load(folder / "out", 1)
    assert got.startswith(log.bytes("s").partition(b"\r\n\r\n")[2][: len(content)])
    assert log.bytes("c").count(b"GET /") == 2
    (stream,) = tshark.streams(folder / "in.pcap", 1)
    assert (log.bytes("c"), log.bytes("s")) == (stream.sent["c"], stream.sent["s"])


def redis_session(redis):
    redis.cli(redis.port, "set", "name", "value" * 20_000)
    redis.cli(redis.port, "get", "name")
    for n in range(20):
        redis.cli(redis.port, "incr", f"counter{n % 3}")
    redis.cli(redis.port, "lpush", "list", *map(str, range(3000)))
    redis.cli(redis.port, "lrange", "list", "0", "-1")
    redis.cli(redis.port, "nothing")


def test_redis_replays(folder):
    """Captured by tcpdump, imported, and replayed against a fresh server: the answers are those captured."""
    with Redis(folder / "one") as redis, Dump(folder / "in.pcap", redis.port):
        redis_session(redis)
    good("import", folder / "in.pcap", folder / "session")
    assert len(logs.load_all(folder / "session")) == 25
    with Redis(folder / "two") as fresh:
        equal(*fresh.address, folder / "session")
    with Redis(folder / "three") as other:
        other.cli(other.port, "set", "counter0", "100")
        different(*other.address, folder / "session")
