"""netlog import: captures of known packets become the logs that they should."""
import json
import stat

import pytest

from harness import logs, packets
from harness.netlog import good, refused, run
from harness.packets import ACK, FIN, PSH, RST, SYN, URG, Talk

REQUEST, ANSWER = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n" + bytes(range(256)) * 20


def talk(**options):
    """A whole connection: a request, a long answer, an end."""
    return Talk(**options).open().send("c", REQUEST).send("s", ANSWER).close()


def imported(folder, content, *options, status=0, name="in.pcap"):
    """Import a capture; returns logs by number and what was said."""
    path = packets.write(folder / name, content)
    result = run("import", *options, path, folder / "out")
    assert result.returncode == status, result
    return logs.load_all(folder / "out"), result.stderr.decode()


def the_log(folder, content, **options):
    found, said = imported(folder, content, **options)
    assert list(found) == [1] and said == "", said
    return found[1]


def whole(log):
    assert (log.bytes("c"), log.bytes("s")) == (REQUEST, ANSWER)
    assert log.shape() == "c con, c data, s data, c hup, s hup"


def gap_of(folder, n=1):
    closing = logs.closed(folder / "out")[n]
    return closing["gap_side"], closing["gap_offset"], closing["gap_size"]


CONTAINERS = {
    "pcap": packets.pcap,
    "pcap big": lambda p, link: packets.pcap(p, link, order=">"),
    "pcap nano": lambda p, link: packets.pcap(p, link, nano=True),
    "pcap nano big": lambda p, link: packets.pcap(p, link, order=">", nano=True),
    "pcapng": packets.pcapng,
    "pcapng big": lambda p, link: packets.pcapng(p, link, order=">"),
    "pcapng nano": lambda p, link: packets.pcapng(p, link, nano=True),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("compress", [False, True])
def test_containers(folder, container, compress):
    path = packets.write(folder / "in", CONTAINERS[container](talk().packets, "ethernet"), compress)
    good("import", path, folder / "out")
    whole(logs.load(folder / "out", 1))


@pytest.mark.parametrize("address", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
@pytest.mark.parametrize("link", packets.LINKS)
def test_link_layers(folder, link, address):
    sent = talk(client=(address[0], 40000), server=(address[1], 80)).packets
    whole(the_log(folder, packets.pcap(sent, link)))
    entry = logs.closed(folder / "out")[1]
    name = "[%s]:%d" if ":" in address[0] else "%s:%d"
    assert (entry["client"], entry["server"]) == (name % (address[0], 40000), name % (address[1], 80))


def test_link_types_that_are_not_understood(folder):
    """All are tried: those that are read are those tested above and listed in the manual."""
    empty, taken = packets.pcap([])[:20], set()
    for kind in range(300):
        path = packets.write(folder / "in.pcap", empty + packets.struct.pack("<I", kind))
        result = run("import", path, folder / "out")
        if b"link type" not in result.stderr:
            assert b"no TCP" in result.stderr
            taken.add(kind)
    assert taken == {kind for kind, _ in packets.LINKS.values()}


def test_log_and_index(folder):
    path = packets.write(folder / "in.pcap", packets.pcap(talk().packets))
    good("import", path, folder / "out")
    log, entry = logs.load(folder / "out", 1), logs.closed(folder / "out")[1]
    assert [round(record.time * 1000) for record in log.records] == [0, 3, 5, 6, 7, 8, 10, 11]
    assert entry["start"] == "2023-11-14T22:13:20.000000Z" and entry["time"] == 0
    assert (entry["duration"], entry["connect"]) == (0.011, 0.001)
    assert (entry["client_bytes"], entry["server_bytes"], entry["lost"]) == (len(REQUEST), len(ANSWER), 0)
    assert entry["end"] == "s hup" and "gap_size" not in entry and "midway" not in entry
    for name in ("out_1", "out_index.jsonl"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    good("check", folder / "out")


def test_never_overwrites(folder):
    path = packets.write(folder / "in.pcap", packets.pcap(talk().packets))
    good("import", path, folder / "out")
    before = (folder / "out_1").read_bytes()
    good("import", "-z", path, folder / "out")
    assert (folder / "out_1").read_bytes() == before
    whole(logs.load(folder / "out", 2))
    assert (folder / "out_2.gz").exists()
    assert len({entry["run"] for entry in logs.index(folder / "out")}) == 2


def test_index_that_ends_in_mid_line_loses_nothing(folder):
    path = packets.write(folder / "in.pcap", packets.pcap(talk().packets))
    unfinished = '{"event":"open","n":1,"sta'
    (folder / "out_index.jsonl").write_text(unfinished)
    good("import", path, folder / "out")
    first, rest = (folder / "out_index.jsonl").read_text().split("\n", 1)
    assert first == unfinished
    assert [json.loads(line)["event"] for line in rest.splitlines()] == ["open", "close"]


def test_default_logroot(folder):
    path = packets.write(folder / "some.pcapng.gz", packets.pcapng(talk().packets), compress=True)
    good("import", path, cwd=folder)
    whole(logs.load(folder / "some", 1))


def test_standard_input(folder):
    good("import", "-", folder / "out", stdin=packets.pcap(talk().packets))
    whole(logs.load(folder / "out", 1))


def test_filter(folder):
    both = talk(client=("192.0.2.1", 1111)).packets + talk(server=("192.0.2.9", 8080)).packets
    found, _ = imported(folder, packets.pcap(both), "-F", "tcp port 8080")
    assert len(found) == 1 and logs.closed(folder / "out")[1]["server"] == "192.0.2.9:8080"


def test_usage(folder):
    path = packets.write(folder / "in.pcap", packets.pcap(talk().packets))
    assert "no capture given" in refused("import")
    assert "too many operands" in refused("import", "a", "b", "c")
    assert "no logroot given" in refused("import", "-")
    assert "--filter" in refused("import", "-F", "no filter", path, folder / "out")
    assert "No such file" in refused("import", folder / "none", folder / "out")
    assert "No such file" in refused("import", path, folder / "none/out")
    assert "link type" in refused("import", packets.write(folder / "x", packets.pcap([])[:20] + b"\x7f\0\0\0"), folder / "out")
    assert "in.txt" in refused("import", packets.write(folder / "in.txt", b"hello"), folder / "out")
    assert not list(folder.glob("out*"))
    assert "no TCP" in refused("import", packets.write(folder / "in.pcap", packets.pcap([])), folder / "out", status=1)


# what TCP does


# each scenario gives packets of one connection that must come out as REQUEST and ANSWER


def retransmission(t):
    t.open().send("c", REQUEST).send("s", ANSWER).close()
    return t.packets[:6] + [t.packets[5], t.packets[3]] + t.packets[6:]


def overlap(t):
    t.open().send("c", REQUEST)
    base = t.seq["s"]
    for begin, end in ((0, 1000), (500, 1500), (0, 2000), (1999, len(ANSWER))):
        t.raw("s", base + begin, t.seq["c"], ACK, ANSWER[begin:end])
    t.seq["s"] += len(ANSWER)
    return t.close().packets


def keep_alive(t):
    t.open().send("c", REQUEST)
    t.raw("c", t.seq["c"] - 1, t.seq["s"], ACK).raw("c", t.seq["c"] - 1, t.seq["s"], ACK, b"\0")
    return t.send("s", ANSWER).close().packets


def zero_window(t):
    t.open().send("c", REQUEST).send("s", ANSWER[:1000])
    t.segment("c", ACK, window=0)
    t.raw("s", t.seq["s"], t.seq["c"], ACK, ANSWER[1000:1001])  # the probe's byte is sent again
    return t.send("s", ANSWER[1000:]).close().packets


def urgent(t):
    t.open().segment("c", PSH | ACK | URG, REQUEST, urgent=3)
    return t.send("s", ANSWER).close().packets


def data_on_syn(t):
    t.segment("c", SYN, REQUEST).segment("s", SYN | ACK).ack("c")
    return t.send("s", ANSWER).close().packets


def data_on_syn_refused(t):
    t.raw("c", t.seq["c"], 0, SYN, REQUEST)
    t.seq["c"] += 1
    t.segment("s", SYN | ACK)
    return t.send("c", REQUEST).send("s", ANSWER).close().packets


def syn_again(t):
    t.open().send("c", REQUEST).send("s", ANSWER).close()
    return t.packets[:1] + t.packets[:2] + t.packets[1:] + t.packets[:3]


def stray_reset(t):
    """A blind reset from far out of the window, and late packets."""
    t.open().send("c", REQUEST)
    t.raw("s", t.seq["s"] + 2**30 + 5, 0, RST)
    t.send("s", ANSWER).close()
    t.raw("s", t.seq["s"], 0, RST).raw("c", t.seq["c"], t.seq["s"], RST)
    return t.packets


def old_reset(t):
    """A reset of an earlier connection, below the window: nobody minds it."""
    t.open().send("c", REQUEST)
    t.raw("s", (t.seq["s"] - 500_000) % 2**32, 0, RST)
    return t.send("s", ANSWER).close().packets


def half_open(t):
    """The server has a connection of an earlier life of the client (RFC 9293, figure 10)."""
    begin = t.seq["c"]
    t.segment("c", SYN).raw("s", 700, (begin - 10**9) % 2**32, ACK).raw("c", (begin - 10**9) % 2**32, 0, RST)
    t.seq["c"] = begin
    return t.open().send("c", REQUEST).send("s", ANSWER).close().packets


def stray_acknowledgement(t):
    """Of what nobody sent."""
    t.open().send("c", REQUEST)
    t.raw("s", t.seq["s"], (t.seq["c"] + 500_000_000) % 2**32, ACK)
    return t.send("s", ANSWER).close().packets


def stray_fin(t):
    t.open().send("c", REQUEST)
    t.raw("c", (t.seq["c"] + 500_000_000) % 2**32, t.seq["s"], FIN | ACK)
    return t.send("s", ANSWER).close().packets


SCENARIOS = [
    retransmission,
    overlap,
    keep_alive,
    zero_window,
    urgent,
    data_on_syn,
    data_on_syn_refused,
    syn_again,
    stray_reset,
    old_reset,
    half_open,
    stray_acknowledgement,
    stray_fin,
]


@pytest.mark.parametrize("isn", [(1000, 5000), (2**32 - 5, 2**32 - 700)])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_scenarios(folder, scenario, isn):
    whole(the_log(folder, packets.pcap(scenario(Talk(isn=isn)))))


def test_data_on_fin_and_half_close(folder):
    t = Talk().open().send("c", REQUEST[:5]).segment("c", FIN | PSH | ACK, REQUEST[5:])
    t.ack("s").send("s", ANSWER).fin("s").ack("c")
    log = the_log(folder, packets.pcap(t.packets))
    assert log.shape() == "c con, c data, c hup, s data, s hup"
    assert (log.bytes("c"), log.bytes("s")) == (REQUEST, ANSWER)


@pytest.mark.parametrize("seed", range(5))
def test_reordering(folder, seed):
    sent = Talk().open().send("c", REQUEST).send("s", ANSWER).send("c", REQUEST).send("s", ANSWER).close().packets
    log = the_log(folder, packets.pcap(packets.shuffled(packets.duplicated(sent, seed), 6, seed)))
    assert (log.bytes("c"), log.bytes("s")) == (REQUEST * 2, ANSWER * 2)
    assert log.shape() == "c con, c data, s data, c data, s data, c hup, s hup"


def test_answer_captured_before_request(folder):
    t = Talk().open().send("c", REQUEST, acked=False).send("s", ANSWER).close()
    swapped = t.packets[:3] + [t.packets[4], t.packets[3]] + t.packets[5:]
    whole(the_log(folder, packets.pcap(swapped)))


@pytest.mark.parametrize("side", ["c", "s"])
def test_reset(folder, side):
    t = Talk().open().send("c", REQUEST).send("s", ANSWER).reset(side)
    log = the_log(folder, packets.pcap(t.packets))
    assert log.shape() == f"c con, c data, s data, {side} err"
    assert logs.closed(folder / "out")[1]["end"] == f"{side} err"


def test_reset_is_told_behind_the_bytes_before_it(folder):
    t = Talk().open().send("c", REQUEST).send("s", ANSWER, acked=False).reset("s")
    log = the_log(folder, packets.pcap(t.packets[:5] + [t.packets[-1]] + t.packets[5:-1]))
    assert log.bytes("s") == ANSWER and log.ends() == ["s err"]


def test_refused(folder):
    t = Talk().segment("c", SYN).segment("s", RST | ACK)
    log = the_log(folder, packets.pcap(t.packets))
    entry = logs.closed(folder / "out")[1]
    assert log.shape() == "c con" and entry["end"] == "refused" and entry["connect"] is None


def test_refused_and_tried_again_with_the_same_number(folder):
    """As Windows does."""
    t = Talk().segment("c", SYN)
    t.raw("s", 0, t.seq["c"], RST | ACK)
    t.seq["c"] -= 1
    t.open().send("c", REQUEST).send("s", ANSWER).close()
    found, said = imported(folder, packets.pcap(t.packets))
    assert said == "" and len(found) == 2 and found[1].shape() == "c con"
    whole(found[2])


def test_bytes_behind_the_end(folder):
    """They are in no log, and that is told; copies of what was before the end are not."""
    t = Talk().open().send("c", REQUEST).reset("c").send("s", ANSWER)
    found, said = imported(folder, packets.pcap(t.packets + t.packets[3:]), "-q")
    assert found[1].bytes("s") == b"" and f"{len(ANSWER)} bytes are in no log" in said


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("kind", ["segment", "fin", "ack"])
def test_strays_far_ahead(folder, kind, closed):
    """What one segment or one acknowledgement says, and nothing else does, makes no gap."""
    t = Talk().open().send("c", REQUEST)
    if kind == "ack":
        t.raw("s", t.seq["s"], t.seq["c"] + 500_000_000, ACK)
    else:
        t.raw("c", t.seq["c"] + 500_000_000, t.seq["s"], FIN | ACK if kind == "fin" else ACK, b"" if kind == "fin" else b"stray")
    t.send("s", ANSWER)
    found, said = imported(folder, packets.pcap((t.close() if closed else t).packets))
    assert (found[1].bytes("c"), found[1].bytes("s")) == (REQUEST, ANSWER)
    assert ("5 bytes are in no log" in said) == (kind == "segment") and "gap" not in said
    assert logs.closed(folder / "out")[1]["lost"] == 0


def test_gap_that_is_large(folder):
    """The capture was interrupted for long: both sides go on far ahead, and agree."""
    t = Talk().open().send("c", REQUEST).send("s", ANSWER)
    t.seq["s"] += 500_000_000
    t.ack("c").send("s", ANSWER).send("c", REQUEST)
    t.seq["s"] += 500_000_000
    t.send("s", ANSWER).send("c", REQUEST).close()
    imported(folder, packets.pcap(t.packets), status=1)
    assert gap_of(folder) == ("s", len(ANSWER), 500_000_000)
    assert logs.closed(folder / "out")[1]["lost"] == 2 * (500_000_000 + len(ANSWER) + len(REQUEST))


def test_port_used_again_unseen(folder):
    """The second connection's handshake was not captured, and its numbers are others."""
    again = talk(isn=(900_000_000, 3_000_000_000), begin=packets.EPOCH + 10**9)
    found, said = imported(folder, packets.pcap(talk().packets + again.packets[3:]))
    whole(found[1])
    whole(found[2])
    assert "1 connections had begun before" in said and logs.closed(folder / "out")[2]["midway"] is True


def test_port_used_again(folder):
    first, second = talk(), talk(isn=(900_000_000, 3_000_000_000), begin=packets.EPOCH + 10**9)
    open_end = Talk(isn=(77, 99), begin=packets.EPOCH + 2 * 10**9).open().send("c", b"more")
    last = talk(isn=(2**31, 5), begin=packets.EPOCH + 3 * 10**9)
    found, said = imported(folder, packets.pcap(first.packets + second.packets + open_end.packets + last.packets))
    assert said == "" and len(found) == 4
    for n in (1, 2, 4):
        whole(found[n])
    assert found[3].bytes("c") == b"more" and found[3].ends() == []
    assert logs.closed(folder / "out")[3]["end"] == "killed"


def test_giants(folder):
    """Segmentation offload: 64K in a packet, and an IP header that says 0."""
    big = bytes(range(256)) * 255
    t = Talk(mss=65480).open().send("c", REQUEST).send("s", big).close()
    zero = [packets.replace(p, ip=p.ip[:2] + b"\0\0" + p.ip[4:]) if len(p.ip) > 5000 else p for p in t.packets]
    for name, sent in (("a", t.packets), ("b", zero)):
        good("import", packets.write(folder / name, packets.pcap(sent)), folder / name)
        assert logs.load(folder / name, 1).bytes("s") == big


def test_padding_is_no_data(folder):
    t = talk()
    padded = [packets.replace(p, ip=p.ip + bytes(max(0, 46 - len(p.ip)))) for p in t.packets]
    whole(the_log(folder, packets.pcap(padded)))


@pytest.mark.parametrize("address", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_fragments(folder, address):
    sent = talk(client=(address[0], 40000), server=(address[1], 80)).packets
    pieces = packets.fragmented(sent)
    assert len(pieces) > len(sent)
    whole(the_log(folder, packets.pcap(packets.duplicated(pieces))))


def test_lost_fragment(folder):
    pieces = packets.fragmented(talk().packets)
    del pieces[5]
    found, said = imported(folder, packets.pcap(pieces), status=1)
    assert "1 IP packets lack fragments" in said and gap_of(folder) == ("s", 0, 1448)


HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY = 0, 43, 44, 51, 60, 135
CHAINS = [
    [HOP_BY_HOP, ROUTING, DESTINATION, AUTHENTICATION],
    [FRAGMENT, DESTINATION],
    [FRAGMENT, AUTHENTICATION, DESTINATION],
    [HOP_BY_HOP, ROUTING, FRAGMENT, MOBILITY],
    [FRAGMENT, FRAGMENT],
]


@pytest.mark.parametrize("chain", CHAINS)
def test_ipv6_extension_headers(folder, chain):
    sent = talk(client=("2001:db8::1", 4000), server=("2001:db8::2", 80)).packets
    whole(the_log(folder, packets.pcap([packets.extended(p, chain) for p in sent])))


@pytest.mark.parametrize("chain", CHAINS)
def test_ipv6_extension_headers_in_fragments(folder, chain):
    """What stands behind the Fragment header is in the fragments."""
    sent = talk(client=("2001:db8::1", 4000), server=("2001:db8::2", 80)).packets
    pieces = packets.fragmented([packets.extended(p, chain) for p in sent])
    assert len(pieces) > len(sent)
    whole(the_log(folder, packets.pcap(pieces)))


def test_ipv6_fragments_in_fragments(folder):
    sent = talk(client=("2001:db8::1", 4000), server=("2001:db8::2", 80)).packets
    pieces = packets.fragmented([packets.extended(p, [DESTINATION]) for p in sent])
    whole(the_log(folder, packets.pcap(packets.fragmented(pieces, 64))))


# what a capture lacks


@pytest.mark.parametrize("which, gap", [(3, ("c", 0, len(REQUEST))), (5, ("s", 0, 1448)), (6, ("s", 1448, 1448)), (8, ("s", 4344, len(ANSWER) - 4344))])
def test_one_deleted_segment(folder, which, gap):
    t = talk()
    del t.packets[which]
    found, said = imported(folder, packets.pcap(t.packets), status=1)
    side, offset, size = gap
    assert gap_of(folder) == gap
    assert found[1].bytes(side) == {"c": REQUEST, "s": ANSWER}[side][:offset]
    assert found[1].ends() == [f"{side} err"]
    entry = logs.closed(folder / "out")[1]
    kept = len(found[1].bytes("c")) + len(found[1].bytes("s"))
    assert entry["lost"] == len(REQUEST) + len(ANSWER) - kept and entry["end"] == f"{side} err"
    who = {"c": "client", "s": "server"}[side]
    assert f"out_1: gap: {size} bytes that the {who} sent are missing behind its first {offset}" in said


def test_deleted_acknowledgements_change_nothing(folder):
    t = talk()
    kept = [p for p in t.packets if packets.tcp_of(p)[3] != ACK]
    assert len(kept) < len(t.packets)
    whole(the_log(folder, packets.pcap(kept)))


def test_missing_tail(folder):
    """What was acknowledged and is not there is missing, even if nothing follows."""
    t = talk()
    sent = t.packets[:8] + [t.packets[9]]
    imported(folder, packets.pcap(sent), status=1)
    assert gap_of(folder) == ("s", 4344, len(ANSWER) - 4344)


def test_lost_on_the_way_is_no_gap(folder):
    """Bytes that never arrived, and then a reset: nothing is missing that was there."""
    t = Talk().open().send("c", REQUEST)
    t.raw("s", t.seq["s"] + 100, t.seq["c"], ACK, b"x" * 50)
    t.raw("c", t.seq["c"], t.seq["s"], RST | ACK)
    log = the_log(folder, packets.pcap(t.packets))
    assert log.bytes("c") == REQUEST and log.bytes("s") == b"" and log.ends() == ["c err"]
    assert logs.closed(folder / "out")[1]["lost"] == 150


@pytest.mark.parametrize("more", [b"", b"more"])
def test_keep_alive_over_a_gap(folder, more):
    """Its byte is no part of what the server sent."""
    t = Talk().open().send("c", REQUEST)
    t.seq["s"] += 100
    t.ack("c").raw("s", t.seq["s"] - 1, t.seq["c"], ACK, b"\0").ack("c").send("s", more).close()
    imported(folder, packets.pcap(t.packets), status=1)
    assert gap_of(folder) == ("s", 0, 100)


@pytest.mark.parametrize("side", ["c", "s"])
def test_lost_on_the_way_and_own_reset(folder, side):
    t = Talk().open().send("c", REQUEST).send("s", ANSWER)
    t.seq[side] += 100
    log = the_log(folder, packets.pcap(t.reset(side).packets))
    assert (log.bytes("c"), log.bytes("s")) == (REQUEST, ANSWER) and log.ends() == [f"{side} err"]
    assert logs.closed(folder / "out")[1]["lost"] == 0


def test_acknowledged_and_own_reset(folder):
    """The reset is behind bytes that were received: they are missing."""
    t = Talk().open().send("c", REQUEST).send("s", ANSWER)
    t.seq["c"] += 100
    imported(folder, packets.pcap(t.ack("s").reset("c").packets), status=1)
    assert gap_of(folder) == ("c", len(REQUEST), 100)


def test_snapshot_length(folder):
    cut = [p.cut(300) for p in talk().packets]
    found, _ = imported(folder, packets.pcap(cut), status=1)
    assert found[1].bytes("s") == ANSWER[:260] and found[1].ends() == ["s err"]
    assert gap_of(folder) == ("s", 260, 1448 - 260)
    assert logs.closed(folder / "out")[1]["lost"] == len(ANSWER) - 260


def test_headers_cut(folder):
    found, said = imported(folder, packets.pcap([p.cut(30) for p in talk().packets]), status=1)
    assert not found and "no TCP connection" in said


def test_begins_in_the_middle(folder):
    t = talk()
    found, said = imported(folder, packets.pcap(t.packets[3:]))
    whole(found[1])
    assert "1 connections had begun before the capture" in said
    entry = logs.closed(folder / "out")[1]
    assert entry["midway"] is True and entry["client"] == "192.0.2.1:40000"


def long_answer():
    """A connection joined where its server sends more than is held, and the client nothing, nor acknowledges."""
    t = Talk().open()
    t.packets.clear()
    return t.send("s", ANSWER * 250, acked=False)


def test_begins_in_the_middle_with_a_keep_alive(folder):
    t = long_answer()
    t.raw("c", t.seq["c"] - 1, t.seq["s"], ACK, b"\0").ack("s").send("c", REQUEST).close()
    found, _ = imported(folder, packets.pcap(t.packets))
    assert (found[1].bytes("c"), found[1].bytes("s")) == (REQUEST, ANSWER * 250)


def test_begins_in_the_middle_out_of_order(folder):
    t = long_answer().segment("c", ACK, b"first").segment("c", ACK, b"second").ack("s").close()
    t.packets[-6:-4] = reversed(t.packets[-6:-4])
    found, _ = imported(folder, packets.pcap(t.packets))
    assert found[1].bytes("c") == b"firstsecond"


def midway(t):
    """The connection, joined when all was acknowledged that was sent so far."""
    t.open().packets.clear()
    return t.send("s", ANSWER)


def test_begins_in_the_middle_and_lacks_the_first_segment(folder):
    """Where the client stood, its acknowledgement has told."""
    t = midway(Talk()).send("c", b"deleted").send("c", b"kept").send("s", ANSWER).close()
    kept = [p for p in t.packets if b"deleted" not in p.ip]
    imported(folder, packets.pcap(kept), status=1)
    assert gap_of(folder) == ("c", 0, len(b"deleted"))


def test_begins_in_the_middle_of_what_is_on_its_way(folder):
    """What the client sent before the capture, and the server acknowledges in it, is no gap."""
    t = Talk().open().send("c", bytes(1000), acked=False)
    t.packets.clear()
    begin = t.seq["c"] - 1000
    t.raw("s", t.seq["s"], begin, ACK).send("c", REQUEST, acked=False).raw("s", t.seq["s"], begin + 500, ACK)
    t.ack("s").send("s", ANSWER).close()
    found, _ = imported(folder, packets.pcap(t.packets))
    whole(found[1])


@pytest.mark.parametrize("first", [b"", b"\0"])
@pytest.mark.parametrize("acknowledged", [False, True])
def test_begins_in_the_middle_with_keep_alives(folder, first, acknowledged):
    t = midway(Talk())
    before = t.packets[:-1] if acknowledged else []
    t.packets.clear()
    t.raw("c", t.seq["c"] - 1, t.seq["s"], ACK, first).ack("s").send("c", REQUEST).send("s", ANSWER).close()
    found, _ = imported(folder, packets.pcap(before + t.packets))
    assert found[1].bytes("c") == REQUEST and found[1].ends() == ["c hup", "s hup"]


def test_begins_in_the_middle_byte_by_byte(folder):
    """A first segment of one byte is no keep-alive."""
    t = Talk().open()
    t.packets.clear()
    for key in (b"l", b"s"):
        t.send("c", key).send("s", key)
    found, _ = imported(folder, packets.pcap(t.close().packets))
    assert (found[1].bytes("c"), found[1].bytes("s")) == (b"ls", b"ls")


def test_begins_in_the_middle_with_a_copy(folder):
    """The first that is seen of the client was acknowledged before: its hole is before the capture."""
    t = Talk().open().send("c", bytes(300))
    t.packets.clear()
    t.ack("s").raw("c", t.seq["c"] - 290, t.seq["s"], ACK, bytes(20)).ack("s")
    found, _ = imported(folder, packets.pcap(t.send("c", REQUEST).send("s", ANSWER).close().packets))
    whole(found[1])


def test_client_is_guessed_by_port(folder):
    """The end with the lower port is the server's, whoever is heard first."""
    t = talk(client=("192.0.2.1", 40000), server=("192.0.2.2", 6379))
    found, _ = imported(folder, packets.pcap(t.packets[5:]))
    assert logs.closed(folder / "out")[1]["server"] == "192.0.2.2:6379"
    assert found[1].bytes("s") == ANSWER and found[1].bytes("c") == b""


def test_begins_with_syn_ack(folder):
    whole(the_log(folder, packets.pcap(talk(client=("192.0.2.1", 7), server=("192.0.2.2", 40000)).packets[1:])))
    assert logs.closed(folder / "out")[1]["client"] == "192.0.2.1:7"


def test_syn_ack_missing(folder):
    t = talk()
    whole(the_log(folder, packets.pcap(t.packets[:1] + t.packets[2:])))


@pytest.mark.parametrize("side", ["c", "s"])
def test_syn_ack_missing_and_reset(folder, side):
    """A reset behind data is not one of the handshake, whatever of that was captured."""
    t = Talk().open().send("c", REQUEST).send("s", ANSWER).reset(side)
    log = the_log(folder, packets.pcap(t.packets[:1] + t.packets[2:]))
    assert (log.bytes("c"), log.bytes("s")) == (REQUEST, ANSWER) and log.ends() == [f"{side} err"]


def test_one_direction_only_and_reset(folder):
    t = Talk().open().send("c", REQUEST).send("s", ANSWER).send("c", REQUEST).reset("c")
    log = the_log(folder, packets.pcap([p for p in t.packets if packets.tcp_of(p)[0] == t.ends["c"]]))
    assert log.bytes("c") == REQUEST * 2 and log.ends() == ["c err"]


def test_ends_in_the_middle(folder):
    found, said = imported(folder, packets.pcap(talk().packets[:6]))
    assert said == "" and found[1].ends() == [] and found[1].bytes("s") == ANSWER[:1448]
    assert logs.closed(folder / "out")[1]["end"] == "killed"


@pytest.mark.parametrize("side", ["c", "s"])
def test_one_direction_only(folder, side):
    """Of a capture that has one direction, that one is imported, and the other is told to be missing."""
    t = talk()
    heard = [p for p in t.packets if packets.tcp_of(p)[0] == t.ends[side]]
    found, _ = imported(folder, packets.pcap(heard), status=1)
    other = Talk.other(side)
    assert found[1].bytes(side) == {"c": REQUEST, "s": ANSWER}[side]
    assert found[1].bytes(other) == b"" and found[1].ends()[-1] == f"{other} err"


def test_damaged_capture(folder):
    content = packets.pcap(talk().packets)
    found, said = imported(folder, content[:-60], status=1)
    assert "truncated" in said and found[1].bytes("s") == ANSWER
    compressed = packets.gzip.compress(content)
    result = run("import", packets.write(folder / "cut.gz", compressed[:-30]), folder / "cut")
    assert result.returncode == 1 and b"cut short" in result.stderr


@pytest.mark.parametrize("captured", [2**31 - 1, 2**32 - 1, 300_000])
def test_hostile_lengths(folder, captured):
    """A length field allocates no more than the file holds."""
    content = packets.pcap(talk().packets[:3]) + packets.struct.pack("<IIII", 1, 1, captured, captured)
    _, said = imported(folder, content, status=1)
    assert len(said.splitlines()) == 1
