"""netrecord with a script, written by the test."""
import pytest

from . import logs
from .proc import TOP, wait_until

NO_SERVER = ("-", "-")


@pytest.fixture
def scripted(netrecord, folder):
    """Start a recorder with the Lua text given; `{name}` in it is replaced by settings of that name."""

    def start(lua, *options, target=NO_SERVER, **names):
        path = folder / "test.lua"
        for name, value in names.items():
            lua = lua.replace("{%s}" % name, str(value))
        path.write_text(lua)
        nr = netrecord(target, "-s", path, *options)
        nr.script = path
        return nr

    return start


def place(address):
    """host:port, as route() returns it."""
    return "%s:%d" % address


def only_log(nr, logroot):
    """Wait for the end of the only connection; its log and close event."""
    return wait_log(nr, logroot, 1)


def wait_log(nr, logroot, number):
    event = wait_until(lambda: logs.closed(logroot).get(number), f"connection {number} is closed")
    log = logs.load(logroot, number)
    assert not log.cut
    assert event["scripted"] is True
    assert event["client_bytes"] == len(log.bytes("c"))
    assert event["server_bytes"] == len(log.bytes("s"))
    assert nr.alive
    return log, event


EXAMPLES = TOP / "docs/examples"


@pytest.fixture
def example(netrecord, folder):
    """Start a recorder with a script of docs/examples, its names of servers replaced by those of the test."""

    def start(name, servers, *options, target=NO_SERVER):
        script = folder / name
        for each in (name, name.replace(".lua", ".txt")):
            if (EXAMPLES / each).exists():
                text = (EXAMPLES / each).read_text()
                for old, new in servers.items():
                    text = text.replace(old, place(new))
                (folder / each).write_text(text)
        assert all(place(new) in "".join(map(read, folder.glob("*.*"))) for new in servers.values())
        nr = netrecord(target, "-s", script, *options)
        nr.script = script
        return nr

    return start


def read(path):
    return path.read_text() if path.is_file() else ""
