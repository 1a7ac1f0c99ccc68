"""netlog pcap: captures that Wireshark has nothing to say about, with all that the logs hold."""
import os
import subprocess
from pathlib import Path

import pytest

from harness import logs, tshark
from harness.netlog import NETLOG, SAMPLE, con, data, end, good, refused, run, write
from harness.shapes import BROKEN, SHAPES

OLD = sorted((Path(__file__).parent / "data/2010").iterdir())
FAMILIES = {"IPv4": [], "IPv6": ["--client", "2001:db8::1", "--server", "[2001:db8::2]:7000"], "both": ["--client", "::1", "--server", "10.0.0.1"]}


@pytest.fixture
def shapes(folder):
    """All shapes as one recording."""
    for n, (log, _, _) in enumerate(SHAPES.values(), 1):
        write(folder / f"log_{n}", log)
    return folder / "log"


def order(path):
    """Names of the logs in the order of the connections in the capture, by the comments."""
    return [comment for _, comment in tshark.fields(path, "tcp.stream", "frame.comment", where="frame.comment")]


@pytest.mark.parametrize("more", [*FAMILIES.values(), ["-F", "pcap"], ["--mss", "65495"]], ids=[*FAMILIES, "classic", "largest"])
def test_no_complaint_about_any_shape(folder, shapes, more):
    good("pcap", "-w", folder / "out", *more, shapes)
    assert tshark.complaints(folder / "out") == []
    assert tshark.malformed(folder / "out") == []
    assert tshark.tcpdump_lines(folder / "out") == len(tshark.fields(folder / "out", "frame.number"))


@pytest.mark.parametrize("more", FAMILIES.values(), ids=FAMILIES)
def test_bytes_of_any_shape(folder, shapes, more):
    good("pcap", "-w", folder / "out", *more, shapes)
    found = tshark.streams(folder / "out", len(SHAPES))
    names = dict(zip((f"log_{n}" for n in range(1, len(SHAPES) + 1)), SHAPES.values()))
    seen = []
    for stream, (number, *_) in zip(found, tshark.fields(folder / "out", "tcp.stream", where="tcp.flags.syn==1 and tcp.flags.ack==0")):
        seen.append(number)
    for name, stream in zip(order(folder / "out"), [found[int(n)] for n in seen]):
        _, client, server = names.pop(name)
        assert (name, stream.sent["c"], stream.sent["s"]) == (name, client, server)
    # those without a beginning have no first packet that could tell their name
    assert sorted(names) == sorted(f"log_{n}" for n, name in enumerate(SHAPES, 1) if name.startswith("first part"))


@pytest.mark.parametrize("log", OLD, ids=[path.name for path in OLD])
def test_logs_of_2010(folder, log):
    result = run("pcap", "-w", folder / "out", log)
    assert result.returncode == (1 if log.name == "sig-TERM_1" else 0)
    assert tshark.complaints(folder / "out") == []
    stream = tshark.streams(folder / "out", 1)[0]
    # of the one that a kill has cut, what is there of the last record is in the capture too
    text = good("json", log) if result.returncode == 0 else run("json", log).stdout.decode()
    assert stream.sent == json_bytes(text)
    assert tshark.tcpdump_lines(folder / "out") > 1
    assert order(folder / "out") == [log.name]


def json_bytes(text):
    import base64
    import json

    both = {"c": b"", "s": b""}
    for line in text.splitlines():
        record = json.loads(line)
        both[record["side"]] += base64.b64decode(record.get("data", ""))
    return both


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_log_gives_what_is_there(folder, name):
    log, client, server = BROKEN[name]
    write(folder / "log_1", log)
    write(folder / "log_2", SAMPLE)
    result = run("pcap", "-w", folder / "out", folder / "log")
    assert result.returncode == (0 if name == "empty" else 1)
    assert len(result.stderr.splitlines()) == (0 if name == "empty" else 1)
    assert tshark.complaints(folder / "out") == []
    comments = order(folder / "out")
    assert "log_2" in comments
    if "log_1" in comments:
        stream = tshark.streams(folder / "out", 2)[comments.index("log_1")]
        assert stream.sent["c"].startswith(client) and stream.sent["s"] == server


def test_what_no_connection_can_do_is_left_out_and_told(folder):
    strange = [con(), end("c", 0.1), data("c", 0.2, b"late"), data("s", 0.3, b"fine"), end("s", 0.4, "err"), end("s", 0.5)]
    write(folder / "log_1", strange)
    line = refused("pcap", "-w", folder / "out", folder / "log_1", status=1)
    assert "log_1: byte" in line and "c data" in line
    assert tshark.complaints(folder / "out") == []
    assert tshark.streams(folder / "out", 1)[0].sent == {"c": b"", "s": b"fine"}


@pytest.mark.slow
def test_no_complaint_about_tiny_segments(folder, shapes):
    good("pcap", "-w", folder / "out", "--mss", "7", shapes)
    assert tshark.complaints(folder / "out") == []


def flags(path):
    names = {"0x0002": "SYN", "0x0012": "SYN,ACK", "0x0010": "ACK", "0x0018": "data", "0x0011": "FIN", "0x0014": "RST"}
    return [(int(port), names[value]) for port, value in tshark.fields(path, "tcp.srcport", "tcp.flags")]


def test_ends_as_they_happened(folder):
    half = [con(), data("c", 1, b"q"), end("c", 2), data("s", 3, b"a"), end("s", 4)]
    write(folder / "log_1", half)
    good("pcap", "-w", folder / "out", folder / "log_1")
    c, s = 49152, 60000
    shake = [(c, "SYN"), (s, "SYN,ACK"), (c, "ACK")]
    assert flags(folder / "out") == shake + [(c, "data"), (s, "ACK"), (c, "FIN"), (s, "ACK"), (s, "data"), (c, "ACK"), (s, "FIN"), (c, "ACK")]
    for side, port in (("c", c), ("s", s)):
        write(folder / "log_1", [con(), end(side, 1, "err")])
        good("pcap", "-w", folder / "out", folder / "log_1")
        assert flags(folder / "out") == shake + [(port, "RST")]
    write(folder / "log_1", [con()])
    good("pcap", "-w", folder / "out", folder / "log_1")
    assert flags(folder / "out") == [(c, "SYN"), (s, "RST")]


def test_segments_are_not_larger_than_asked_for(folder):
    write(folder / "log_1", SHAPES["large record"][0])
    for options, most in ([], 1460), (["--client", "::1", "--server", "::2"], 1440), (["--mss", "9000"], 9000):
        good("pcap", "-w", folder / "out", *options, folder / "log_1")
        sizes = [int(size) for size, in tshark.fields(folder / "out", "tcp.len", where="tcp.len > 0")]
        assert max(sizes) == most and sum(sizes) == 3 << 20
        assert set(sizes[:-1]) == {most}, "only the last one may be smaller"
        assert {size for size, in tshark.fields(folder / "out", "tcp.options.mss_val", where="tcp.flags.syn==1")} == {str(most)}


def test_times_are_those_of_the_records_and_never_fall(folder, shapes):
    good("pcap", "-w", folder / "out", shapes)
    times = [float(time) for time, in tshark.fields(folder / "out", "frame.time_epoch")]
    assert min(times) == 0.0
    write(folder / "log_1", SHAPES["large record"][0])
    good("pcap", "-w", folder / "out", folder / "log_1")
    times = [time for time, in tshark.fields(folder / "out", "frame.time_epoch", where="tcp.len > 0")]
    assert times == sorted(times) and times[0] == "0.100000000" and times[-1] == "0.100000999"


def test_output_goes_to_stdout_and_both_ways_are_alike(folder):
    log = write(folder / "log_1")
    for option in [], ["-F", "pcap"]:
        good("pcap", "-w", folder / "out", *option, log)
        content = (folder / "out").read_bytes()
        assert run("pcap", *option, log).stdout == run("pcap", "-w", "-", *option, log).stdout == content
        assert run("pcap", *option, "-", stdin=log.read_bytes()).returncode == 0
        assert content[:4] == (b"\xd4\xc3\xb2\xa1" if option else b"\n\r\r\n")
    assert (folder / "out").stat().st_mode & 0o777 == 0o600


def test_output_that_cannot_be_written(folder):
    log = write(folder / "log_1", SHAPES["large record"][0])
    before = log.read_bytes()
    assert "one of the logs" in refused("pcap", "-w", log, log)
    os.link(log, folder / "link")
    assert "one of the logs" in refused("pcap", "-w", folder / "link", folder / "log")
    assert log.read_bytes() == before
    assert "No such file" in refused("pcap", "-w", folder / "missing/out", log)
    assert "No space left" in refused("pcap", "-w", "/dev/full", log)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        result = run("pcap", log, stdout=stream)
    assert (result.returncode, result.stderr) == (2, b"")


@pytest.mark.parametrize("words", [["--mss", "0"], ["--mss", "65496"], ["--client", "nobody"], ["--server", "1.2.3.4:0"], ["--server", "[::1"], ["-F", "erf"]])
def test_wrong_options(folder, words):
    line = refused("pcap", *words, "-w", folder / "out", write(folder / "log_1"))
    assert words[1] in line
    assert not (folder / "out").exists()


def test_capture_tells_what_it_holds(folder):
    write(folder / "log_1")
    good("pcap", "-w", folder / "out", folder / "log_1")
    told = subprocess.run(["capinfos", folder / "out"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "Capture application: netlog" in told
    assert f"Capture comment:     {folder}/log_1" in told
    assert "nanoseconds" in told and "Strict time order:   True" in told


def test_names_that_need_escapes_are_whole_in_the_comment(folder):
    for name in ("lé_1", "中_1", "plain_1"):
        write(folder / name)
    good("pcap", "-w", "out", "lé_1", "中_1", "plain_1", cwd=folder)
    told = subprocess.run(["capinfos", "-k", folder / "out"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert told.endswith(r"Capture comment:     l\M-C\M-)_1 \M-d\M-8\M--_1 plain_1" + "\n")


def test_two_thousand_logs_at_once(folder):
    for n in range(1, 2001):
        write(folder / f"log_{n}", [con(n / 1000), data("c", 3 + n / 1000, b"%d" % n), end("c", 9)])
    good("pcap", "-w", folder / "out", folder / "log")
    assert tshark.complaints(folder / "out") == []
    assert len(set(tshark.fields(folder / "out", "tcp.srcport", where="tcp.flags==2"))) == 2000


def test_help_tells_the_defaults():
    text = good("pcap", "--help")
    assert "192.0.2.1:49152" in text and "198.51.100.1:60000" in text
    assert NETLOG.exists()
