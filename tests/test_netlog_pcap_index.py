"""netlog pcap with an index beside the logs: true addresses and times; and what stands for those that are not known."""
import json

from harness import tshark
from harness.netlog import con, data, end, entry, good, write

SMALL = [con(5), data("c", 5.5, b"question"), data("s", 5.75, b"answer"), end("c", 6), end("s", 6.25)]
START = "2026-11-21T03:02:01.000000Z"  # of `con`: epoch 1795230121
EPOCH = 1795230121


def index(folder, *lines):
    (folder / "log_index.jsonl").write_text("".join(lines))


def changed(line, **fields):
    """The index lines with other values."""
    return "".join(json.dumps({**json.loads(one), **fields}) + "\n" for one in line.splitlines())


def export(folder, *options, complaints=True):
    good("pcap", "-w", folder / "out", *options, folder / "log")
    if complaints:
        assert tshark.complaints(folder / "out") == []
    return folder / "out"


def packets(path, where="frame"):
    """(time after EPOCH, source, port, length, flags) of each packet."""
    names = ["frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "tcp.len", "tcp.flags.str"]
    found = []
    for time, four, six, port, size, text in tshark.fields(path, *names, where=where):
        seconds, nanoseconds = time.split(".")
        found.append((f"{int(seconds) - EPOCH}.{nanoseconds}", four or six, int(port), int(size), text.replace("·", "")))
    return found


def test_addresses_and_times_are_those_of_the_index(folder):
    write(folder / "log_1", SMALL)
    index(folder, changed(entry(1, START, 5.0), client="[2001:db8::7]:4321", server="[2001:db8::8]:443", connect=0.25))
    client, server = "2001:db8::7", "2001:db8::8"
    assert packets(export(folder)) == [
        ("0.000000000", client, 4321, 0, "S"),
        ("0.250000000", server, 443, 0, "AS"),
        ("0.250000001", client, 4321, 0, "A"),
        ("0.500000000", client, 4321, 8, "AP"),
        ("0.500000001", server, 443, 0, "A"),
        ("0.750000000", server, 443, 6, "AP"),
        ("0.750000001", client, 4321, 0, "A"),
        ("1.000000000", client, 4321, 0, "AF"),
        ("1.000000001", server, 443, 0, "A"),
        ("1.250000000", server, 443, 0, "AF"),
        ("1.250000001", client, 4321, 0, "A"),
    ]


def test_server_that_accepts_late_does_not_hold_up_others(folder):
    """The answer of one connection has its place among the packets of another."""
    write(folder / "log_1", [con(5), end("c", 9)])
    write(folder / "log_2", [con(5.1), *[data("c", 5.2 + i / 10, b"x") for i in range(5)], end("c", 6)])
    first, second = entry(1, START, 5.0, connect=0.35), entry(2, "2026-11-21T03:02:01.100000Z", 5.1, connect=0.0)
    index(folder, first, second)
    times = [float(time) for time, *_ in packets(export(folder))]
    assert times == sorted(times)
    accepted = packets(folder / "out", "tcp.flags==0x12")
    assert [time for time, *_ in accepted] == ["0.100000001", "0.350000000"]


def test_data_before_the_server_accepted(folder):
    """The recorder takes a client's bytes at once; a TCP client would have had to wait."""
    write(folder / "log_1", [con(5), data("c", 5.1, b"hasty"), end("c", 6)])
    index(folder, entry(1, START, 5.0, connect=0.5))
    assert [(time, text) for time, _, _, _, text in packets(export(folder))][:4] == [
        ("0.000000000", "S"),
        ("0.100000000", "AS"),
        ("0.100000001", "A"),
        ("0.100000002", "AP"),
    ]


def test_server_that_refused_or_was_never_heard_of(folder):
    write(folder / "log_1", [con(5)])
    closed = entry(1, START, 5.0, connect=None, end="refused", duration=0.125)
    index(folder, closed)
    server = ("0.125000000", "192.0.2.2", 80, 0, "AR")
    assert packets(export(folder)) == [("0.000000000", "192.0.2.1", 40001, 0, "S"), server]
    index(folder, entry(1, START, 5.0, connect=None, end="killed"))
    assert [text for *_, text in packets(export(folder, complaints=False))] == ["S"]
    # accepted, and nothing more
    index(folder, entry(1, START, 5.0, connect=0.5, end="killed"))
    assert [text for *_, text in packets(export(folder, complaints=False))] == ["S", "AS", "A"]
    # still open, as far as the index knows
    index(folder, entry(1, START, 5.0, closed=False))
    assert [text for *_, text in packets(export(folder, complaints=False))] == ["S", "AS", "A"]


def test_ipv4_client_of_an_ipv6_server(folder):
    write(folder / "log_1", SMALL)
    index(folder, changed(entry(1, START, 5.0), client="127.0.0.1:4321", server="[::1]:80"))
    assert {source for _, source, *_ in packets(export(folder))} == {"::ffff:127.0.0.1", "::1"}


def test_unix_sockets_and_unknown_ones(folder):
    for n, (client, server) in enumerate([("unix:", "unix:/run/redis.sock"), ("", "unix:/run/redis.sock"), ("10.0.0.1:99", "unix:/run/redis.sock")], 1):
        write(folder / f"log_{n}", SMALL)
        with open(folder / "log_index.jsonl", "a", encoding="ascii") as file:
            file.write(changed(entry(n, START, 5.0), client=client, server=server))
    found = {(source, port) for _, source, port, _, text in packets(export(folder)) if text == "S"}
    assert found == {("192.0.2.1", 49152), ("192.0.2.1", 49153), ("10.0.0.1", 99)}
    assert {(source, port) for _, source, port, _, text in packets(folder / "out") if text == "AS"} == {("198.51.100.1", 60000)}
    names = tshark.tshark("-r", folder / "out", "-q", "-z", "hosts")
    assert "198.51.100.1\tunix:/run/redis.sock" in names and "192.0.2.1\tclient" in names


def test_loopback_is_named_localhost(folder):
    write(folder / "log_1", SMALL)
    index(folder, changed(entry(1, START, 5.0), client="127.0.0.1:4321", server="127.0.0.1:80"))
    assert "127.0.0.1\tlocalhost" in tshark.tshark("-r", export(folder), "-q", "-z", "hosts")


def test_options_stand_before_the_index(folder):
    write(folder / "log_1", SMALL)
    index(folder, entry(1, START, 5.0))
    cases = {
        ("--client", "10.9.8.7"): {("10.9.8.7", 40001), ("192.0.2.2", 80)},
        ("--client", "10.9.8.7:7", "--server", ":443"): {("10.9.8.7", 7), ("192.0.2.2", 443)},
    }
    for options, ends in cases.items():
        out = export(folder, *options, complaints=False)
        assert {(source, port) for _, source, port, *_ in packets(out)} == ends


def test_same_client_twice_is_not_taken_for_one_connection(folder):
    lines = []
    for n in range(1, 40):
        write(folder / f"log_{n}", [con(n), data("c", n + 0.1, b"%d" % n), end("c", n + 0.2), end("s", n + 0.3)])
        lines.append(changed(entry(n, f"2026-11-21T03:02:{n:02}.000000Z", float(n)), client="192.0.2.1:5000"))
    index(folder, *lines)
    found = tshark.streams(export(folder), 39)
    assert [stream.sent["c"] for stream in found] == [b"%d" % n for n in range(1, 40)]
    assert len({stream.client for stream in found}) == 39
    comments = [text for text, in tshark.fields(folder / "out", "frame.comment", where="frame.comment")]
    assert comments[0] == "log_1"
    assert comments[1].startswith("log_2: ") and "192.0.2.1:5000" in comments[1]


def test_recordings_are_merged_by_the_wall_clock(folder):
    write(folder / "old_1", [con(1000), data("c", 1001, b"first"), end("c", 1003)])
    write(folder / "new_1", [con(0.5), data("c", 1.5, b"second"), end("c", 2)])
    (folder / "old_index.jsonl").write_text(entry(1, START, 1000.0, log="old_1"))
    (folder / "new_index.jsonl").write_text(changed(entry(1, "2026-11-21T03:02:01.500000Z", 0.5, log="new_1"), client="192.0.2.9:1"))
    good("pcap", "-w", folder / "out", folder / "new", folder / "old")
    assert [(time, size) for time, _, _, size, _ in packets(folder / "out", "tcp.len>0")] == [("1.000000000", 5), ("1.500000000", 6)]


def test_hostile_index(folder):
    """Names and numbers of the index reach neither the terminal nor the clock as they are."""
    write(folder / "log_1", SMALL)
    lines = changed(entry(1, START, 5.0), client="unix:/\x1b[31m" + "x" * 90, server="[::1%evil]:80")
    index(folder, lines.replace('"connect": 0.001', '"connect": 9e9').replace('"duration": 1.5', '"duration": -9e9'))
    export(folder)
    assert len(packets(folder / "out")) == 11
    index(folder, lines.replace(START, "2262-04-11T00:00:00.000000Z"))
    write(folder / "log_1", b"c 999999999.000000 con\nc 1000000000.000000 hup\ns 1000000000.000000 hup\n")
    good("pcap", "-w", folder / "out", folder / "log")
    assert tshark.tcpdump_lines(folder / "out") == 7
