"""netlog import of conversations cut, repeated, put out of order and thinned at random."""
import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import logs, packets
from harness.netlog import run
from harness.packets import ACK, PSH, Talk

TURNS = st.lists(st.tuples(st.sampled_from("cs"), st.integers(1, 3000), st.integers(1, 1460)), min_size=1, max_size=12)
ISN = st.sampled_from([0, 1000, 2**31 - 10, 2**32 - 1, 2**32 - 700])


def conversation(turns, isns, dice, copies):
    """Packets of a whole connection, some of whose bytes are sent again in other pieces; and what each side sent."""
    t = Talk(isn=isns).open()
    begin, sent = dict(t.seq), {"c": b"", "s": b""}
    for side, size, mss in turns:
        t.mss = mss
        content = dice.randbytes(size)
        sent[side] += content
        t.send(side, content, acked=dice.random() < 0.5)
        if dice.random() < copies:
            again = dice.choice("cs")
            start = dice.randint(0, len(sent[again]))
            # with PSH as the original had: a single byte without it is a keep-alive's
            t.raw(again, begin[again] + start, t.seq[t.other(again)], PSH | ACK, sent[again][start : start + dice.randint(0, 4000)])
    return t.close(dice.choice("cs")).packets, sent, begin


def imported(sent):
    """The connection's log, its index entry, and the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="netrecord-test-"))
    try:
        result = run("import", packets.write(folder / "in", packets.pcap(sent)), folder / "out")
        return logs.load(folder / "out", 1), logs.closed(folder / "out")[1], result.returncode
    finally:
        shutil.rmtree(folder)


@given(TURNS, st.tuples(ISN, ISN), st.sampled_from([1, 3, 10, 40]), st.sampled_from([0, 0.5]), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_missing(turns, isns, within, copies, seed):
    dice = random.Random(seed)
    whole, sent, _ = conversation(turns, isns, dice, copies)
    log, entry, status = imported(packets.shuffled(whole, within, seed))
    assert (log.bytes("c"), log.bytes("s")) == (sent["c"], sent["s"])
    assert status == 0 and sorted(log.ends()) == ["c hup", "s hup"]
    assert "midway" not in entry and entry["lost"] == 0
    if copies == 0:  # each side sent when it had received all before it
        steps = [f"{side} data" for n, (side, _, _) in enumerate(turns) if n == 0 or turns[n - 1][0] != side]
        found = log.shape().split(", ")
        assert [step for step in found if "data" in step] == steps


def first_hole(pieces, end):
    """(offset, size) of what none of the stretches has."""
    at = 0
    for begin, size in sorted(pieces):
        if begin > at:
            return at, begin - at
        at = max(at, begin + size)
    return (at, end - at) if at < end else None


@given(TURNS, st.tuples(ISN, ISN), st.sampled_from([1, 10]), st.sampled_from([0, 0.5]), st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.3]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_missing_is_told(turns, isns, within, copies, seed, loss):
    """Data segments are taken out: the log has what stood before the hole, and says where and how large that is."""
    dice = random.Random(seed)
    whole, sent, begin = conversation(turns, isns, dice, copies)
    kept = [p for p in whole if not packets.tcp_of(p)[4] or dice.random() > loss]
    pieces = {"c": [], "s": []}
    for packet in kept:
        source, _, seq, _, payload = packets.tcp_of(packet)
        side = "c" if source[1] == 40000 else "s"
        if payload:
            pieces[side].append(((seq - begin[side]) % 2**32, len(payload)))
    holes = {side: first_hole(pieces[side], len(sent[side])) for side in "cs"}
    log, entry, status = imported(packets.shuffled(kept, within, seed))
    for side in "cs":
        assert sent[side].startswith(log.bytes(side))
    if holes == {"c": None, "s": None}:
        assert status == 0 and (log.bytes("c"), log.bytes("s")) == (sent["c"], sent["s"])
        return
    side = entry["gap_side"]
    assert status == 1 and holes[side] == (entry["gap_offset"], entry["gap_size"])
    assert len(log.bytes(side)) == entry["gap_offset"] and log.ends()[-1] == f"{side} err"
    assert entry["lost"] == sum(len(sent[s]) - len(log.bytes(s)) for s in "cs")
