"""netlog redact: secrets overwritten, everything else untouched."""
import os

import pytest

from harness import logs
from harness.netlog import SAMPLE, con, data, end, entry, good, refused, run, write

pytestmark = pytest.mark.core


def redact(*args, **options):
    """Run; returns what it counted, {pattern: matches}."""
    result = run("redact", *args, **options)
    assert result.returncode == 0, result
    lines = [line.split(" matches of ") for line in result.stderr.decode().splitlines()]
    return {rest.rsplit(" overwritten", 1)[0]: int(count.split()[-1]) for count, rest in lines}


def test_matches_are_overwritten_and_counted(folder):
    write(folder / "log_3", [con(0.5), data("c", 1, b"user=me&password=s3cret&x=1"), data("s", 2, b"password=echo"), end("c", 3)])
    assert redact("-e", "password=[^&]*", "-e", "nothing", "-o", folder / "new", folder / "log") == {"password=[^&]*": 2, "nothing": 0}
    assert (folder / "new_3").read_bytes() == b"".join(
        [con(0.5), data("c", 1, b"user=me&" + b"X" * 15 + b"&x=1"), data("s", 2, b"X" * 13), end("c", 3)]
    )
    assert oct((folder / "new_3").stat().st_mode)[-3:] == "600"


def test_across_records_of_one_side(folder):
    write(folder / "log_1", [con(), data("c", 1, b"aSEC"), data("s", 2, b"RET"), data("c", 3, b"R"), data("c", 4, b"ETb")])
    assert redact("-e", "SECRET", "-o", folder / "new", folder / "log") == {"SECRET": 1}
    assert (folder / "new_1").read_bytes() == b"".join(
        [con(), data("c", 1, b"aXXX"), data("s", 2, b"RET"), data("c", 3, b"X"), data("c", 4, b"XXb")]
    )


def test_patterns_do_not_hide_one_another(folder):
    write(folder / "log_1", [con(), data("c", 1, b"abcdefgh")])
    redact("-e", "bcd", "-e", "cdef", "-e", "a", "-o", folder / "new", folder / "log")
    assert (folder / "new_1").read_bytes() == con() + data("c", 1, b"XXXXXXgh")


def test_large_stream_with_matches_at_every_kind_of_border(folder):
    secret = b"\0SECRET\xff"
    payload = bytearray(os.urandom(1000000).replace(secret, b"x" * len(secret)))
    expected = bytearray(payload)
    for at in (0, 4090, 65532, 65540, 131070, 262140, 327676, 500000, 999992):
        payload[at : at + 8] = secret
        expected[at : at + 8] = b"X" * 8
    sizes = [1, 4095, 61436, 70000, 300000]
    records, wanted, at = [con()], [con()], 0
    for i, size in enumerate([*sizes, len(payload) - sum(sizes)]):
        records += [data("c", i + 1, payload[at : at + size]), data("s", i + 1, b"noise")]
        wanted += [data("c", i + 1, expected[at : at + size]), data("s", i + 1, b"noise")]
        at += size
    write(folder / "log_1", records)
    (count,) = redact("-e", r"\x00SECRET\xff", "-o", folder / "new", folder / "log").values()
    assert (folder / "new_1").read_bytes() == b"".join(wanted)
    assert count == 9


def test_index_is_copied(folder):
    write(folder / "log_2")
    write(folder / "log_9", SAMPLE[:3])
    (folder / "log_index.jsonl").write_text(
        entry(2, "2026-11-20T10:00:00.000000Z", 0.1, lost=3) + entry(9, "2026-11-20T11:00:00.000000Z", 0.1, closed=False)
    )
    redact("-e", "PING", "-o", folder / "new", folder / "log")
    events = logs.index(folder / "new")
    before = {(e["event"], e["n"]): e for e in logs.index(folder / "log")}
    assert len(events) == 3
    for event in events:
        assert event.pop("log") == f"new_{event['n']}"
        old = before[event["event"], event["n"]]
        old.pop("log")
        assert {k: v for k, v in event.items() if k in old} == old


def test_numbers_are_kept_only_in_a_fresh_logroot(folder):
    write(folder / "a_4")
    write(folder / "b_4", SAMPLE[:2])
    redact("-e", "x", "-o", folder / "new", folder / "a", folder / "b")
    assert (folder / "new_4").read_bytes() == b"".join(SAMPLE)
    assert (folder / "new_1").read_bytes() == b"".join(SAMPLE[:2])
    redact("-e", "x", "-o", folder / "new", folder / "a")
    assert (folder / "new_5").read_bytes() == b"".join(SAMPLE)


def test_standard_input_gzip_and_parts(folder):
    expected = b"".join(SAMPLE).replace(b"PONG", b"XXXX")
    redact("-e", "PONG", "-o", folder / "i", "-", stdin=b"".join(SAMPLE))
    assert (folder / "i_1").read_bytes() == expected
    write(folder / "z_1.gz")
    redact("-z", "-e", "PONG", "-o", folder / "new", folder / "z")
    assert logs.read_file(folder / "new_1.gz") == expected
    write(folder / "p_1", SAMPLE[:3])
    write(folder / "p_1.1", SAMPLE[3:])
    redact("-e", "PONG", "-o", folder / "joined", folder / "p")
    assert (folder / "joined_1").read_bytes() == expected


def test_temporary_file_is_gone(folder):
    (folder / "tmp").mkdir()
    redact("-e", "x", "-o", folder / "new", "-", stdin=b"".join(SAMPLE), env={"TMPDIR": str(folder / "tmp")})
    assert list((folder / "tmp").iterdir()) == []
    assert "temporary file" in refused("redact", "-e", "x", "-o", folder / "n2", "-", env={"TMPDIR": str(folder / "missing")})


def test_whole_records_of_damaged_logs_are_redacted(folder):
    write(folder / "log_1", [con(), data("c", 1, b"aSECRETb"), b"c 2.000000 100\nSECRET"])
    result = run("redact", "-e", "SECRET", "-o", folder / "new", folder / "log")
    assert result.returncode == 1
    assert b"cut short" in result.stderr
    assert (folder / "new_1").read_bytes() == con() + data("c", 1, b"aXXXXXXb")


def test_quiet_and_wrong_use(folder):
    write(folder / "log_1")
    assert good("redact", "-q", "-e", "x", "-o", folder / "new", folder / "log") == ""
    assert "no expression given" in refused("redact", "-o", folder / "new", folder / "log")
    assert "no new logroot given" in refused("redact", "-e", "x", folder / "log")
    assert "--expression: " in refused("redact", "-e", "(", "-o", folder / "new", folder / "log")
    assert "--expression: " in refused("redact", "-e", "x*", "-o", folder / "new", folder / "log")
