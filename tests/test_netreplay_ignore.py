"""-i and -I: what counts as equal whatever it is."""
import pytest

from harness.peers import Server, echo
from harness.replay import at, different, equal, refused
from harness.scripted import Scripted, recording
from harness.serve import dialog, write_logs

PING = dialog(("c", b"PING\r\n"), ("s", b"PING\r\n"))


@pytest.fixture
def server():
    with Server(echo) as server:
        yield server


def test_unused_mask_is_warned_of(server, logroot):
    root = write_logs(logroot, PING)
    done = equal("-i", "never-there", "-i", "PI[NM]G", at(server), root)
    assert "matched nothing: never-there\n" in done.out and "matched nothing: PI" not in done.out, done
    (mask,) = [mask for mask in equal("-o", "json", "-i", "PING", at(server), root).json["summary"]["masks"]]
    assert (mask["matches"], mask["bytes"]) == (1, 4)


def test_ignore_options_and_files(folder, logroot):
    recorded = [(b"GET\n", b"id=17 date=monday rest=same\n")]
    root = write_logs(logroot, recording(recorded))
    patterns = folder / "patterns"
    patterns.write_text("# two of them\n\nid=[0-9]+\n  \ndate=[a-z]+\n")
    with Scripted(recorded, lambda sock, *_: sock.sendall(b"id=4096 date=friday rest=same\n")) as live:
        different(at(live), root)
        different("-i", "id=[0-9]+", at(live), root)
        equal("-i", "id=[0-9]+", "-i", "date=[a-z]+", at(live), root)
        equal("-I", patterns, at(live), root)
        equal("--ignore-file", patterns, at(live), root)
        equal("-I", "-", at(live), root, stdin=patterns.read_bytes())
        equal("-i", "date=[a-z]+", "-I", patterns, at(live), root)


def test_masks_of_bytes(logroot):
    recorded = [(b"GET\n", b"\0\x01KEY:\0\0\0\x07;tail of it all\n")]
    live = b"\0\x01KEY:\xff\n\r\x80;tail of it all\n"
    root = write_logs(logroot, recording(recorded))
    with Scripted(recorded, lambda sock, *_: sock.sendall(live)) as server:
        different("-i", r"KEY:....;", at(server), root)  # . is not a newline
        equal("-i", r"KEY:(.|\n){4};", at(server), root)
        equal("-i", r"\x4b\x45Y:[\x00-\xff]{4};", at(server), root)


def test_mask_file_with_a_mistake_names_its_line(folder, logroot):
    patterns = folder / "patterns"
    patterns.write_text("# fine\nid=[0-9]+\nbroken(\n")
    line = refused("-I", patterns, "127.0.0.1:1", write_logs(logroot, PING))
    assert str(patterns) in line and "3" in line
