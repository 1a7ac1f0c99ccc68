"""Reports in all formats: right, and accepted by the programs that read such."""
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from harness.proc import run
from harness.peers import Server, echo
from harness.replay import NETREPLAY, at, expect, replay
from harness.scripted import Scripted, recording
from harness.serve import dialog, write_logs

NASTY = b"\x1b[31mred\x1b[0m <script>alert('&\"]]>')</script> \x00\xff\xfe\r\n# not ok 1 - \\ \xe2\x80\xa8 {\"a\": 1}\x07\n"
DIALOG = [(b"ONE\n", b"plain answer\n"), (b"TWO\n", b"before " + NASTY + b"behind\n")]
DAMAGED = [b"c 0.000000 con\nc 0.100000 4\nONE\ns 0.200000 13\nplain answer\ngarbage\n"]


def case(name, logroot):
    """A server and a recording for each way a replay may end, and its exit status."""
    good, bad = Scripted(DIALOG), Scripted(DIALOG, lambda sock, _n, answer: sock.sendall(answer.replace(b"before", b"behind")))
    ugly = Scripted(DIALOG, lambda sock, _n, answer: sock.sendall(answer.replace(b"\x1b[31m", b"\x1b[0;5;44m\x9b7m")))
    whole = recording(DIALOG)
    hello = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("00000213010100")
    tls = dialog(("c", hello), ("s", b"\x16\x03\x03\x00\x02\x02\x00"), start=0.3)
    return {
        "equal": (good, [whole, recording(DIALOG, start=0.2)], 0),
        "different": (bad, [whole, recording(DIALOG, start=0.2)], 1),
        "nasty": (ugly, [whole], 1),
        "skipped": (good, [whole, tls], None),
        "damaged": (good, [whole, DAMAGED], 1),
    }[name]


CASES = pytest.mark.parametrize("name", ["equal", "different", "nasty", "skipped", "damaged"])


def report(name, output, logroot, *options):
    server, recorded, status = case(name, logroot)
    root = write_logs(logroot, *recorded)
    with server:
        done = replay("-o", output, *options, at(server), root)
    assert status is None or done.status == status, done
    return done


@CASES
def test_tap_and_prove(folder, logroot, name):
    done = report(name, "tap", logroot)
    (folder / "report.tap").write_text(done.out)
    proved = run("prove", "-e", "cat", folder / "report.tap", check=False)
    failed = [line for line in done.out.splitlines() if line.startswith("not ok")]
    assert (proved.returncode == 0) == (not failed), (proved.stdout, done)
    assert b"Parse errors" not in proved.stdout and b"No plan" not in proved.stdout, proved.stdout
    assert bool(failed) == (name in ("different", "nasty", "damaged"))
    assert "TAP version 13" == done.out.splitlines()[0]
    assert re.search(r"^1\.\.\d+$", done.out, re.M)
    assert "log_1" in done.out
    if name == "skipped":
        assert re.search(r"^ok \d+ - .*log_2.* # SKIP.*TLS", done.out, re.M | re.I), done.out


@CASES
def test_junit_and_xmllint(folder, logroot, name):
    done = report(name, "junit", logroot)
    path = folder / "report.xml"
    path.write_text(done.out)
    run("xmllint", "--noout", path)
    tree = ElementTree.fromstring(done.out)
    suite = tree if tree.tag == "testsuite" else tree.find("testsuite")
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.get("tests")) >= 1
    bad = suite.findall("testcase/failure") + suite.findall("testcase/error")
    assert int(suite.get("failures", 0)) + int(suite.get("errors", 0)) == len(bad)
    assert bool(bad) == (name in ("different", "nasty", "damaged"))
    assert len(suite.findall("testcase/skipped")) == (name == "skipped")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in "".join(tree.itertext()))


@CASES
def test_json_and_jq(folder, logroot, name):
    done = report(name, "json", logroot)
    path = folder / "report.json"
    path.write_text(done.out)
    names = run("jq", "-r", ".connections[].name", path).stdout.decode().split()
    assert "log_1" in names, "they are told in the order in which they end"
    summary = json.loads(run("jq", ".summary", path).stdout)
    assert sum(summary["connections"].values()) == len(names)
    differing = run("jq", "-e", "[.connections[] | select(.result == \"different\") | .details[]] | length > 0", path, check=False)
    assert (differing.returncode == 0) == (name in ("different", "nasty"))


@CASES
def test_text(logroot, name):
    done = report(name, "text", logroot)
    assert not [c for c in done.out if ord(c) < 32 and c != "\n" or ord(c) > 126], "control characters reach the terminal"
    if name == "different":
        assert "log_1" in done.out and "byte 15" in done.out, done.out
        assert "before" in done.out and "behind" in done.out


def test_text_of_a_difference_shows_both_sides(logroot):
    root = write_logs(logroot, recording([(b"GET\n", b"price: 17 EUR\n")]))
    with Scripted([(b"GET\n", b"")], lambda sock, *_: sock.sendall(b"price: 19 EUR\n")) as server:
        out = expect(1, at(server), root).out
    assert "17" in out and "19" in out or "7" in out and "9" in out
    assert "byte 8" in out


def test_colour_on_a_terminal_only(folder, logroot):
    root = write_logs(logroot, recording([(b"GET\n", b"price: 17 EUR\n")]))
    with Scripted([(b"GET\n", b"")], lambda sock, *_: sock.sendall(b"price: 19 EUR\n")) as server:
        words = f"{NETREPLAY} {at(server)} {root}"
        shown = run("script", "-qec", words, "/dev/null", check=False).stdout
        assert b"\x1b[" in shown
        plain = run("script", "-qec", words + " -o json", "/dev/null", check=False).stdout
        assert b"price" not in plain or b"\x1b[31m" not in plain


def test_many_differences_are_counted_not_all_shown(logroot):
    """A text report for a person: the first ones, and how many there are."""
    recorded = [(b"GET %d\n" % n, b"%d: %s\n" % (n, b"the same long text again and again")) for n in range(300)]
    root = write_logs(logroot, recording(recorded, pause=0.0005))
    with Scripted(recorded, lambda sock, _n, answer: sock.sendall(answer.replace(b"long", b"LONG"))) as server:
        out = expect(1, "-t", "fast", at(server), root).out
    assert "300" in out and len(out.splitlines()) < 400, out


def test_every_connection_is_reported_once(logroot):
    root = write_logs(logroot, *(dialog(("c", b"%d\n" % n), ("s", b"%d\n" % n), start=n / 100) for n in range(20)))
    with Server(echo) as server:
        for output in ("tap", "junit", "json"):
            out = expect(0, "-o", output, at(server), root).out
            for n in range(1, 21):
                assert len(re.findall(rf"log_{n}\b", out)) == 1, (output, n)
