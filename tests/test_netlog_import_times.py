"""netlog import of captures whose packets are not in the order of time, as `mergecap -a later earlier` makes them."""
import pytest

from harness import logs, packets, tshark
from harness.netlog import good
from harness.packets import EPOCH, Talk
from harness.peers import Server, echo
from harness.replay import at, equal

SECOND = 10**9
# what each connection says, when it begins and how long it waits between packets, in seconds; as they are captured
LATER, EARLIER, LAST = (b"later", 100, 0.001), (b"earlier", 0, 0.5), (b"last", 101, 0.001)


@pytest.fixture
def root(folder):
    """Of what a client sends and gets back."""
    sent = []
    for n, (word, begin, step) in enumerate((LATER, EARLIER, LAST), 1):
        t = Talk(client=("192.0.2.1", 40000 + n), begin=EPOCH + begin * SECOND, step=int(step * SECOND), packets=sent)
        t.open().send("c", word).send("s", word).close()
    good("import", packets.write(folder / "capture", packets.pcap(sent)), folder / "log")
    return folder / "log"


def times(log):
    return [round(record.time, 6) for record in log.records]


def test_times_and_index(root):
    found, index = logs.load_all(root), logs.closed(root)
    assert {n: times(log) for n, log in found.items()} == {
        1: [0, 0.003, 0.005, 0.007, 0.008],
        2: [0, 1.5, 2.5, 3.5, 4],
        3: [101, 101.003, 101.005, 101.007, 101.008],
    }
    assert {n: (e["start"], e["time"], e["connect"], e["duration"]) for n, e in index.items()} == {
        1: ("2023-11-14T22:15:00.000000Z", 0, 0.001, 0.008),
        2: ("2023-11-14T22:13:20.000000Z", 0, 0.5, 4),
        3: ("2023-11-14T22:15:01.000000Z", 101, 0.001, 0.008),
    }
    assert index[1]["run"] != index[2]["run"] == index[3]["run"], "the logs of a run have one zero"


def test_order_is_the_wall_clock_s(root, folder):
    """Of what is shown, exported, and merged without its index."""
    words = [b"earlier", b"later", b"last"]
    listed = good("list", root).splitlines()
    assert [next(n for n in (40001, 40002, 40003) if f":{n}" in line) for line in listed[1:4]] == [40002, 40001, 40003]
    shown = good("show", "--side", "c", root)
    assert sorted(words, key=lambda word: shown.index(word.decode())) == words
    good("pcap", "-w", folder / "again", root)
    frames = tshark.fields(folder / "again", "frame.time_epoch", "tcp.payload", where="tcp.len>0 and tcp.dstport==80")
    assert [(float(time) - EPOCH / SECOND, bytes.fromhex(word)) for time, word in frames] == [
        (pytest.approx(1.5, abs=1e-3), b"earlier"),
        (pytest.approx(100.003, abs=1e-3), b"later"),
        (pytest.approx(101.003, abs=1e-3), b"last"),
    ]
    good("merge", "-o", folder / "new", root)
    merged = logs.load_all(folder / "new").values()
    assert [(log.bytes("c"), times(log)[0]) for log in merged] == list(zip(words, (0, 100, 101)))


def test_replay_in_the_order_of_the_wall_clock(root, folder):
    with Server(echo) as server:
        equal("--max-gap", "100ms", "-r", folder / "replayed", at(server), root)
    assert [log.bytes("c") for log in logs.load_all(folder / "replayed").values()] == [b"earlier", b"later", b"last"]
