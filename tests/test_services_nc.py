"""netcat-openbsd at both ends: half-close as shell users rely on it."""
import subprocess

from harness import logs
from harness.peers import pattern
from harness.proc import PATIENCE, wait_until
from harness.services import free_port


def listening(port):
    """By the kernel's table, since a connection would be the one that nc serves."""
    with open("/proc/net/tcp") as table:
        return any(f":{port:04X} " in line and " 0A " in line for line in table)


def test_file_there_and_file_back(netrecord, logroot, folder):
    there, back = folder / "there", folder / "back"
    there.write_bytes(pattern(1, 0, 3_000_000))
    back.write_bytes(pattern(2, 0, 2_000_000))
    port = free_port()
    with open(back, "rb") as answer, open(folder / "served", "wb") as served:
        server = subprocess.Popen(["nc", "-N", "-l", "127.0.0.1", str(port)], stdin=answer, stdout=served)
    try:
        wait_until(lambda: listening(port), "nc listens")
        nr = netrecord(("127.0.0.1", port))
        with open(there, "rb") as request:
            done = subprocess.run(
                ["nc", "-N", "127.0.0.1", str(nr.port)], stdin=request, capture_output=True, timeout=PATIENCE
            )
        assert done.returncode == 0
        assert server.wait(PATIENCE) == 0
    finally:
        server.kill()
        server.wait()
    nr.stop()
    assert done.stdout == back.read_bytes()
    assert (folder / "served").read_bytes() == there.read_bytes()
    (log,) = logs.load_all(logroot).values()
    assert log.bytes("c") == there.read_bytes()
    assert log.bytes("s") == back.read_bytes()
    assert sorted(log.ends()) == ["c hup", "s hup"]
