"""Times that no recorder writes: what a damaged log or index holds is played in its order, and never makes a time wrap."""
import pytest

from harness import logs
from harness.netlog import con, entry, write
from harness.peers import Server, echo
from harness.replay import at, equal
from harness.serve import ask

pytestmark = pytest.mark.core

FIRST, LAST = -9223372034, 9223372034


def dialog(begin, answered, over):
    """An echoed byte, and its end."""
    return [con(begin), b"c %d.000000 1\na" % begin, b"s %d.000000 1\na" % answered, b"c %d.000000 hup\ns %d.000000 hup\n" % (over, over)]


def recording(folder, indexed):
    for n, log in enumerate([dialog(FIRST, LAST, LAST), dialog(LAST, FIRST, FIRST), dialog(LAST, LAST, LAST)], start=1):
        write(folder / f"log_{n}", log)
    if indexed:
        lines = [
            entry(1, "2262-01-01T00:00:00Z", FIRST, duration=9223372036.0),
            entry(2, "1678-01-01T00:00:00Z", LAST, duration=-9223372036.0),
            entry(3, "2262-01-01T00:00:00Z", LAST, duration=9223372036.0),
        ]
        (folder / "log_index.jsonl").write_text("".join(lines))
    return folder / "log"


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    "options", [["-t", "fast"], ["--max-gap", "10ms"], ["--max-gap", "10ms", "-S", "0.5"], ["--max-gap", "10ms", "--carry", "b(.)"]]
)
def test_as_the_client(folder, options, indexed):
    root = recording(folder, indexed)
    with Server(echo) as server:
        done = equal(*options, "-o", "json", "--update", folder / "new", at(server), root)
    assert list(done.results.values()) == ["equal"] * 3
    assert all(log.shape() == "c con, c data, s data, c hup, s hup" for log in logs.load_all(folder / "new").values())


@pytest.mark.parametrize("options", [["-t", "fast"], ["--max-gap", "10ms"]])
def test_as_the_server(serve, logroot, folder, options):
    write(folder / "log_1", dialog(FIRST, LAST, LAST))
    write(folder / "log_2", dialog(LAST, FIRST, FIRST))
    server = serve(*options, folder / "log")
    for _ in range(2):
        ask(server.address, ("c", b"a"), ("s", b"a"))
    server.ends(0)
